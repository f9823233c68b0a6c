"""Targets in the gossip library: all that bytes of the network reach before anybody is a member."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import partial

from tocsin.errors import WireError
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.transport.mux.session import MuxSession
from tocsin.gossip.transport.mux.settings import HelloReceived, MuxConfig
from tocsin.gossip.transport.tls.listener import listener_address
from tocsin.gossip.wire import lzw
from tocsin.gossip.wire.checksum import verify_checksum
from tocsin.gossip.wire.codec import decode_message
from tocsin.gossip.wire.compound import split_compound
from tocsin.gossip.wire.envelope import MAGIC, EnvelopeKind, decode_envelope, decode_states
from tocsin.gossip.wire.framing import FrameDecoder, PacketFrame, StreamStart
from tocsin.gossip.wire.inflate import CompressedBody
from tocsin.gossip.wire.keyring import Keyring
from tocsin.gossip.wire.label import strip_label
from tocsin.gossip.wire.limits import DEFAULT_LIMITS
from tocsin.gossip.wire.messages import Message
from tocsin.gossip.wire.msgpack import boolean, octets, text, unpack_fields, unsigned
from tocsin.gossip.wire.packet import PacketCodec
from tocsin.gossip.wire.stream import StreamCodec
from tocsin.gossip.wire.tags import decode_tags

KEY = bytes(range(16))
LABEL = b"golden-label"
_REMOTE = Address("127.0.0.1", 9094)
_PIECE = 100


def packet(data: bytes) -> None:
    """A packet, as three clusters would take it. Raises nothing."""
    PacketCodec().decode(data)
    PacketCodec(LABEL).decode(data)
    PacketCodec(b"", Keyring([KEY])).decode(data)


def sealed_packet(data: bytes) -> None:
    """Inside a seal that fits. Raises nothing."""
    ring = Keyring([KEY])
    PacketCodec(LABEL, ring).decode(bytes((0xF4, len(LABEL))) + LABEL + ring.seal(data, LABEL))


def message(data: bytes) -> None:
    """One message out of a packet."""
    decode_message(data)


def envelope(data: bytes) -> None:
    """What members that use services put into the application's messages and states."""
    found = decode_envelope(MAGIC + data)
    assert found is not None
    decode_tags(data)
    if found.kind is EnvelopeKind.STATES:
        decode_states(found.payload)


def stream(data: bytes) -> None:
    """A stream in pieces, and whole: both ways come to the same message."""
    for codec, reply in ((StreamCodec(), False), (StreamCodec(), True), (StreamCodec(LABEL), False)):
        whole = _stream_outcome(codec, reply, data, len(data) or 1)
        pieces = _stream_outcome(codec, reply, data, _PIECE)
        # Rubbish behind the message may be seen before it, or not: that depends on what comes at once.
        if not isinstance(whole, str) and not isinstance(pieces, str):
            assert whole == pieces


def _stream_outcome(codec: StreamCodec, reply: bool, data: bytes, step: int) -> Message | str | None:
    decoder = codec.decoder(reply=reply)
    try:
        for start in range(0, len(data), step):
            found = decoder.feed(data[start : start + step])
            if found is not None:
                return found
        decoder.eof()
    except WireError as error:
        return str(error)
    return None


def sealed_stream(data: bytes) -> None:
    """A stream inside a seal that fits."""
    ring = Keyring([KEY])
    header = b"\x0a" + ring.sealed_length(len(data)).to_bytes(4, "big")
    StreamCodec(b"", ring).decoder().feed(header + ring.seal(data, header))


def frames(data: bytes) -> None:
    """Alertmanager's framing, in pieces and whole."""
    whole: list[PacketFrame | StreamStart] = []
    pieces: list[PacketFrame | StreamStart] = []
    for step, found in ((len(data) or 1, whole), (7, pieces)):
        decoder = FrameDecoder(65536)
        try:
            for start in range(0, len(data), step):
                found += decoder.feed(data[start : start + step])
                if found and isinstance(found[-1], StreamStart):
                    decoder.take_rest()
                    break
        except WireError:
            pass
    assert whole == pieces[: len(whole)], "frames depend on how the bytes came"
    for frame in pieces:
        if isinstance(frame, PacketFrame):
            listener_address(frame.from_address, _REMOTE)


def mux(data: bytes) -> None:
    """A session of ``tocsin/1``, accepting; from the first byte on, and after a greeting."""
    greeting = bytes.fromhex(
        "0101003e00000000010001000004000000100000004000000000000000000007"
        "0000000000000003000102030405060708090a0b0c0d0e0f0d31302e302e302e313a39303934"
    )
    for before in (b"", greeting):
        session = MuxSession(MuxConfig(max_streams=8), 0.0, dialler=False)
        for start in range(0, len(before + data), _PIECE):
            more = session.receive((before + data)[start : start + _PIECE], 0.1)
            while more:
                more = session.receive(b"", 0.1)
            for event in session.events():
                if isinstance(event, HelloReceived):
                    session.send_hello(
                        instance=bytes(16), address="127.0.0.1:1", sequence=1, current=0, two_way=True
                    )
                    session.start()
                    session.send_packet(b"\x08x")
            for identifier in (1, 3, 5):
                if (opened := session.stream(identifier)) is not None:
                    session.read(opened)
            session.data_to_send()


def lzw_stream(data: bytes) -> None:
    """LZW, whole and in pieces, and there and back."""
    assert lzw.decompress(lzw.compress(data), len(data)) == data
    whole = lzw.decompress(data, 65536)
    decompressor = lzw.Decompressor(65536)
    assert (
        b"".join(b"".join(decompressor.pieces(data[i : i + 5], 64)) for i in range(0, len(data), 5)) == whole
    )


def inflate(data: bytes) -> None:
    """A compress message on a stream."""
    body = CompressedBody(DEFAULT_LIMITS)
    for start in range(0, len(data), _PIECE):
        if body.finished:
            break
        for _ in body.pieces(data[start : start + _PIECE], 4096):
            pass


def keyring(data: bytes) -> None:
    """A sealed blob; the first byte says with what additional bytes."""
    for version in (0, 1):
        ring = Keyring([KEY, bytes(32)], version=version)
        assert ring.open(ring.seal(data, LABEL), LABEL) == data
    ring.open(data[1:], data[:1])


def msgpack_fields(data: bytes) -> None:
    """The maps of messages, and the fields in them."""
    fields = unpack_fields(data)
    for value in list(fields.values())[:8]:
        for read in (partial(octets, maximum=512), partial(text, maximum=512), unsigned, boolean):
            with suppress(WireError):
                read({b"Key": value}, b"Key")


def layers(data: bytes) -> None:
    """Label, checksum and compound; each alone."""
    with suppress(WireError):
        strip_label(data, LABEL)
    with suppress(WireError):
        verify_checksum(data)
    split_compound(data)


def member(data: bytes) -> None:
    """A member that gets packet after packet while time passes. Raises nothing.

    The bytes are packets, each after its length (u8) and the tenths of a second before it (u8).
    """
    endpoint = Endpoint(
        GossipConfig(), name="a", address=Address("127.0.0.1", 1), now=0.0, random=random.Random(0)
    )
    endpoint.start(0.0)
    now, position = 0.0, 0
    while position + 2 <= len(data):
        length, tenths = data[position], data[position + 1]
        now += tenths / 10
        endpoint.handle_timeout(now)
        endpoint.receive_packet(data[position + 2 : position + 2 + length], _REMOTE, now)
        position += 2 + length
        endpoint.drain()
    local = endpoint.local
    assert local.live
    assert 1 <= local.incarnation < 2**32
