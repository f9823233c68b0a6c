"""Every captured packet and stream decodes to what it means, and encodes again to the very same bytes."""

from __future__ import annotations

import pytest

from tests.support.golden import expected, leaves, normal
from tests.support.vectors import Vector, vectors
from tocsin.gossip.wire.checksum import add_checksum, verify_checksum
from tocsin.gossip.wire.codec import decode_message, encode_message
from tocsin.gossip.wire.compound import encode_compound, split_compound
from tocsin.gossip.wire.framing import (
    STREAM_HEADER,
    FrameDecoder,
    PacketFrame,
    StreamStart,
    encode_packet_frame,
)
from tocsin.gossip.wire.keyring import Keyring
from tocsin.gossip.wire.label import label_header, strip_label
from tocsin.gossip.wire.limits import DEFAULT_LIMITS
from tocsin.gossip.wire.lzw import decompress
from tocsin.gossip.wire.messages import Message
from tocsin.gossip.wire.msgpack import octets, unpack_fields
from tocsin.gossip.wire.packet import PacketCodec, compressed
from tocsin.gossip.wire.stream import StreamCodec


def by_case(*transports: str) -> list[object]:
    return [pytest.param(vector, id=vector.case) for vector in vectors(*transports)]


def ring(vector: Vector) -> Keyring | None:
    return Keyring(vector.keys) if vector.keys else None


def reseal(blob: bytes, additional: bytes, keys: list[bytes]) -> bytes:
    """Open a sealed blob and check that sealing it again with the same nonce gives the same bytes."""
    nonce = blob[1:13]
    again = Keyring(keys, version=blob[0], nonces=lambda size: nonce[:size])
    plain = again.open(blob, additional)
    assert again.seal(plain, additional) == blob
    return plain


def unwrap(data: bytes) -> bytes:
    """Take off compression, checking that putting it on again gives the same bytes."""
    plain = decompress(octets(unpack_fields(data[1:]), b"Buf", DEFAULT_LIMITS.packet), DEFAULT_LIMITS.packet)
    assert compressed(plain) == data
    return plain


def packet_leaves(data: bytes) -> list[bytes]:
    """The innermost messages of a packet's plaintext, each layer checked both ways."""
    if data[0] == 12:
        data = verify_checksum(data)
    if data[0] == 9:
        return packet_leaves(unwrap(data))
    if data[0] == 7:
        parts, cut = split_compound(data[1:])
        assert not cut
        assert encode_compound(parts) == data
        return [leaf for part in parts for leaf in packet_leaves(part)]
    return [data]


def check_packet(vector: Vector, data: bytes) -> None:
    decoded = PacketCodec(vector.label, ring(vector)).decode(data)
    if "count-wrapped" in vector.case:
        # The sender's count wrapped: no receiver can split it. All that is asked is that it does no harm.
        assert decoded.problems or decoded.messages
        return
    assert not decoded.problems
    plain = strip_label(data, vector.label)
    assert label_header(vector.label) + plain == data
    if vector.keys:
        plain = reseal(plain, vector.label, vector.keys)
    if plain[0] == 12:
        assert add_checksum(verify_checksum(plain)) == plain
    raw = packet_leaves(plain)
    wanted = [expected(leaf, data) for leaf, data in zip(leaves(vector.decoded["message"]), raw, strict=True)]
    assert decoded.messages == wanted
    for message, original in zip(wanted, raw, strict=True):
        assert decode_message(original) == message
        assert encode_message(message) == normal(original)


@pytest.mark.parametrize("vector", by_case("udp"))
def test_datagrams(vector: Vector) -> None:
    check_packet(vector, vector.data)


@pytest.mark.parametrize("vector", by_case("tls-packet"))
def test_frames_of_packets(vector: Vector) -> None:
    [frame] = FrameDecoder().feed(vector.data)
    assert isinstance(frame, PacketFrame)
    assert frame.from_address == vector.decoded["frame"]["from_addr"]
    assert encode_packet_frame(frame.data, frame.from_address) == vector.data
    check_packet(vector, frame.data)


def decode_stream(vector: Vector, data: bytes, *, reply: bool, step: int) -> Message:
    decoder = StreamCodec(vector.label, ring(vector)).decoder(reply=reply)
    for start in range(0, len(data), step):
        message = decoder.feed(data[start : start + step])
        if message is not None:
            return message
    raise AssertionError("the stream ended before its message did")


def check_stream(vector: Vector, data: bytes, *, reply: bool) -> None:
    plain = data
    if not reply:
        plain = strip_label(plain, vector.label)
    if vector.keys:
        assert int.from_bytes(plain[1:5], "big") == len(plain) - 5
        plain = reseal(plain[5:], plain[:5] + vector.label, vector.keys)
    if plain[0] == 9:
        plain = unwrap(plain)
    wanted = expected(vector.decoded["message"], plain)
    for step in (len(data), 1000, 1):
        assert decode_stream(vector, data, reply=reply, step=step) == wanted
    assert b"".join(StreamCodec().encode(wanted)) == normal(plain)


@pytest.mark.parametrize("vector", by_case("tcp"))
def test_streams_that_a_peer_opened(vector: Vector) -> None:
    check_stream(vector, vector.data, reply=False)


@pytest.mark.parametrize("vector", by_case("stream-reply"))
def test_answers_on_streams(vector: Vector) -> None:
    check_stream(vector, vector.data, reply=True)


@pytest.mark.parametrize("vector", by_case("tls-stream"))
def test_streams_over_tls(vector: Vector) -> None:
    assert vector.data.startswith(STREAM_HEADER)
    decoder = FrameDecoder()
    assert decoder.feed(vector.data) == [StreamStart()]
    check_stream(vector, decoder.take_rest(), reply=False)


def test_the_counts_are_those_of_the_captures() -> None:
    """So that a vector that goes missing is noticed."""
    counts = {name: len(vectors(name)) for name in ("udp", "tcp", "stream-reply", "tls-packet", "tls-stream")}
    assert counts == {"udp": 530, "tcp": 134, "stream-reply": 148, "tls-packet": 113, "tls-stream": 34}
