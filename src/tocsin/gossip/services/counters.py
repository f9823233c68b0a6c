"""The counters of a member, one by one: for export to a metrics system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Any, ClassVar, Protocol

from tocsin.dataclass import dataclass


class Dataclass(Protocol):
    """An instance of some dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True, slots=True)
class Counter:
    """One value. ``kind`` is empty, or says by what it is counted: a reason, a type of message."""

    name: str
    value: float
    kind: str = ""


def counters_of(*statistics: Dataclass, **prefixed: Dataclass) -> Iterator[Counter]:
    """Each number in dataclasses of counters, also those by name; some with a prefix before their names.

    They only grow, but for those that their dataclass calls gauges.
    """
    parts = [("", one) for one in statistics] + [(f"{name}_", one) for name, one in prefixed.items()]
    for prefix, each in parts:
        for field in fields(each):
            name = prefix + field.name
            match getattr(each, field.name):
                case bool():
                    pass
                case int() | float() as value:
                    yield Counter(name, value)
                case Mapping() as by_kind:
                    for kind, value in by_kind.items():
                        yield Counter(name, value, str(kind))
                case inner if is_dataclass(inner) and not isinstance(inner, type):
                    yield from counters_of(**{name: inner})
