"""Sequences of messages, each after its length as a varint: state payloads, snapshots (wire 4.1, 4.11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from tocsin.errors import StateError

MAX_MESSAGE_BYTES: Final = 4 << 20
"""Longest single message; Go's reader has the same limit."""

MAX_MESSAGES: Final = 1_000_000
"""Most messages in one sequence: far past any cluster's state, and short of what would exhaust memory."""


def varint(number: int) -> bytes:
    """``number``, not negative, as protobuf writes it."""
    if number < 0x80:
        return bytes((number,))
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def delimit(message: bytes) -> bytes:
    """``message`` after its length."""
    return varint(len(message)) + message


def write_delimited(messages: Iterable[bytes]) -> bytes:
    """All ``messages``, each after its length."""
    return b"".join(map(delimit, messages))


def spans(
    data: bytes | memoryview,
    *,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    max_messages: int = MAX_MESSAGES,
    start: int = 0,
) -> Iterator[tuple[int, int, int]]:
    """``(start of the length, start of the message, end)`` of each message, from that at ``start`` on.

    Raises StateError, when it reaches it, on a length that is cut, too long or past the end, and on
    too many messages.
    """
    position = start
    size = len(data)
    count = 0
    while position < size:
        start = position
        length = data[position]
        position += 1
        if length >= 0x80:
            length &= 0x7F
            shift = 7
            while True:
                if position >= size or shift > 63:
                    raise StateError(f"a message length at byte {start} is cut or too long")
                byte = data[position]
                position += 1
                length |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
        if length > max_message_bytes:
            raise StateError(
                f"a message at byte {start} has {length} bytes, the limit is {max_message_bytes}"
            )
        end = position + length
        if end > size:
            raise StateError(
                f"a message at byte {start} has {length} bytes, only {size - position} are there"
            )
        count += 1
        if count > max_messages:
            raise StateError(f"more than {max_messages} messages")
        yield start, position, end
        position = end


def read_delimited(
    data: bytes,
    *,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    max_messages: int = MAX_MESSAGES,
) -> Iterator[memoryview]:
    """The messages of a sequence, without copying. Raises StateError as :func:`spans`."""
    view = memoryview(data)
    for _, start, end in spans(view, max_message_bytes=max_message_bytes, max_messages=max_messages):
        yield view[start:end]
