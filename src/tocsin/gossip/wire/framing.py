"""Alertmanager's framing of packets and streams on a TLS connection (wire 3.2).

Each frame: u32le length, then a protobuf ``MemberlistMessage {string version = 1; Kind kind = 2;
string from_addr = 3; bytes msg = 4;}`` with Kind STREAM = 0, PACKET = 1. Encoded by hand: these four fields
would be the gossip library's only use of a protobuf library.
"""

from __future__ import annotations

from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import WireError

VERSION: Final = b"v0.1.0"
STREAM_HEADER: Final = b"\x08\x00\x00\x00\x0a\x06" + VERSION
"""Opens a stream: what follows it, both ways, is not framed. Must be a TLS record of its own."""
MAX_FRAME: Final = 4 * 1024 * 1024
MAX_FROM_ADDRESS: Final = 512
_PREFIX: Final = 4
_LAYER: Final = "frame"
_PACKET_START: Final = b"\x0a\x06" + VERSION + b"\x10\x01\x1a"


@dataclass(frozen=True, slots=True)
class PacketFrame:
    """One packet. ``from_address`` is as the sender wrote it: possibly empty, or no address at all."""

    data: bytes
    from_address: str


@dataclass(frozen=True, slots=True)
class StreamStart:
    """From here on the connection is a stream; see :meth:`FrameDecoder.take_rest`."""


def encode_packet_frame(data: bytes, from_address: str) -> bytes:
    """One packet as a frame. ``ValueError`` when it is empty: an empty ``msg`` crashes old Go peers."""
    if not data:
        raise ValueError("an empty packet must not be sent")
    sender = from_address.encode()
    body = b"".join(
        (_PACKET_START, _varint(len(sender)), sender, b"\x22", _varint(len(data)), data),
    )
    return len(body).to_bytes(_PREFIX, "little") + body


def packet_frame_size(packet: int, from_address: int) -> int:
    """The length of a packet's frame from the lengths of its parts, all in bytes."""
    around = _PREFIX + len(_PACKET_START) + len(_varint(from_address)) + 1 + len(_varint(packet))
    return around + from_address + packet


class FrameDecoder:
    """Splits a connection's plaintext into frames, whatever records or reads they come in."""

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._max_frame = max_frame
        self._pending = bytearray()
        self._streaming = False

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return 0 if self._streaming else len(self._pending)

    def feed(self, data: bytes) -> list[PacketFrame | StreamStart]:
        """The frames that are whole now, in order. :class:`WireError` when the connection is past repair.

        After :class:`StreamStart` nothing more is to be fed.
        """
        pending = self._pending
        pending += data
        frames: list[PacketFrame | StreamStart] = []
        start = 0
        while not self._streaming and len(pending) - start >= _PREFIX:
            length = int.from_bytes(pending[start : start + _PREFIX], "little")
            if length > self._max_frame:
                raise WireError(_LAYER, f"{length} bytes announced, at most {self._max_frame} are allowed")
            if not length:
                raise WireError(_LAYER, "empty")
            end = start + _PREFIX + length
            if end > len(pending):
                break
            frame = _decode(bytes(pending[start + _PREFIX : end]))
            frames.append(frame)
            self._streaming = isinstance(frame, StreamStart)
            start = end
        del pending[:start]
        return frames

    def take_rest(self) -> bytes:
        """What came behind the stream's header; handed out once."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(body: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(body) or shift > 63:
            raise WireError(_LAYER, "a varint is cut or too long")
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _decode(body: bytes) -> PacketFrame | StreamStart:
    version = sender = message = b""
    kind = position = 0
    while position < len(body):
        tag, position = _read_varint(body, position)
        field, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _read_varint(body, position)
            if field == 2:
                kind = value
            continue
        if wire_type == 2:
            size, position = _read_varint(body, position)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise WireError(_LAYER, f"protobuf wire type {wire_type} is not used")
        if position + size > len(body):
            raise WireError(_LAYER, "a field is cut")
        if wire_type == 2 and field in (1, 3, 4):
            content = body[position : position + size]
            if field == 1:
                version = content
            elif field == 3:
                sender = content
            else:
                message = content
        position += size
    if version != VERSION:
        raise WireError(_LAYER, f"version {version[:32]!r} instead of {VERSION!r}")
    if kind == 0:
        return StreamStart()
    if kind != 1:
        raise WireError(_LAYER, f"kind {kind} is unknown")
    if len(sender) > MAX_FROM_ADDRESS:
        raise WireError(_LAYER, f"from_addr of {len(sender)} bytes, at most {MAX_FROM_ADDRESS}")
    try:
        return PacketFrame(message, sender.decode())
    except UnicodeDecodeError:
        raise WireError(_LAYER, "from_addr is not UTF-8") from None
