"""How many fields a message has, before it is parsed: a map of many entries takes the parser time that grows
with their square, in one piece."""

from __future__ import annotations

from typing import Final

MAX_FIELDS: Final = 8192
"""Of an entry of the replicated state; what has more is refused. An honest one has some dozens."""
FEW_BYTES: Final = 16 * 1024
"""Up to so many cannot hold that many fields, or only in some milliseconds."""

_VARINT, _FIXED64, _BYTES, _GROUP, _FIXED32 = 0, 1, 2, 3, 5


def is_crowded(message: memoryview | bytes, *within: int) -> bool:
    """Whether a message, its fields of the first number in ``within``, those of the next number in them and
    so on have more than MAX_FIELDS fields together.

    True for what has groups, which the parser takes and nobody writes: they are not counted. False for what
    is no message, as far as that is seen: the parser says so.
    """
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
            depth = len(ends) - 1
            if depth < len(within) and tag >> 3 == within[depth]:
                ends.append(min(position + length, ends[-1]))
            else:
                position += length
        else:
            return kind == _GROUP
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
