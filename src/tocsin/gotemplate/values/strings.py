"""Go's strings are bytes: how ``str`` holds them, and what follows."""

from __future__ import annotations

import re
from typing import Final

_INVALID: Final = re.compile("[\udc80-\udcff]")


def to_bytes(text: str) -> bytes:
    """The bytes of a string of Go's."""
    return text.encode("utf-8", "surrogateescape")


def from_bytes(raw: bytes) -> str:
    """The string of Go's with these bytes, whatever they are."""
    return raw.decode("utf-8", "surrogateescape")


def whole(text: str) -> str:
    """The same bytes in the one form that compares, after joining what may end in half a character."""
    if text.isascii() or _INVALID.search(text) is None:
        return text
    return from_bytes(to_bytes(text))


def clean(text: str) -> str:
    """The same text with U+FFFD for each byte that is not UTF-8: as Go's loops over runes see it."""
    return text if text.isascii() else _INVALID.sub("\ufffd", text)


def byte_length(text: str) -> int:
    """len(text) as Go counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
