"""The envelope of replicated state: ``Part`` in a user message, ``FullState`` in a push/pull (wire 4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from google.protobuf.message import DecodeError

from tocsin.alerting.protocol.cluster_pb2 import FullState, Part
from tocsin.alerting.protocol.delimited import delimit, spans, varint
from tocsin.errors import StateError

MAX_PARTS: Final = 64
"""Most parts in a FullState. Alertmanager has two."""

MAX_KEY_CHARACTERS: Final = 64


def encode_part(key: str, data: bytes) -> bytes:
    """The body of a user message: ``data`` of the state ``key`` ("sil", "nfl")."""
    return Part(key=key, data=data).SerializeToString()


def _checked(part: Part) -> tuple[str, bytes]:
    if len(part.key) > MAX_KEY_CHARACTERS:
        raise StateError(f"a state key of {len(part.key)} characters, the limit is {MAX_KEY_CHARACTERS}")
    return part.key, part.data


def decode_part(body: bytes | memoryview) -> tuple[str, bytes]:
    """``(key, data)`` of a user message. Raises StateError on bytes that are not a Part."""
    try:
        return _checked(Part.FromString(body))  # type: ignore[arg-type]  # takes any buffer
    except DecodeError:
        raise StateError("the user message is not a Part") from None


class Slices(Protocol):
    """Data in slices that are made as they are asked for."""

    def __len__(self) -> int:
        """Bytes of all slices together."""

    def __iter__(self) -> Iterator[bytes]:
        """The slices."""


class FullStateSlices:
    """:func:`encode_full_state` of data in slices, itself in slices. ``sender`` as :func:`write_sender`."""

    def __init__(self, parts: Mapping[str, Slices], sender: str = "") -> None:
        self._sender = write_sender(b"", sender) if sender else b""
        self._parts = [(_part_head(key, len(data)), data) for key, data in parts.items()]
        self._size = len(self._sender) + sum([len(head) + len(data) for head, data in self._parts])

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        if self._sender:
            yield self._sender
        for head, data in self._parts:
            yield head
            yield from data


def encode_full_state(parts: Mapping[str, bytes], sender: str = "") -> bytes:
    """The user state of a push/pull. An empty state is kept as a Part with only a key, as Go sends it.

    Written by hand, in one piece: states are large, and protobuf's way would copy them several times.
    ``sender`` as :func:`write_sender`.
    """
    pieces: list[bytes] = [write_sender(b"", sender)] if sender else []
    for key, data in parts.items():
        pieces += (_part_head(key, len(data)), data)
    return b"".join(pieces)


def _part_head(key: str, size: int) -> bytes:
    """What stands before the ``size`` bytes of a part's data in a FullState."""
    head = b"\x0a" + delimit(key.encode())
    if size:
        head += b"\x12" + varint(size)
    return b"\x0a" + varint(len(head) + size) + head


def decode_full_state(body: bytes | memoryview) -> list[tuple[str, bytes | memoryview]]:
    """``(key, data)`` of each part, in the order sent (Go's is random). Large data is not copied.

    Raises StateError on bytes that are not a FullState, and on more than MAX_PARTS parts.
    """
    if len(body) > _COPIED_BYTES and (parts := _plain_parts(memoryview(body))) is not None:
        return parts
    try:
        state = FullState.FromString(body)  # type: ignore[arg-type]  # takes any buffer
    except DecodeError:
        raise StateError("the user state is not a FullState") from None
    if len(state.parts) > MAX_PARTS:
        raise StateError(f"{len(state.parts)} parts in the user state, the limit is {MAX_PARTS}")
    return [_checked(part) for part in state.parts]


_COPIED_BYTES: Final = 64 * 1024


def _plain_parts(body: memoryview) -> list[tuple[str, bytes | memoryview]] | None:
    """The parts of a FullState as everybody writes it; None for any other, which protobuf is to judge."""
    found: list[tuple[str, bytes | memoryview]] = []
    try:
        position = _end_of_field(body, 2)[1] if bytes(body[:2]) == _SENDER_TAG else 0
        while position < len(body):
            if body[position] != 0x0A or len(found) >= MAX_PARTS:
                return None
            start, end = _end_of_field(body, position + 1)
            if end > len(body) or body[start] != 0x0A:
                return None
            key_start, key_end = _end_of_field(body, start + 1)
            data: bytes | memoryview = b""
            if key_end != end:
                data_start, data_end = _end_of_field(body, key_end + 1)
                if body[key_end] != 0x12 or data_end != end:
                    return None
                data = body[data_start:data_end]
            if key_end - key_start > MAX_KEY_CHARACTERS:
                return None
            found.append((bytes(body[key_start:key_end]).decode(), data))
            position = end
    except (IndexError, UnicodeDecodeError):
        return None
    return found


def _end_of_field(body: memoryview, position: int) -> tuple[int, int]:
    """Where the content of a length-delimited field begins and ends. IndexError when the length is cut."""
    length = shift = 0
    while True:
        byte = body[position]
        position += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return position, position + length
        if shift > 28:
            raise IndexError


_SENDER_TAG: Final = b"\xc2\x3e"
"""Field 1000, a length-delimited one. Alertmanager has no such field and passes over it."""

_SENDER_SCAN: Final = 512


def write_sender(full_state: bytes, name: str) -> bytes:
    """A FullState that says at its front which Tocsin node it is of."""
    encoded = name.encode("utf-8", "replace")[:_SENDER_SCAN]
    return b"".join((_SENDER_TAG, delimit(encoded), full_state))


def read_sender(full_state: bytes) -> str:
    """The Tocsin node that a FullState is of; empty for that of an Alertmanager, whatever its bytes."""
    if full_state[:2] != _SENDER_TAG:
        return ""
    try:
        for _, start, end in spans(full_state[2 : 8 + _SENDER_SCAN], max_message_bytes=_SENDER_SCAN):
            return full_state[2 + start : 2 + end].decode()
    except (StateError, UnicodeDecodeError):
        pass
    return ""
