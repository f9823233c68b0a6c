"""Messages, layers and streams: what goes in comes out, and what Go accepts we accept."""

from __future__ import annotations

from collections.abc import Iterator

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.errors import NotFoundError, UserError, WireError
from tocsin.gossip.wire.codec import decode_message, encode_message
from tocsin.gossip.wire.keyring import Keyring
from tocsin.gossip.wire.limits import Limits
from tocsin.gossip.wire.lzw import compress
from tocsin.gossip.wire.messages import (
    Ack,
    Alive,
    Dead,
    ErrorResponse,
    IndirectPing,
    Message,
    Nack,
    NodeState,
    Ping,
    PushPull,
    Suspect,
    User,
)
from tocsin.gossip.wire.packet import PacketCodec
from tocsin.gossip.wire.stream import StreamCodec

u32 = st.integers(0, 2**32 - 1)
u16 = st.integers(0, 2**16 - 1)
name = st.text(max_size=40)
address = st.sampled_from([b"\x7f\0\0\1", bytes(16), b""])
versions = st.binary(min_size=6, max_size=6)
meta = st.binary(max_size=512)

packet_messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Ping, u32, name, address, u16, name),
    st.builds(IndirectPing, u32, address, u16, name, st.booleans(), address, u16, name),
    st.builds(Ack, u32, st.binary(max_size=600)),
    st.builds(Nack, u32),
    st.builds(Suspect, u32, name, name),
    st.builds(Dead, u32, name, name),
    st.builds(Alive, u32, name, address, u16, meta, versions),
    st.builds(User, st.binary(max_size=2000)),
)
nodes = st.builds(NodeState, name, address, u16, u32, st.integers(0, 5), meta, versions)
stream_messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(PushPull, st.booleans(), st.lists(nodes, max_size=6).map(tuple), st.binary(max_size=3000)),
    st.builds(User, st.binary(max_size=3000)),
    st.builds(Ping, u32, name, address, u16, name),
    st.builds(Ack, u32),
    st.builds(ErrorResponse, name),
)
labels = st.sampled_from([b"", b"blue"])
rings = st.sampled_from([None, Keyring([bytes(16)]), Keyring([bytes(32), bytes(24)], version=0)])


@given(packet_messages)
@settings(max_examples=many(200))
def test_messages_round_trip(message: Message) -> None:
    assert decode_message(encode_message(message)) == message


@given(st.lists(packet_messages, min_size=1, max_size=12), labels, rings, st.booleans(), st.booleans())
@settings(max_examples=many(150))
def test_packets_round_trip_through_every_layer(
    messages: list[Message], label: bytes, ring: Keyring | None, compression: bool, checksum: bool
) -> None:
    codec = PacketCodec(label, ring, compression)
    encoded = [encode_message(message) for message in messages]
    [data] = codec.encode(encoded, checksum=checksum)
    decoded = codec.decode(data)
    assert decoded.messages == messages
    assert not decoded.problems
    plain = PacketCodec().encode(encoded, checksum=checksum)[0]
    assert len(data) <= len(plain) + codec.overhead


def test_more_than_255_messages_take_several_packets() -> None:
    encoded = [encode_message(User(b"%d" % number)) for number in range(600)]
    packets = PacketCodec().encode(encoded, checksum=True)
    assert len(packets) == 3
    found = [message for data in packets for message in PacketCodec().decode(data).messages]
    assert found == [User(b"%d" % number) for number in range(600)]


def test_a_message_too_long_for_a_compound_goes_alone() -> None:
    encoded = [encode_message(User(bytes(70_000))), encode_message(User(b"a")), encode_message(User(b"b"))]
    packets = PacketCodec().encode(encoded, checksum=False)
    assert [len(PacketCodec().decode(data).messages) for data in packets] == [1, 2]


@given(stream_messages, labels, rings, st.booleans(), st.booleans(), st.integers(1, 400))
@settings(max_examples=many(150))
def test_streams_round_trip_through_every_layer_in_any_pieces(
    message: Message, label: bytes, ring: Keyring | None, compression: bool, reply: bool, step: int
) -> None:
    codec = StreamCodec(label, ring, compression)
    writes = tuple(codec.encode(message, reply=reply))
    assert len(writes) == (2 if label and not reply else 1)
    data = b"".join(writes) + b"later bytes are ignored"
    decoder = codec.decoder(reply=reply)
    found = None
    for start in range(0, len(data), step):
        found = decoder.feed(data[start : start + step])
        if found is not None:
            break
    assert found == message


class Pieces:
    """A state in pieces, which notes how many were asked for."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.asked = 0

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.asked += 1
            yield piece


@given(
    st.lists(nodes, max_size=4).map(tuple), st.lists(st.binary(max_size=300)), labels, rings, st.booleans()
)
@settings(max_examples=many(60))
def test_a_state_in_pieces_is_sent_as_the_same_bytes(
    members: tuple[NodeState, ...], pieces: list[bytes], label: bytes, ring: Keyring | None, compression: bool
) -> None:
    codec = StreamCodec(label, ring, compression)
    message = PushPull(True, members, pieces=Pieces(pieces))
    whole = PushPull(True, members, b"".join(pieces))
    assert codec.decoder().feed(b"".join(codec.encode(message))) == whole
    assert encode_message(message) == encode_message(whole)


def test_pieces_are_asked_for_as_they_are_written() -> None:
    state = Pieces([b"one", b"two", b"three"])
    writes = iter(StreamCodec(b"blue").encode(PushPull(False, (), pieces=state)))
    assert [len(next(writes)) > 0, len(next(writes)) > 0, state.asked] == [True, True, 0]
    assert (next(writes), state.asked) == (b"one", 1)
    assert (list(writes), state.asked) == ([b"two", b"three"], 3)


@given(stream_messages, rings, st.booleans(), st.binary(max_size=50))
@settings(max_examples=many(50))
def test_what_follows_the_message_is_ignored_however_late_it_comes(
    message: Message, ring: Keyring | None, compression: bool, later: bytes
) -> None:
    codec = StreamCodec(b"", ring, compression)
    decoder = codec.decoder()
    wire = b"".join(codec.encode(message)) + later
    found = [decoder.feed(wire[at : at + 1]) for at in range(len(wire))]
    assert [each for each in found if each is not None] == [message]
    decoder.eof()


def steps_of(codec: StreamCodec, message: Message) -> list[Message | None]:
    return list(codec.decoder().steps(b"".join(codec.encode(message))))


@pytest.mark.parametrize("ring", [None, Keyring([bytes(16)])], ids=["open", "sealed"])
@pytest.mark.parametrize("compression", [False, True])
def test_a_large_message_that_arrives_at_once_is_worked_on_in_steps(
    ring: Keyring | None, compression: bool
) -> None:
    message = User(bytes(range(256)) * 4096)
    *nothing, found = steps_of(StreamCodec(keyring=ring, compression=compression), message)
    assert found == message
    assert len(nothing) >= 15
    assert set(nothing) == {None}


def test_each_key_that_does_not_fit_a_sealed_message_is_a_step() -> None:
    keys = [bytes([number]) * 16 for number in range(5)]
    sealed = b"".join(StreamCodec(keyring=Keyring([b"x" * 16])).encode(User(b"payload")))
    steps = StreamCodec(keyring=Keyring(keys)).decoder().steps(sealed)
    assert [next(steps) for _ in keys] == [None] * len(keys)
    with pytest.raises(WireError, match="no installed key"):
        next(steps)


def test_keys_may_change_while_a_sealed_message_is_tried_with_them() -> None:
    ring = Keyring([bytes([number]) * 16 for number in range(3)])
    decoder = StreamCodec(keyring=ring).decoder()
    message = User(b"payload")
    sealed = b"".join(StreamCodec(keyring=Keyring([bytes([2]) * 16])).encode(message))
    steps = decoder.steps(sealed)
    assert next(steps) is None
    ring.install(b"n" * 16)
    assert [step for step in steps if step is not None] == [message]
    assert decoder.opened_with == bytes([2]) * 16


def test_many_members_are_worked_on_in_steps() -> None:
    node = NodeState("n", b"\x7f\0\0\1", 1, 1, 0, versions=bytes(6))
    message = PushPull(False, (node,) * 5000, b"state")
    *nothing, found = steps_of(StreamCodec(), message)
    assert found == message
    assert len(nothing) >= 9


def test_members_of_one_byte_each_are_worked_on_in_steps() -> None:
    header = b"\x06\x83\xa4Join\xc3\xa5Nodes\xcd\x40\x00\xacUserStateLen\x00"
    *nothing, found = StreamCodec().decoder().steps(header + b"\x80" * 0x4000)
    assert isinstance(found, PushPull)
    assert len(found.nodes) == 0x4000
    assert len(nothing) >= 30


@given(stream_messages, st.data())
@settings(max_examples=many(100))
def test_a_cut_stream_is_an_error_only_if_it_had_begun(message: Message, data: st.DataObject) -> None:
    whole = b"".join(StreamCodec().encode(message))
    cut = data.draw(st.integers(0, len(whole) - 1))
    decoder = StreamCodec().decoder()
    assert decoder.feed(whole[:cut]) is None
    if cut:
        with pytest.raises(WireError, match="ended"):
            decoder.eof()
    else:
        decoder.eof()


BODY = {"Incarnation": 7, "Node": "x", "Addr": b"\x7f\0\0\1", "Port": 9, "Vsn": bytes(6), "Meta": b""}


@pytest.mark.parametrize(
    "body",
    [
        msgpack.packb(BODY, use_bin_type=True),
        msgpack.packb(dict(reversed(BODY.items())), use_bin_type=False),
        msgpack.packb({**BODY, "New": {"any": [1, 2.5, None]}}, use_bin_type=False),
        msgpack.packb({**BODY, "Addr": [127, 0, 0, 1], "Meta": None}, use_bin_type=False),
        msgpack.packb(BODY, use_bin_type=False) + b"trailing",
        b"\xde\x00\x06" + msgpack.packb(BODY, use_bin_type=False)[1:],
        msgpack.packb(BODY, use_bin_type=False).replace(
            b"Incarnation\x07", b"Incarnation\xd3" + bytes(7) + b"\x07"
        ),
    ],
    ids=["str8 and bin", "other order", "unknown key", "array and nil", "trailing", "map16", "wide signed"],
)
def test_what_go_accepts(body: bytes) -> None:
    assert decode_message(b"\x04" + body) == Alive(7, "x", b"\x7f\0\0\1", 9, b"", bytes(6))


@pytest.mark.parametrize(
    "body",
    [{**BODY, "Port": 9.0}, {**BODY, "Port": -1}, {**BODY, "Port": 65536}, {**BODY, "Node": 5}, [7, "x"]],
)
def test_what_go_drops(body: object) -> None:
    with pytest.raises(WireError, match="msgpack"):
        decode_message(b"\x04" + msgpack.packb(body, use_bin_type=False))


def test_a_key_of_the_wrong_case_is_a_missing_field() -> None:
    assert decode_message(b"\x02\x81\xa5seqno\x05") == Ack(0)


def test_limits_of_a_push_pull() -> None:
    node = NodeState("n", b"\x7f\0\0\1", 1, 1, 0, versions=bytes(6))
    data = b"".join(StreamCodec().encode(PushPull(True, (node,) * 3, bytes(100))))
    for limits in (Limits(nodes=2), Limits(user_state=99), Limits(text=0)):
        with pytest.raises(WireError):
            StreamCodec(limits=limits).decoder().feed(data)
    assert StreamCodec(limits=Limits(nodes=3, user_state=100)).decoder().feed(data) is not None


def test_a_map_that_never_ends_is_refused() -> None:
    decoder = StreamCodec(limits=Limits(header=5000)).decoder()
    decoder.feed(b"\x06\x83\xa4Join\xda\xff\xff")

    def trickle() -> None:
        for _ in range(100):
            decoder.feed(bytes(1000))

    with pytest.raises(WireError, match=r"msgpack|stream"):
        trickle()


@pytest.mark.parametrize(
    "body",
    [
        {"Algo": 0, "Buf": compress(b"\x08\x81\xaaUserMsgLen\x02hi")},
        {"Buf": compress(b"\x08\x81\xaaUserMsgLen\x02hi"), "Algo": 0},
        {"Aim": {"any": [1, 2.5, None]}, "Buf": compress(b"\x08\x81\xaaUserMsgLen\x02hi")},
        {"Algo": None, "Buf": compress(b"\x08\x81\xaaUserMsgLen\x02hi")},
    ],
    ids=["as Go writes it", "other order", "unknown key", "nil"],
)
@pytest.mark.parametrize("new_raw", [False, True])
@pytest.mark.parametrize("step", [1, 1000])
def test_compressed_streams_that_go_accepts(body: object, new_raw: bool, step: int) -> None:
    data = b"\x09" + msgpack.packb(body, use_bin_type=new_raw)
    decoder = StreamCodec().decoder()
    found = [decoder.feed(data[start : start + step]) for start in range(0, len(data), step)]
    assert [message for message in found if message is not None] == [User(b"hi")]


@pytest.mark.parametrize("algorithm", [1, 0.0, b"lzw", -1])
def test_other_algorithms_are_refused(algorithm: object) -> None:
    data = b"\x09" + msgpack.packb({"Algo": algorithm, "Buf": compress(b"")}, use_bin_type=False)
    with pytest.raises(WireError, match=r"Algo is not|is unknown"):
        StreamCodec().decoder().feed(data)
    [problem] = PacketCodec().decode(data).problems
    assert "Algo is not" in problem.problem or "is unknown" in problem.problem


def test_a_compressed_stream_is_bounded_as_it_unpacks() -> None:
    data = b"".join(StreamCodec(compression=True).encode(User(bytes(100_000))))
    with pytest.raises(WireError, match="unpacks to more than"):
        StreamCodec(limits=Limits(stream=50_000)).decoder().feed(data)


def test_rolling_to_a_new_key() -> None:
    old, new = bytes(16), bytes(range(32))
    ring, behind = Keyring([old]), Keyring([old])
    ring.install(new)
    behind.install(new)
    ring.use(new)
    assert behind.open(ring.seal(b"x", b""), b"") == b"x"
    ring.remove(old)
    with pytest.raises(WireError, match="no installed key"):
        ring.open(behind.seal(b"x", b""), b"")
    with pytest.raises(UserError, match="primary"):
        ring.remove(new)
    with pytest.raises(NotFoundError):
        ring.use(old)


def test_keys_are_never_shown() -> None:
    key = b"0123456789abcdef"
    ring = Keyring([key])
    assert key.hex() not in repr(ring)
    assert "0123" not in repr(ring)
    with pytest.raises(UserError) as refused:
        Keyring([b"too short"])
    assert "too short" not in str(refused.value)


@pytest.mark.parametrize("peer", [b"", b"green", b"blu", b"bluer"])
def test_another_label_is_refused_on_packets_and_streams(peer: bytes) -> None:
    [data] = PacketCodec(peer).encode([b"\x08x"], checksum=False)
    decoded = PacketCodec(b"blue").decode(data)
    assert not decoded.messages
    assert [problem.layer for problem in decoded.problems] == ["label"]
    with pytest.raises(WireError, match="label"):
        StreamCodec(b"blue").decoder().feed(b"".join(StreamCodec(peer).encode(User(b"x"))))


def test_a_label_is_authenticated_with_the_seal() -> None:
    ring = Keyring([bytes(16)])
    [data] = PacketCodec(b"blue", ring).encode([b"\x08x"], checksum=False)
    forged = data.replace(b"blue", b"teal")
    assert [p.layer for p in PacketCodec(b"teal", ring).decode(forged).problems] == ["keyring"]
