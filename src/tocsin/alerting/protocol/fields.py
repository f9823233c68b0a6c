"""How many fields a message has, before it is parsed: a map of many entries takes the parser time that grows
with their square, in one piece."""

from __future__ import annotations

from typing import Final

MAX_FIELDS: Final = 8192
"""Of an entry of the replicated state; what has more is refused. An honest one has some dozens."""
FEW_BYTES: Final = 16 * 1024
"""Up to so many cannot hold that many fields, or only in some milliseconds."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def is_crowded(message: memoryview | bytes, within: int) -> bool:
    """Whether a message, and its fields of the number ``within``, have more than MAX_FIELDS fields together.
    False for what is no message, as far as that is seen: the parser says so."""
    if len(message) <= FEW_BYTES:
        return False
    left = MAX_FIELDS
    ends = [len(message)]
    position = 0
    while ends:
        if position >= ends[-1]:
            ends.pop()
            continue
        left -= 1
        if left < 0:
            return True
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == _VARINT:
            _, position = _varint(message, position)
        elif kind == _FIXED64:
            position += 8
        elif kind == _FIXED32:
            position += 4
        elif kind == _BYTES:
            length, position = _varint(message, position)
            if tag >> 3 == within and len(ends) == 1:
                ends.append(min(position + length, ends[0]))
            else:
                position += length
        else:
            return False
    return False


def _varint(data: memoryview | bytes, position: int) -> tuple[int, int]:
    """The number there, and where it ends; what is cut is past the end."""
    number = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
    return number, len(data)
