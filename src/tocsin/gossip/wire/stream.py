"""Streams: one message in each direction (wire 1.9, 2.7).

Sending: label header (dialling side only, a write of its own), then the message, compressed and encrypted if
so configured. Push/pull and user messages carry raw bytes after their maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain
from typing import Any, Final

from tocsin.errors import WireError
from tocsin.gossip.wire.codec import (
    decode_ack,
    decode_error,
    decode_node,
    decode_ping,
    encode_message,
    encode_push_pull_head,
)
from tocsin.gossip.wire.inflate import CompressedBody
from tocsin.gossip.wire.keyring import Keyring
from tocsin.gossip.wire.label import TYPE as LABEL_TYPE
from tocsin.gossip.wire.label import different, label_header
from tocsin.gossip.wire.limits import DEFAULT_LIMITS, Limits
from tocsin.gossip.wire.messages import Message, MessageType, NodeState, PushPull, User
from tocsin.gossip.wire.msgpack import (
    HOSTILE,
    OUT_OF_DATA,
    Fields,
    as_fields,
    boolean,
    pack,
    refusal,
    unpacker,
    unsigned,
)
from tocsin.gossip.wire.packet import compressed

_LAYER: Final = "stream"
_SEALED_HEADER: Final = 5
_SLICE: Final = 64 * 1024
_LZW_SLICE: Final = 8 * 1024
_NODES_AT_ONCE: Final = 512


class StreamCodec:
    """The layers of one cluster's streams."""

    def __init__(
        self,
        label: bytes = b"",
        keyring: Keyring | None = None,
        compression: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.label = label
        self.keyring = keyring
        self.limits = limits
        self._compression = compression

    def encode(self, message: Message, *, reply: bool = False, key: bytes | None = None) -> Iterable[bytes]:
        """The writes that send ``message``; over TLS each must be a write of its own.

        To be gone through once. The pieces of a push/pull are asked for one by one, unless they must be
        compressed or sealed, which is done to a message as a whole. ``key`` seals it instead of the primary
        one, also when the keyring seals nothing otherwise.
        """
        if isinstance(message, PushPull) and message.pieces is not None and self._plain_writes:
            first = () if reply or not self.label else (label_header(self.label),)
            return chain(first, map(encode_push_pull_head, (message,)), message.pieces)
        data = _encode(message)
        if self._compression:
            data = compressed(data)
        if self.keyring is not None and (key is not None or self.keyring.verify_outgoing):
            header = b"\x0a" + self.keyring.sealed_length(len(data)).to_bytes(4, "big")
            data = header + self.keyring.seal(data, header + self.label, key)
        return (data,) if reply or not self.label else (label_header(self.label), data)

    @property
    def _plain_writes(self) -> bool:
        return not self._compression and self.keyring is None

    def decoder(self, *, reply: bool = False) -> StreamDecoder:
        """A decoder for one direction; ``reply``: the answering side's, which has no label header."""
        return StreamDecoder(self, reply=reply)


class StreamDecoder:
    """Reads one message as its bytes arrive; each byte is read a bounded number of times.

    A few bytes may unpack to megabytes, and a sealed message is opened whole, with one key after another: who
    must keep other work going beside it takes :meth:`steps`.
    """

    def __init__(self, codec: StreamCodec, *, reply: bool) -> None:
        self._codec = codec
        self._limits = codec.limits
        self._pending = bytearray()
        self._expects_label = not reply
        self._inflate: CompressedBody | None = None
        self._body: _Body | None = None
        self._received = False
        self._whole = False
        self.opened_with: bytes | None = None
        """The key of ours that opened the message."""

    @property
    def started(self) -> bool:
        """Some byte has arrived."""
        return self._received

    @property
    def held(self) -> int:
        """Bytes of an unfinished message, as they are unpacked."""
        unpacking = self._inflate.held if self._inflate is not None else 0
        return len(self._pending) + unpacking + (self._body.held if self._body is not None else 0)

    def feed(self, data: bytes) -> Message | None:
        """Take in bytes; the message once it is whole (what follows it is ignored).

        :class:`WireError` as soon as it cannot become one.
        """
        for message in self.steps(data):
            if message is not None:
                return message
        return None

    def steps(self, data: bytes) -> Iterator[Message | None]:
        """As :meth:`feed`, some milliseconds of work at a time: None after each, then the message if whole.

        Must be run to its end, or to the message, before more is fed.
        """
        if self._whole:
            return
        self._received = self._received or bool(data)
        for message in self._work(data):
            if message is not None:
                self._whole = True
                self._inflate = self._body = None
            yield message

    def _work(self, data: bytes) -> Iterator[Message | None]:
        if self._body is not None or self._inflate is not None:
            yield from self._plain(data)
            return
        self._pending += data
        if self._expects_label and not self._label():
            return
        if not self._pending:
            return
        if self._pending[0] == MessageType.ENCRYPT:
            yield from self._unseal()
            return
        if self._codec.keyring is not None and self._codec.keyring.verify_incoming:
            raise WireError("keyring", "encryption is configured but remote state is not encrypted")
        data, self._pending = bytes(self._pending), bytearray()
        yield from self._plain(data)

    def eof(self) -> None:
        """The stream ended before the message was whole: :class:`WireError`, unless nothing came at all."""
        if self._received and not self._whole:
            raise WireError(_LAYER, "ended in the middle of a message")

    def _label(self) -> bool:
        pending, label = self._pending, self._codec.label
        if not pending:
            return False
        if pending[0] != LABEL_TYPE:
            if label:
                raise different(b"", label)
        else:
            if len(pending) < 2:
                return False
            if not pending[1]:
                raise WireError("label", "empty")
            if len(pending) < 2 + pending[1]:
                return False
            theirs = bytes(pending[2 : 2 + pending[1]])
            if theirs != label:
                raise different(theirs, label)
            del pending[: 2 + len(label)]
        self._expects_label = False
        return True

    def _unseal(self) -> Iterator[Message | None]:
        pending, keyring = self._pending, self._codec.keyring
        if keyring is None:
            raise WireError("keyring", "remote state is encrypted and encryption is not configured")
        if len(pending) < _SEALED_HEADER:
            return
        length = int.from_bytes(pending[1:_SEALED_HEADER], "big")
        if length > self._limits.sealed:
            raise WireError("keyring", f"{length} bytes announced, at most {self._limits.sealed} are allowed")
        if len(pending) < _SEALED_HEADER + length:
            return
        header = bytes(pending[:_SEALED_HEADER])
        blob = memoryview(pending)[_SEALED_HEADER : _SEALED_HEADER + length]
        data = b""
        for found in keyring.attempts(blob, header + self._codec.label):
            if found is None:
                yield None  # With another key it costs as much again.
            else:
                data, self.opened_with = found
        self._pending = bytearray()
        del blob, pending
        for message in self._plain(data):
            yield message
            if message is not None:
                return
        raise WireError(_LAYER, "a sealed message is cut")

    def _plain(self, data: bytes) -> Iterator[Message | None]:
        """Work on bytes whose label and seal are off."""
        if self._inflate is None and self._body is None and data[:1] == b"\x09":
            self._inflate = CompressedBody(self._limits)
            data = data[1:]
        if self._inflate is None:
            pieces = (data[start : start + _SLICE] for start in range(0, len(data), _SLICE))
        else:
            # A slice of LZW that unpacks to little is a step of work too.
            slices = (data[start : start + _LZW_SLICE] for start in range(0, len(data), _LZW_SLICE))
            pieces = (piece for part in slices for piece in self._inflate.pieces(part, _SLICE))
        for piece in pieces:
            for message in self._message(piece):
                yield message
                if message is not None:
                    return
        if self._inflate is not None and self._inflate.finished:
            raise WireError(_LAYER, "a compressed message is cut")

    def _message(self, data: bytes) -> Iterator[Message | None]:
        if self._body is None:
            if not data:
                return
            if data[0] == MessageType.COMPRESS:
                raise WireError("lzw", "compressed twice")
            self._body = _Body(data[0], self._limits)
            data = data[1:]
        yield from self._body.steps(data)


class _Body:
    """The message itself: a map, and for push/pull and user messages what it announces."""

    def __init__(self, kind: int, limits: Limits) -> None:
        if kind not in _STREAM_TYPES:
            raise WireError(_LAYER, f"type {kind} is unknown or does not open a stream")
        self._kind = kind
        self._limits = limits
        self._unpacker: Any = unpacker(limits, buffer=limits.header + _SLICE)
        self._header: Fields | None = None
        self._nodes_left = 0
        self._nodes: list[NodeState] = []
        self._raw_left = -1
        self._raw_length = 0
        self._raw = BytesIO()
        self._read = 0  # bytes that the unpacker has been given
        self._map_start = 0  # and where the map that it is reading begins

    @property
    def held(self) -> int:
        """Bytes read so far."""
        return self._read + self._raw.tell()

    def steps(self, chunk: bytes) -> Iterator[Message | None]:
        """Work on at most :data:`_SLICE` bytes."""
        if self._raw_left >= 0:
            yield self._take_raw(chunk)
            return
        try:
            self._unpacker.feed(chunk)
        except HOSTILE as error:
            raise refusal(error) from None
        self._read += len(chunk)
        if self._read - len(chunk) > self._limits.maps:
            raise WireError(_LAYER, f"maps of more than {self._limits.maps} bytes")
        while self._raw_left < 0:
            fields = self._next_map()
            if fields is None:
                # Not what the unpacker has left over: it has taken in what is there of an unfinished map.
                if self._read - self._map_start > self._limits.header:
                    raise WireError(_LAYER, f"a map of more than {self._limits.header} bytes")
                yield None
                return
            self._map_start = self._unpacker.tell()
            if self._header is None:
                message = self._start(fields)
                if message is not None:
                    yield message
                    return
            else:
                self._nodes.append(decode_node(fields, self._limits))
                self._nodes_left -= 1
                if self._nodes_left % _NODES_AT_ONCE == 0:
                    yield None  # An entry may be a single byte.
            if self._nodes_left == 0:
                self._raw_left = self._raw_length
        rest = self._read - self._unpacker.tell()
        yield self._take_raw(chunk[len(chunk) - rest :] if rest else b"")

    def _next_map(self) -> Fields | None:
        try:
            value = self._unpacker.unpack()
        except OUT_OF_DATA:
            return None
        except HOSTILE as error:
            raise refusal(error) from None
        return as_fields(value)

    def _start(self, fields: Fields) -> Message | None:
        limits = self._limits
        self._header = fields
        if self._kind == MessageType.PING:
            return decode_ping(fields, limits)
        if self._kind == MessageType.ACK:
            return decode_ack(fields, limits)
        if self._kind == MessageType.ERROR:
            return decode_error(fields, limits)
        if self._kind == MessageType.USER:
            self._raw_length = _bounded(fields, b"UserMsgLen", limits.user_state)
        else:
            self._nodes_left = _bounded(fields, b"Nodes", limits.nodes)
            self._raw_length = _bounded(fields, b"UserStateLen", limits.user_state)
        return None

    def _take_raw(self, data: bytes) -> Message | None:
        if data and self._raw_left:
            data = data[: self._raw_left]
            self._raw.write(data)
            self._raw_left -= len(data)
        if self._raw_left:
            return None
        raw = self._raw.getvalue()  # Its buffer, not a copy.
        if self._kind == MessageType.USER:
            return User(raw)
        assert self._header is not None  # noqa: S101  (read before any raw byte)
        return PushPull(boolean(self._header, b"Join"), tuple(self._nodes), raw)


def _bounded(fields: Fields, key: bytes, maximum: int) -> int:
    value = fields.get(key)
    if type(value) is int and value > maximum:
        raise WireError(_LAYER, f"{key.decode()} announces {value}, at most {maximum} are allowed")
    return unsigned(fields, key, maximum)


def _encode(message: Message) -> bytes:
    if isinstance(message, User):
        return b"".join((b"\x08", pack({"UserMsgLen": len(message.payload)}), message.payload))
    return encode_message(message)


_STREAM_TYPES: Final = frozenset(
    (MessageType.PING, MessageType.ACK, MessageType.PUSH_PULL, MessageType.USER, MessageType.ERROR)
)
