"""Whatever bytes come, the wire raises one typed error or none, and holds a bounded amount of memory."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.lzw import compressed_zeros
from tests.support.vectors import Vector, vectors
from tocsin.errors import WireError
from tocsin.gossip.address import Address
from tocsin.gossip.wire.checksum import verify_checksum
from tocsin.gossip.wire.codec import decode_message
from tocsin.gossip.wire.compound import encode_compound, split_compound
from tocsin.gossip.wire.framing import FrameDecoder, encode_packet_frame
from tocsin.gossip.wire.keyring import Keyring
from tocsin.gossip.wire.label import strip_label
from tocsin.gossip.wire.limits import Limits
from tocsin.gossip.wire.messages import NodeState, PushPull, User
from tocsin.gossip.wire.packet import PacketCodec, compressed
from tocsin.gossip.wire.stream import StreamCodec

KEY = bytes(range(16))
_SEEDS = [v for v in vectors() if v.transport != "file" and len(v.data) < 4000]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A captured message with some bytes changed, cut, inserted or repeated."""
    vector: Vector = draw(st.sampled_from(_SEEDS))
    data = bytearray(vector.data)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, max(0, len(data) - 1)))
        action = draw(st.sampled_from(("flip", "cut", "insert", "repeat", "drop")))
        if action == "flip" and data:
            data[position] ^= draw(st.integers(1, 255))
        elif action == "cut":
            del data[position:]
        elif action == "insert":
            data[position:position] = draw(st.binary(max_size=8))
        elif action == "repeat":
            data[position:position] = data[position : position + draw(st.integers(1, 64))]
        else:
            del data[position : position + draw(st.integers(1, 16))]
    return bytes(data)


def packet(data: bytes) -> None:
    for codec in (PacketCodec(), PacketCodec(b"golden-label"), PacketCodec(b"", Keyring([KEY]))):
        codec.decode(data)


def stream(data: bytes) -> None:
    for codec in (StreamCodec(), StreamCodec(b"golden-label"), StreamCodec(b"", Keyring([KEY]))):
        for reply in (False, True):
            decoder = codec.decoder(reply=reply)
            try:
                for start in range(0, len(data), 100):
                    if decoder.feed(data[start : start + 100]) is not None:
                        break
                else:
                    decoder.eof()
            except WireError:
                pass


def sealed_stream(data: bytes) -> None:
    """Inside a seal that fits, the bytes are as hostile as outside."""
    ring = Keyring([KEY])
    header = b"\x0a" + ring.sealed_length(len(data)).to_bytes(4, "big")
    StreamCodec(b"", ring).decoder().feed(header + ring.seal(data, header))


def stream_body(data: bytes) -> None:
    for kind in (b"\x06", b"\x08", b"\x09", b"\x00", b"\x0d"):
        stream(kind + data)


ENTRIES: list[Callable[[bytes], object]] = [
    packet,
    stream,
    stream_body,
    sealed_stream,
    decode_message,
    split_compound,
    verify_checksum,
    lambda data: strip_label(data, b"label"),
    lambda data: strip_label(data, b""),
    lambda data: Keyring([KEY]).open(data, b""),
    lambda data: FrameDecoder(65536).feed(data),
    lambda data: Address.from_packed(data, 1),
]


def feed_all(data: bytes) -> None:
    for entry in ENTRIES:
        with contextlib.suppress(WireError):
            entry(data)


@given(st.binary(max_size=300))
@settings(max_examples=many(200))
def test_arbitrary_bytes(data: bytes) -> None:
    feed_all(data)


@given(mutated())
@settings(max_examples=many(200))
def test_mutated_captures(data: bytes) -> None:
    feed_all(data)


@given(
    st.integers(0, 13),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=8), inner, max_size=4),
        max_leaves=8,
    ),
    st.sampled_from([b"Node", b"SeqNo", b"Addr", b"Vsn", b"Meta", b"Buf", b"Algo", b"Nodes", b"UserMsgLen"]),
)
@settings(max_examples=many(200))
def test_wrong_types_in_known_fields(kind: int, value: object, key: bytes) -> None:
    body = bytes((kind,)) + msgpack.packb({key: value}, use_bin_type=False)
    feed_all(body)


def peak_memory(action: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


BOMBS = {
    "arrays that announce millions": b"\x04\xdd\x00\x40\x00\x00" * 5000,
    "nested arrays": b"\x04" + b"\x91" * 100_000,
    "nested maps": b"\x04" + b"\x81\xa1a" * 50_000,
    "a map of four billion": b"\x04\xdf\xff\xff\xff\xff",
    "an array of four billion": b"\x04\xdd\xff\xff\xff\xff",
    "a string of four gigabytes": b"\x04\x81\xa4Node\xdb\xff\xff\xff\xff",
    "a bin of four gigabytes": b"\x09\x82\xa4Algo\x00\xa3Buf\xc6\xff\xff\xff\xff",
    "an ext of four gigabytes": b"\x04\xc9\xff\xff\xff\xff\x01",
    "a bomb of zeros": compressed_zeros(64 * 1024 * 1024),
    "a bomb in a bomb": compressed(compressed_zeros(32 * 1024 * 1024)),
    "many bombs in a compound": encode_compound([compressed_zeros(3 * 1024 * 1024)] * 100),
    "2**40 nodes": b"\x06\x83\xa4Join\xc3\xa5Nodes\xcf\x00\x00\x01\x00\x00\x00\x00\x00\xacUserStateLen\x00",
    "2**62 bytes of state": b"\x06\x83\xa4Join\xc3\xa5Nodes\x00\xacUserStateLen\xcf\x40" + bytes(7),
    "minus one node": b"\x06\x83\xa4Join\xc3\xa5Nodes\xff\xacUserStateLen\x00",
    "2**62 bytes of message": b"\x08\x81\xaaUserMsgLen\xcf\x40" + bytes(7),
    "a sealed stream of 4 GiB": b"\x0a\xff\xff\xff\xff",
    "deep compounds": b"",
}
_deep = b"\x08x"
for _ in range(200):
    _deep = encode_compound([_deep])
BOMBS["deep compounds"] = _deep
BOMBS["a million empty parts"] = encode_compound([encode_compound([b""] * 255)] * 120)
BOMBS["many tiny messages"] = encode_compound([encode_compound([b"\x08"] * 255)] * 80)


def million_empty_arrays() -> bytes:
    """One map whose only value, under a key that nobody knows, is 1,024 arrays of 1,024 empty arrays."""
    return b"\x81\xa1x\xdc\x04\x00" + (b"\xdc\x04\x00" + b"\x90" * 1024) * 1024


BOMBS["a million arrays in a packet"] = b"\x0b" + million_empty_arrays()
BOMBS["a million arrays, compressed"] = compressed(b"\x0b" + million_empty_arrays())
BOMBS["a million arrays beside what is compressed"] = b"\x09" + million_empty_arrays()
BOMBS["a million arrays in a push/pull"] = b"\x06" + million_empty_arrays()
BOMBS["a million arrays in a compressed push/pull"] = compressed(b"\x06" + million_empty_arrays())
_empty = encode_compound([b""] * 255)
BOMBS["a million empty parts"] = compressed(encode_compound([encode_compound([_empty] * 100)] * 40))


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_little_memory(name: str) -> None:
    data = BOMBS[name]
    assert peak_memory(lambda: feed_all(data)) < 64 * 1024 * 1024


@pytest.mark.parametrize("name", [n for n in BOMBS if n not in ("2**62 bytes of message",)])
def test_bombs_are_refused_as_packets(name: str) -> None:
    decoded = PacketCodec().decode(BOMBS[name])
    assert decoded.problems


def test_bytes_that_unpack_are_counted_over_all_parts_of_a_packet() -> None:
    part = compressed(b"\x08" + bytes(3000))
    decoded = PacketCodec(limits=Limits(packet=10_000)).decode(encode_compound([part] * 10))
    assert len(decoded.messages) == 3
    assert {problem.layer for problem in decoded.problems} == {"lzw"}


def test_messages_and_problems_of_a_packet_are_bounded() -> None:
    many = encode_compound([b"\x08x"] * 200)
    decoded = PacketCodec(limits=Limits(packet_messages=150)).decode(many)
    assert len(decoded.messages) == 150
    assert [str(problem) for problem in decoded.problems] == ["packet: more than 150 messages"]
    decoded = PacketCodec(limits=Limits(packet_problems=3)).decode(encode_compound([b"\xc8"] * 200))
    assert len(decoded.problems) == 3


def test_nesting_is_bounded_but_the_depth_that_go_accepts_is_fine() -> None:
    nested = b"\x08payload"
    for _ in range(4):
        nested = encode_compound([nested, b"\x08beside"])
    decoded = PacketCodec().decode(compressed(compressed(nested)))
    assert not decoded.problems
    assert decoded.messages[0] == User(b"payload")
    assert len(decoded.messages) == 5


def test_a_bad_part_does_not_take_its_neighbours_along() -> None:
    decoded = PacketCodec().decode(encode_compound([b"\x08one", b"\x04garbage", b"\xc8", b"", b"\x08two"]))
    assert decoded.messages == [User(b"one"), User(b"two")]
    assert len(decoded.problems) == 3


def test_parts_before_a_cut_are_good() -> None:
    whole = encode_compound([b"\x08one", b"\x08two"])
    decoded = PacketCodec().decode(whole[:-1])
    assert decoded.messages == [User(b"one")]
    assert [problem.layer for problem in decoded.problems] == ["compound"]


@pytest.mark.parametrize("count", [1, 3, 5, 7])
def test_versions_of_a_length_that_crashes_go_are_refused(count: int) -> None:
    body = msgpack.packb({"Node": "x", "Vsn": bytes(count)}, use_bin_type=False)
    with pytest.raises(WireError, match="Vsn"):
        decode_message(b"\x04" + body)


def test_versions_of_such_a_length_never_leave() -> None:
    node = NodeState("x", b"\x7f\0\0\1", 1, 1, 0, versions=b"\x01")
    with pytest.raises(ValueError, match="versions"):
        StreamCodec().encode(PushPull(False, (node,)))


def test_frames_are_bounded_before_they_are_gathered() -> None:
    decoder = FrameDecoder(1000)
    with pytest.raises(WireError, match="announced"):
        decoder.feed(b"\xff\xff\xff\xff")
    with pytest.raises(WireError, match="empty"):
        FrameDecoder().feed(bytes(4))


@given(st.binary(min_size=1, max_size=300), st.integers(1, 50))
@settings(max_examples=many(100))
def test_frames_come_whole_from_any_pieces(data: bytes, step: int) -> None:
    wire = encode_packet_frame(data, "127.0.0.1:9094") * 3
    decoder = FrameDecoder()
    frames = []
    for start in range(0, len(wire), step):
        frames += decoder.feed(wire[start : start + step])
    assert [getattr(frame, "data", None) for frame in frames] == [data] * 3
    assert decoder.pending == 0


@pytest.mark.parametrize("compress", [False, True])
def test_a_map_is_bounded_however_little_of_it_is_left_to_read(compress: bool) -> None:
    """The values of an unfinished map are built as they come, so it is the map that must be bounded."""
    body = b"\x06" + million_empty_arrays()
    with pytest.raises(WireError, match="a map of more than 65536 bytes"):
        StreamCodec().decoder().feed(compressed(body) if compress else body)


def test_all_maps_of_a_stream_are_bounded() -> None:
    header = b"\x06\x83\xa4Join\xc3\xa5Nodes\xcd\x7f\xff\xacUserStateLen\x00"
    decoder = StreamCodec(limits=Limits(maps=200_000)).decoder()
    with pytest.raises(WireError, match="maps of more than 200000 bytes"):
        decoder.feed(header + (b"\x81\xa1x\xda\x03\xe8" + bytes(1000)) * 300)


def test_a_message_of_a_packet_is_bounded_but_a_user_message_may_be_large() -> None:
    large = PacketCodec().decode(b"\x08" + bytes(1_000_000))
    assert not large.problems
    assert len(large.messages) == 1
    [problem] = PacketCodec().decode(b"\x0b\x81\xa5SeqNo\x01" + bytes(70_000)).problems
    assert "at most 65536" in problem.problem


def test_what_a_packet_unpacks_to_is_bounded_below_the_packet_itself() -> None:
    inside = PacketCodec().decode(compressed(b"\x08" + bytes(65_506)))
    assert not inside.problems
    [problem] = PacketCodec().decode(compressed(b"\x08" + bytes(65_537))).problems
    assert problem.layer == "lzw"


def test_what_we_compress_we_can_read() -> None:
    for size in (60_000, 70_000, 400_000):
        codec = PacketCodec(compression=True)
        [data] = codec.encode([b"\x08" + bytes(size)], checksum=True)
        assert codec.decode(data).messages == [User(bytes(size))]
