"""Frames of ``tocsin/1``: packets and streams of two Tocsin nodes on one TLS connection.

All integers are big-endian. A frame is a header of 8 bytes and a payload::

    type u8 | flags u8 | length u16 | stream u32 | payload (length bytes, at most 16,384)

``stream`` is 0 for what concerns the connection. docs/tocsin-1.md has every frame byte by byte and the rules.
"""

from __future__ import annotations

import enum
import struct
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import WireError

PROTOCOL: Final = "tocsin/1"
"""The name that TLS negotiates (ALPN, RFC 7301)."""
VERSION: Final = 1
HEADER_SIZE: Final = 8
MAX_PAYLOAD: Final = 16 * 1024
MAX_WINDOW: Final = 2**31 - 1
MAX_ADDRESS: Final = 255
MAX_REASON: Final = 256
INSTANCE_SIZE: Final = 16

# Frame types. Others are ignored.
HELLO: Final = 1
START: Final = 2
PACKET: Final = 3
OPEN: Final = 4
DATA: Final = 5
WINDOW: Final = 6
RESET: Final = 7
PING: Final = 8
PONG: Final = 9
GOAWAY: Final = 10

FLAG_MORE: Final = 1
"""PACKET: the packet goes on in the next PACKET frame."""
FLAG_END: Final = 1
"""DATA: the sender writes no more to this stream."""
FLAG_TWO_WAY: Final = 1
"""HELLO of the accepting side: it sends its own packets and streams on this connection too."""

_LAYER: Final = "mux"
_HEADER: Final = struct.Struct(">BBHI")
_HELLO: Final = struct.Struct(f">BBHIIIQQ{INSTANCE_SIZE}sB")
_U32: Final = struct.Struct(">I")
_CODE: Final = struct.Struct(">H")


class MuxCode(enum.IntEnum):
    """Why a connection or a stream ends: in GOAWAY and RESET, and as the metric label of our errors."""

    NONE = 0
    """GOAWAY: an orderly close. RESET: the application gave up the stream."""
    PROTOCOL = 1
    """A frame that is not the protocol, or out of sequence."""
    FRAME_SIZE = 2
    FLOW_CONTROL = 3
    """More bytes than were allowed, or a window past 2^31 - 1."""
    STREAM_LIMIT = 4
    PACKET_SIZE = 5
    CONTROL_FLOOD = 6
    """More answers are due than the peer has read."""
    REFUSED = 7
    """RESET: this stream is not served now; nothing of it was processed."""
    DUPLICATE = 8
    """GOAWAY: another connection of the same two nodes is in use."""
    SILENT = 9
    """Nothing whole came in time."""
    UNKNOWN = 65535
    """A code of a later version."""

    @classmethod
    def _missing_(cls, value: object) -> MuxCode:  # noqa: ARG003
        return cls.UNKNOWN


class MuxError(WireError):
    """The peer broke ``tocsin/1``: the connection cannot go on. ``code`` goes out in GOAWAY."""

    def __init__(self, code: MuxCode, problem: str) -> None:
        super().__init__(_LAYER, problem)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The first frame of either side."""

    instance: bytes
    """16 random bytes, chosen when the node started: a restarted node has others."""
    address: str
    """``ip:port`` where the sender listens, as it announces."""
    sequence: int
    """Grows with each HELLO that the instance sends; from 1."""
    current: int = 0
    """The ``sequence`` of the sender's HELLO on the connection with this peer that it uses already; or 0."""
    max_streams: int
    """How many streams the receiver may have open that it opened itself."""
    stream_window: int
    """Bytes the receiver may send on a new stream."""
    connection_window: int
    """Bytes the receiver may send on all streams together."""
    max_packet: int
    version: int = VERSION
    two_way: bool = False


def encode_frame(frame_type: int, flags: int, stream: int, payload: bytes | memoryview = b"") -> bytes:
    """One frame. ``ValueError`` when the payload is too long."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload of {len(payload)} bytes, at most {MAX_PAYLOAD}")
    return _HEADER.pack(frame_type, flags, len(payload), stream) + payload


def encode_header(frame_type: int, flags: int, length: int, stream: int) -> bytes:
    """The header alone, for a payload that goes out beside it."""
    return _HEADER.pack(frame_type, flags, length, stream)


def encode_hello(hello: Hello) -> bytes:
    """HELLO as a frame. ``ValueError`` for an address past 255 bytes."""
    address = hello.address.encode()
    if len(address) > MAX_ADDRESS or len(hello.instance) != INSTANCE_SIZE:
        raise ValueError("the address or the instance has a wrong length")
    payload = _HELLO.pack(
        hello.version,
        0,
        hello.max_streams,
        hello.stream_window,
        hello.connection_window,
        hello.max_packet,
        hello.sequence,
        hello.current,
        hello.instance,
        len(address),
    )
    return encode_frame(HELLO, FLAG_TWO_WAY if hello.two_way else 0, 0, payload + address)


def decode_hello(flags: int, payload: bytes) -> Hello:
    """From HELLO's flags and payload. What follows the known fields belongs to later versions."""
    if len(payload) < _HELLO.size:
        raise MuxError(MuxCode.PROTOCOL, f"HELLO of {len(payload)} bytes, at least {_HELLO.size}")
    (
        version,
        _,
        max_streams,
        stream_window,
        connection_window,
        max_packet,
        sequence,
        current,
        instance,
        length,
    ) = _HELLO.unpack_from(payload)
    if version < 1 or not sequence:
        raise MuxError(MuxCode.PROTOCOL, "HELLO of version or sequence 0")
    if stream_window > MAX_WINDOW or connection_window > MAX_WINDOW:
        raise MuxError(MuxCode.FLOW_CONTROL, f"HELLO with a window past {MAX_WINDOW}")
    if _HELLO.size + length > len(payload):
        raise MuxError(MuxCode.PROTOCOL, "HELLO's address is cut")
    try:
        address = payload[_HELLO.size : _HELLO.size + length].decode()
    except UnicodeDecodeError:
        raise MuxError(MuxCode.PROTOCOL, "HELLO's address is not UTF-8") from None
    return Hello(
        instance=instance,
        address=address,
        sequence=sequence,
        current=current,
        max_streams=max_streams,
        stream_window=stream_window,
        connection_window=connection_window,
        max_packet=max_packet,
        version=version,
        two_way=bool(flags & FLAG_TWO_WAY),
    )


def encode_window(stream: int, increment: int) -> bytes:
    """WINDOW: ``increment`` more bytes may be sent on ``stream`` (0: on all together)."""
    return _HEADER.pack(WINDOW, 0, 4, stream) + _U32.pack(increment)


def decode_window(payload: bytes) -> int:
    """The increment, from 1 to 2^31 - 1."""
    if len(payload) < 4:
        raise MuxError(MuxCode.PROTOCOL, "WINDOW is cut")
    increment: int = _U32.unpack_from(payload)[0]
    if not 0 < increment <= MAX_WINDOW:
        raise MuxError(MuxCode.FLOW_CONTROL, f"WINDOW of {increment} bytes")
    return increment


def encode_reason(frame_type: int, stream: int, code: MuxCode, text: str = "") -> bytes:
    """RESET or GOAWAY: a code and a text for a log, cut at 256 bytes."""
    reason = text.encode()[:MAX_REASON].decode(errors="ignore").encode()
    return encode_frame(frame_type, 0, stream, _CODE.pack(code) + reason)


def decode_reason(payload: bytes) -> tuple[MuxCode, str]:
    """Code and text of RESET and GOAWAY; a text that is not UTF-8 or too long is corrected."""
    if len(payload) < _CODE.size:
        raise MuxError(MuxCode.PROTOCOL, "a code is cut")
    text = payload[_CODE.size : _CODE.size + MAX_REASON].decode(errors="replace")
    return MuxCode(_CODE.unpack_from(payload)[0]), text


class MuxFrameDecoder:
    """Cuts a connection's plaintext into frames, whatever records or reads they come in.

    Holds at most what one :meth:`feed` gave and one frame that is not whole.
    """

    __slots__ = ("_buffer", "_position")

    def __init__(self) -> None:
        self._buffer = b""
        self._position = 0

    @property
    def pending(self) -> int:
        """Bytes that :meth:`next_frame` has not given yet."""
        return len(self._buffer) - self._position

    def feed(self, data: bytes) -> None:
        """More bytes."""
        if self._position >= len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._position :] + data
        self._position = 0

    def next_frame(self) -> tuple[int, int, int, bytes] | None:
        """Type, flags, stream and payload of the next whole frame; :class:`MuxError` past repair."""
        start = self._position + HEADER_SIZE
        if start > len(self._buffer):
            return None
        frame_type, flags, length, stream = _HEADER.unpack_from(self._buffer, self._position)
        if length > MAX_PAYLOAD:
            raise MuxError(MuxCode.FRAME_SIZE, f"a frame of {length} bytes, at most {MAX_PAYLOAD}")
        end = start + length
        if end > len(self._buffer):
            return None
        self._position = end
        return frame_type, flags, stream, self._buffer[start:end]
