"""Texts cut to what a server takes, ending with an ellipsis, as Alertmanager cuts them."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

CUT: ContextVar[set[str] | None] = ContextVar("cut", default=None)
"""The limits to which texts were cut in the attempt under way, for the log: ``4096 characters``."""
MARKER: Final = "…"
_SHORTEST: Final = 3
"""Limit, in characters, up to which there is no room for the ellipsis."""


def cut_to(what: str) -> None:
    """Note that a text was cut to ``what``, for the log and the counter."""
    cut = CUT.get()
    if cut is not None:
        cut.add(what)


def in_characters(text: str, limit: int) -> str:
    """At most ``limit`` characters of ``text``, the marker included."""
    if len(text) <= limit:
        return text
    cut_to(f"{limit} characters")
    return text[:limit] if limit <= _SHORTEST else text[: limit - 1] + MARKER


def in_bytes(text: str, limit: int) -> str:
    """At most ``limit`` bytes of ``text`` in UTF-8, the marker included; no character is cut in two."""
    data = text.encode("utf-8", "surrogateescape")
    if len(data) <= limit:
        return text
    cut_to(f"{limit} bytes")
    if limit <= _SHORTEST:
        return MARKER if limit == _SHORTEST else "." * limit
    return whole(data[: limit - len(MARKER.encode())]) + MARKER


def whole(data: bytes) -> str:
    """UTF-8 without the character that its end cuts."""
    for length in range(1, min(4, len(data) + 1)):
        byte = data[-length]
        if byte >= _FIRST:
            needed = 2 if byte < _FIRST_OF_THREE else 3 if byte < _FIRST_OF_FOUR else 4
            data = data[:-length] if needed > length else data
        if byte < _FOLLOWING or byte >= _FIRST:
            break
    return data.decode("utf-8", "surrogateescape")


_FOLLOWING: Final = 0x80
_FIRST: Final = 0xC0
_FIRST_OF_THREE: Final = 0xE0
_FIRST_OF_FOUR: Final = 0xF0
"""First bytes of characters of two, three and four bytes; bytes from 0x80 on continue one."""
