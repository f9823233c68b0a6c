"""Bounds the number of values in a body before it is parsed. Two bytes of JSON can take a hundred in memory,
and half a minute in the code that reproduces Go's errors. Counting brackets and commas takes a thousandth of
that. Those within texts count too, so the bounds are far above real bodies.
"""

from __future__ import annotations

from typing import Final

from tocsin.node.api.bodies import BodyError

SMALL: Final = 1 << 16
"""Bytes of a body up to which nothing is counted."""
MAX_OPENED: Final = 1 << 17
"""Objects and lists in a body of the usual form; an alert has two or more."""
MAX_VALUES: Final = 1 << 20
"""Commas in a body: one between two values."""
MAX_UNUSUAL: Final = 1 << 15
"""Objects, lists, commas and escapes, each, of a body that has to be read in Go's slow and patient way."""


def check(body: bytes, name: str) -> None:
    """Raise BodyError (413) for a body with too much in it; ``name`` is what it is called."""
    if len(body) < SMALL:
        return
    if body.count(b"{") + body.count(b"[") > MAX_OPENED:
        raise _too_much(name, f"{MAX_OPENED} objects and lists")
    if body.count(b",") > MAX_VALUES:
        raise _too_much(name, f"{MAX_VALUES} values")


def check_unusual(body: bytes, name: str) -> None:
    """As :func:`check`, for a body that goes to the slow reader."""
    if len(body) < SMALL:
        return
    if body.count(b"{") + body.count(b"[") > MAX_UNUSUAL or body.count(b",") > MAX_UNUSUAL:
        raise _too_much(name, f"{MAX_UNUSUAL} values, and it is not as the API documents it,")
    if body.count(b"\\") > MAX_UNUSUAL:
        raise _too_much(name, f"{MAX_UNUSUAL} escapes, and it is not as the API documents it,")


def _too_much(name: str, what: str) -> BodyError:
    return BodyError(413, f"{name} body with more than {what} is not read: send it in parts")
