"""Relations of types and values: assignable, comparable, nil, order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.gotemplate.values.types import (
    ANY,
    ERROR,
    STRINGER,
    Func,
    Kind,
    Map,
    Pointer,
    Slice,
    Type,
    Value,
    type_of,
)


def type_name(value: Value) -> str:
    """What ``%T`` prints."""
    return "<nil>" if value is None else type_of(value).name


def is_nil(value: Value) -> bool:
    """Whether it is nil: an interface, pointer, map, slice or function."""
    if value is None:
        return True
    if isinstance(value, (Slice, Map)):
        return value.nil
    if isinstance(value, Pointer):
        return value.target is None
    return isinstance(value, Func) and value.impl is None


def implements(go_type: Type, interface: Type) -> bool:
    """Whether a value of the type can be held by the interface."""
    if interface is ANY or go_type is interface:
        return True
    if interface is ERROR:
        return go_type.find_method("Error") is not None
    if interface is STRINGER:
        return go_type.find_method("String") is not None
    return False


def same_underlying(one: Type, other: Type) -> bool:
    """Whether two types are the same but for their names."""
    if one is other:
        return True
    if one.kind != other.kind or one.kind == Kind.INTERFACE:
        return False
    if one.kind == Kind.STRUCT:
        return one.fields == other.fields
    return one.elem is other.elem and one.key is other.key and one.signature is other.signature


def assignable(go_type: Type, target: Type) -> bool:
    """Whether a value of the type can be assigned to ``target`` (Go's assignability)."""
    if go_type is target:
        return True
    if target.kind == Kind.INTERFACE:
        return implements(go_type, target)
    if go_type.named and target.named:
        return False
    return same_underlying(go_type, target)


def comparable(go_type: Type) -> bool:
    """Whether values of the type can be compared with ``==``; of an interface: perhaps."""
    if go_type.kind in (Kind.FUNC, Kind.MAP, Kind.SLICE):
        return False
    if go_type.kind == Kind.STRUCT:
        return all(comparable(field) for field in go_type.fields.values())
    return True


def _sort_key(key: Value) -> Any:
    if isinstance(key, str):
        return (2, key.encode("utf-8", "surrogateescape"))
    if isinstance(key, (int, float)):
        return (1, key)
    return (0, 0) if key is None else (3, 0)


def sorted_keys(items: Mapping[Any, Value]) -> list[Any]:
    """A map's keys in the order in which Go prints it and templates range over it."""
    return sorted(items, key=_sort_key)
