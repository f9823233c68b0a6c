"""``eq``, ``lt`` and the others: what Go's templates compare, and what they refuse."""

from __future__ import annotations

from typing import Final

from tocsin.gotemplate.values import (
    COMPLEX_KINDS,
    FLOAT_KINDS,
    INT_KINDS,
    UINT_KINDS,
    GoError,
    Kind,
    Pointer,
    Struct,
    Value,
    comparable,
    is_nil,
    type_of,
    whole,
)

_FAST: Final = frozenset({str, int, bool, float})
_BASIC: Final[dict[Kind, str]] = {
    **dict.fromkeys(INT_KINDS, "int"),
    **dict.fromkeys(UINT_KINDS, "uint"),
    **dict.fromkeys(FLOAT_KINDS, "float"),
    **dict.fromkeys(COMPLEX_KINDS, "complex"),
    Kind.STRING: "string",
    Kind.BOOL: "bool",
}


def _kind(value: Value) -> str | None:
    """The basic kind, or None for what is only comparable with its like."""
    return None if value is None else _BASIC.get(type_of(value).kind)


def equal(first: Value, *others: Value) -> bool:
    """Whether the first is equal to any of the others. Raises `GoError` for what cannot be compared."""
    if not others:
        raise GoError("missing argument for comparison")
    return any(_same(first, other) for other in others)


def _same(one: Value, other: Value) -> bool:
    kind = one.__class__
    if kind is other.__class__ and kind in _FAST:
        return bool(whole(one) == whole(other)) if kind is str else bool(one == other)
    first, second = _kind(one), _kind(other)
    if first != second:
        if first in ("int", "uint") and second in ("int", "uint"):
            return int(one) == int(other)
        if one is not None and other is not None:
            raise GoError(f"incompatible types for comparison: {type_of(one).name} and {type_of(other).name}")
        return False
    if first == "string":
        return whole(str(one)) == whole(str(other))
    if first is not None:
        return bool(one == other)
    if one is not None and other is not None and type_of(one).kind != type_of(other).kind:
        raise GoError(f"non-comparable types {type_of(one).name} and {type_of(other).name}")
    if is_nil(one) or is_nil(other):  # with nil everything can be compared
        return is_nil(one) and is_nil(other)
    # Values of two types are different, whatever the first one is.
    if not comparable(type_of(other)):
        raise GoError(f"non-comparable type {type_of(other).name}")
    return _identical(one, other)


def _identical(one: Value, other: Value) -> bool:
    """Go's ``==`` of two interface values: the same type and the same value."""
    if one is None or other is None:
        return one is other
    if type_of(one) is not type_of(other):
        return False
    if isinstance(one, Struct):
        return all(_identical(field, other.fields[name]) for name, field in one.fields.items())
    if isinstance(one, Pointer):
        return one is other or one.target is other.target
    return one is other or bool(one == other)


def less(one: Value, other: Value) -> bool:
    """Whether one is less than the other. Raises `GoError` for what has no order."""
    first, second = _kind(one), _kind(other)
    if first is None or second is None:
        raise GoError("invalid type for comparison")
    if first != second:
        if first in ("int", "uint") and second in ("int", "uint"):
            return int(one) < int(other)
        raise GoError(f"incompatible types for comparison: {type_of(one).name} and {type_of(other).name}")
    if first in ("bool", "complex"):
        raise GoError("invalid type for comparison")
    if first == "string" and not (one.isascii() and other.isascii()):
        return bool(one.encode("utf-8", "surrogateescape") < other.encode("utf-8", "surrogateescape"))
    return bool(one < other)


def less_or_equal(one: Value, other: Value) -> bool:
    """Whether one is less than the other or equal to it. Raises `GoError`."""
    return less(one, other) or equal(one, other)
