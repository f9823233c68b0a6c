"""JSON objects in which members with their default value are left out, and their reading.

What is not what it should be raises :class:`~tocsin.errors.StateError` or ValueError; members that are not
known are passed over.
"""

from __future__ import annotations

from typing import Any, TypeAlias, cast

from tocsin.alerting.record.model import Pairs
from tocsin.errors import StateError

Form: TypeAlias = dict[str, Any]


def filled(**members: object) -> Form:
    """What is not the default: no empty text or list, no zero, no ``None``, no ``False``."""
    return {name: value for name, value in members.items() if value}


def moment(value: int | None) -> list[int]:
    """An instant that may be missing: 0 is an instant too."""
    return [] if value is None else [value]


def of_kind(kind: type, value: object) -> Any:
    """``value``, if it is of just that type."""
    if type(value) is not kind:
        raise StateError(f"a record has {type(value).__name__} where {kind.__name__} is due")
    if type(value) is str and not value.isascii():
        value.encode()  # raises for half a character
    return value


def number(form: Form, name: str) -> int:
    """A member; 0 if it is not there."""
    return cast("int", of_kind(int, form.get(name, 0)))


def text(form: Form, name: str) -> str:
    """A member; empty if it is not there."""
    return cast("str", of_kind(str, form.get(name, "")))


def items(form: Form, name: str) -> list[Any]:
    """A member that is a list; empty if it is not there."""
    return cast("list[Any]", of_kind(list, form.get(name, [])))


def objects(form: Form, name: str) -> list[Form]:
    """A list of objects."""
    return [of_kind(dict, each) for each in items(form, name)]


def pairs(form: Form, name: str) -> Pairs:
    """A member that is an object of texts."""
    return tuple(
        (of_kind(str, key), of_kind(str, value)) for key, value in of_kind(dict, form.get(name, {})).items()
    )


def maybe(form: Form, name: str) -> int | None:
    """See :func:`moment`."""
    found = items(form, name)
    return of_kind(int, found[0]) if found else None


def fingerprint(value: object) -> int:
    """From its hexadecimal digits."""
    found = int(of_kind(str, value), 16)
    if not 0 <= found < 1 << 64:
        raise StateError("a record has a fingerprint of more than 64 bits")
    return found


def one_of(choices: tuple[str, ...], value: object) -> Any:
    """``value``, if it is among them."""
    if value not in choices:
        raise StateError(f"a record has {value!r} where one of {', '.join(choices)} is due")
    return value
