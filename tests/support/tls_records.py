"""Counts TLS 1.3 records from their outside."""

from __future__ import annotations

from typing import Final

_APPLICATION: Final = 23
_OVERHEAD: Final = 17
"""The inner content type and the tag."""


def application_records(wire: bytes) -> list[int]:
    """Content sizes of the whole records in ``wire`` that carry the application data type, in order."""
    sizes: list[int] = []
    position = 0
    while position + 5 <= len(wire):
        length = int.from_bytes(wire[position + 3 : position + 5], "big")
        if position + 5 + length > len(wire):
            break
        if wire[position] == _APPLICATION:
            sizes.append(length - _OVERHEAD)
        position += 5 + length
    return sizes
