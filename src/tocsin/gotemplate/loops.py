"""Iterates over values for ``range``."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.gotemplate.errors import BoundError
from tocsin.gotemplate.execution import NIL, Execution, Site
from tocsin.gotemplate.fmt import sprint
from tocsin.gotemplate.values import (
    INT_KINDS,
    UINT_KINDS,
    Map,
    Pointer,
    Slice,
    Uint8,
    Value,
    sorted_keys,
    type_of,
)

Pairs = Iterable[tuple[Value, Value]]


def iterate(value: Value, pair: bool, site: Site, run: Execution) -> tuple[Pairs, bool]:
    """Keys and elements, and whether there are none. Raises `ExecError`."""
    while value.__class__ is Pointer and value.target is not None:
        value = value.target
    if value is None or value is NIL:
        return (), True
    if isinstance(value, Slice):
        return enumerate(value.items), not value.items
    if isinstance(value, Map):
        items = value.items
        run.budget.spend(len(items))
        return ((key, items[key]) for key in sorted_keys(items)), not items
    if isinstance(value, bytes):
        return ((index, Uint8(byte)) for index, byte in enumerate(value)), not value
    go_type = type_of(value)
    if go_type.kind in INT_KINDS or go_type.kind in UINT_KINDS:
        if pair:
            raise site.error(f"can't use {int(value)} to iterate over more than one variable")
        count = int(value)
        if value.__class__ is int or go_type.make is None:
            return ((None, number) for number in range(count)), count <= 0
        make = go_type.make
        return ((None, make(number)) for number in range(count)), count <= 0
    try:
        shown = sprint(run.budget, (value,))
    except BoundError as error:
        raise site.bound(error) from None
    raise site.error(f"range can't iterate over {shown}")
