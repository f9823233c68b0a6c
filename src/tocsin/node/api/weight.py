"""What is in a body, counted before anything is made of it.

Two bytes of JSON can become a hundred in memory, and half a minute of work for the code that says in Go's
texts of what is wrong with them. Counting the signs of which each value needs one takes a thousandth of that.
Signs within texts count too, so the bounds are far from what anybody sends.
"""

from __future__ import annotations

from typing import Final

from tocsin.node.api.bodies import BodyError

SMALL: Final = 1 << 16
"""Bytes of a body that is not worth counting."""
MAX_OPENED: Final = 1 << 17
"""Objects and lists in a body that is as it should be: two and more for each alert."""
MAX_VALUES: Final = 1 << 20
"""Commas, which values have between them."""
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
    """As :func:`check`, for a body that is to be read slowly."""
    if len(body) < SMALL:
        return
    if body.count(b"{") + body.count(b"[") > MAX_UNUSUAL or body.count(b",") > MAX_UNUSUAL:
        raise _too_much(name, f"{MAX_UNUSUAL} values, and it is not as the API documents it,")
    if body.count(b"\\") > MAX_UNUSUAL:
        raise _too_much(name, f"{MAX_UNUSUAL} escapes, and it is not as the API documents it,")


def _too_much(name: str, what: str) -> BodyError:
    return BodyError(413, f"{name} body with more than {what} is not read: send it in parts")
