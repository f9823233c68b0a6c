"""A ``tocsin/1`` session without sockets: its rules, its bounds, and hostile peers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.mux import GREETING, Pair, Side
from tocsin.errors import TransportError, WireError
from tocsin.gossip.transport.mux.settings import GoingAway, MuxConfig, Started, StreamChanged
from tocsin.gossip.wire import mux as wire
from tocsin.gossip.wire.mux import MuxCode, MuxError, MuxFrameDecoder

KB = 1024


def types(data: bytes) -> list[int]:
    """The frames' types."""
    decoder, found = MuxFrameDecoder(), []
    decoder.feed(data)
    while (frame := decoder.next_frame()) is not None:
        found.append(frame[0])
    return found


def broken(side: Side, data: bytes) -> MuxCode:
    """What ``side`` thinks is wrong with ``data``; it must be counted too."""
    before = side.session.statistics.errors.total()
    with pytest.raises(MuxError) as refused:
        side.receive(data, 0.0)
    assert side.session.statistics.errors.total() == before + 1
    assert side.session.statistics.errors[refused.value.code.name.lower()] >= 1
    return refused.value.code


def frame(frame_type: int, stream: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    return wire.encode_frame(frame_type, flags, stream, payload)


def test_packets_go_both_ways_and_share_a_write() -> None:
    pair = Pair()
    for index in range(100):
        assert pair.near.session.send_packet(b"%d" % index)
        assert pair.far.session.send_packet(b"back %d" % index)
    assert pair.near.send()
    assert len(pair.near.wire) == 1
    pair.settle()
    assert pair.far.packets == [b"%d" % index for index in range(100)]
    assert pair.near.packets == [b"back %d" % index for index in range(100)]


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 32768, 1_000_000])
def test_packets_of_every_size_keep_their_borders(size: int) -> None:
    pair = Pair()
    data = bytes(index % 251 for index in range(size))
    pair.near.session.send_packet(data)
    pair.near.session.send_packet(b"next")
    pair.settle()
    assert pair.far.packets == [data, b"next"]


def test_nothing_but_the_greeting_is_sent_before_start() -> None:
    pair = Pair(greet=False)
    pair.near.session.send_hello(sequence=1, **GREETING)
    with pytest.raises(TransportError):
        pair.near.session.open_stream()
    assert not pair.near.session.send_packet(b"early")
    assert types(pair.near.session.data_to_send()) == [wire.HELLO]


def test_a_packet_overtakes_a_large_stream() -> None:
    pair = Pair()
    stream = pair.near.session.open_stream()
    pair.near.session.write(stream, bytes(200 * KB))
    pair.near.send()  # One batch of the stream is on its way.
    pair.near.session.send_packet(b"urgent")
    assert types(pair.near.session.data_to_send())[0] == wire.PACKET


def test_packets_without_end_do_not_starve_streams() -> None:
    pair = Pair()
    stream = pair.near.session.open_stream()
    pair.near.session.write(stream, bytes(64 * KB))
    for _ in range(500):
        pair.near.session.send_packet(bytes(1000))
    batch = types(pair.near.session.data_to_send())
    assert wire.DATA in batch
    assert wire.PACKET in batch


def test_a_stream_waits_for_credit_and_goes_on_when_it_is_read() -> None:
    config = MuxConfig(stream_window=32 * KB, connection_window=1024 * KB)
    pair = Pair(config)
    content = bytes(range(256)) * 512
    stream = pair.near.session.open_stream()
    pair.near.session.write(stream, content)
    pair.near.session.finish(stream)
    pair.settle()
    [identifier] = pair.far.opened
    far = pair.far.session.stream(identifier)
    assert far is not None
    assert far.unread == 32 * KB
    received = b""
    while not (far.end_received and not far.unread):
        received += pair.far.session.read(far)
        pair.settle()
    assert received == content


def test_the_connections_window_bounds_all_streams_together() -> None:
    config = MuxConfig(stream_window=64 * KB, connection_window=96 * KB)
    pair = Pair(config)
    for _ in range(4):
        stream = pair.near.session.open_stream()
        pair.near.session.write(stream, bytes(64 * KB))
    pair.settle()
    streams = [pair.far.session.stream(identifier) for identifier in pair.far.opened]
    assert sum(stream.unread for stream in streams if stream is not None) == 96 * KB
    # The end of a stream takes no room, so it comes through.
    empty = pair.near.session.open_stream()
    pair.near.session.finish(empty)
    pair.settle()
    far = pair.far.session.stream(pair.far.opened[-1])
    assert far is not None
    assert far.end_received


def test_dropped_streams_give_their_room_back() -> None:
    config = MuxConfig(stream_window=64 * KB, connection_window=64 * KB)
    pair = Pair(config)
    for round_number in range(5):
        stream = pair.near.session.open_stream()
        pair.near.session.write(stream, bytes(64 * KB))
        pair.settle()
        far = pair.far.session.stream(pair.far.opened[-1])
        assert far is not None
        assert far.unread == 64 * KB, round_number
        pair.far.session.let_go(far)
        pair.settle()
        assert stream.error
    assert pair.near.session.streams == pair.far.session.streams == 0


def test_the_opener_keeps_to_the_peers_limit() -> None:
    pair = Pair(MuxConfig(max_streams=2))
    first = pair.near.session.open_stream()
    pair.near.session.open_stream()
    with pytest.raises(TransportError, match="2 streams"):
        pair.near.session.open_stream()
    assert pair.near.session.statistics.streams_refused == {"peer_limit": 1}
    pair.near.session.reset(first)
    pair.near.session.open_stream()
    pair.settle()
    assert len(pair.far.opened) == 2 + 1


def test_streams_opened_and_cut_faster_than_we_let_go_are_refused() -> None:
    pair = Pair(MuxConfig(max_streams=3))
    for _ in range(8):
        pair.near.session.reset(pair.near.session.open_stream())
        pair.settle()
    assert pair.far.opened == [1, 3, 5, 7, 9, 11]
    assert pair.far.session.statistics.streams_refused == {"held": 2}
    # A refused stream that is still open at its opener is an error there.
    stream = pair.near.session.open_stream()
    pair.settle()
    assert "too many" in stream.error
    assert pair.near.session.statistics.streams_refused == {"refused": 1}


def test_an_orderly_close_sends_what_was_queued_first() -> None:
    pair = Pair()
    stream = pair.near.session.open_stream()
    pair.near.session.write(stream, b"state")
    pair.near.session.finish(stream)
    for index in range(300):
        pair.near.session.send_packet(b"last words %d" % index)
    pair.near.session.send_goaway()
    assert not pair.near.session.send_packet(b"too late")
    with pytest.raises(TransportError):
        pair.near.session.open_stream()
    pair.settle()
    assert len(pair.far.packets) == 300
    assert [event for event in pair.far.events if isinstance(event, GoingAway)] == [
        GoingAway(MuxCode.NONE, "")
    ]
    far = pair.far.session.stream(1)
    assert far is not None
    assert pair.far.session.read(far) == b"state"
    pair.far.session.send_goaway()
    pair.settle()
    assert not pair.near.session.finished  # The stream's other direction is still open.
    pair.far.session.finish(far)
    pair.settle()
    assert pair.near.session.finished
    assert pair.far.session.finished


def test_a_queue_of_packets_is_bounded_in_count_and_in_bytes() -> None:
    pair = Pair(MuxConfig(max_queued_packets=10, max_queued_bytes=5000))
    for index in range(15):
        pair.near.session.send_packet(b"%d" % index)
    assert pair.near.session.statistics.packets_dropped == {"queue_full": 5}
    for _ in range(5):
        pair.near.session.send_packet(bytes(2000))
    assert len(pair.near.session.take_packets()) == 2


def test_a_packet_past_the_peers_limit_is_not_sent() -> None:
    pair = Pair(MuxConfig(), MuxConfig(max_packet=100))
    assert not pair.near.session.send_packet(bytes(101))
    assert pair.near.session.statistics.packets_dropped == {"too_big": 1}


# -- time


def idle(pair: Pair, until: float, *, far_answers: bool) -> None:
    while (due := pair.near.session.next_timeout()) <= until:
        pair.now = due
        pair.near.session.handle_timeout(due)
        if far_answers:
            pair.settle()
        else:
            pair.near.send()


def test_a_silent_peer_is_asked_and_then_given_up() -> None:
    pair = Pair()
    idle(pair, 60.0, far_answers=True)
    assert pair.near.session.statistics.heartbeats_missed == 0
    with pytest.raises(MuxError, match="silent for 6 s"):
        idle(pair, 80.0, far_answers=False)
    assert pair.now < 67.0
    assert pair.near.session.statistics.heartbeats_missed == 2
    assert pair.near.session.statistics.errors == {"silent": 1}


def test_half_a_frame_is_no_sign_of_life() -> None:
    pair = Pair()
    dripped = frame(wire.PACKET, payload=bytes(1000))

    def drip() -> None:
        for index in range(100):
            pair.near.session.receive(dripped[index : index + 1], float(index))
            pair.near.session.handle_timeout(float(index))
            pair.near.session.data_to_send()

    with pytest.raises(MuxError, match="silent"):
        drip()


def test_our_own_sleep_is_not_the_peers_silence() -> None:
    pair = Pair()
    pair.near.session.handle_timeout(100.0)
    assert pair.near.session.statistics.heartbeats_missed == 0
    assert pair.near.session.next_timeout() == pytest.approx(102.0)


def test_the_greeting_has_a_deadline() -> None:
    pair = Pair(MuxConfig(hello_timeout=5.0), greet=False)
    pair.near.session.handle_timeout(4.9)
    with pytest.raises(MuxError, match="HELLO"):
        pair.near.session.handle_timeout(5.0)


# -- hostile peers: each bound is reached, counted, and ends the connection


def test_frames_out_of_place_are_refused() -> None:
    assert broken(Pair(greet=False).far, frame(wire.PACKET, payload=b"early")) is MuxCode.PROTOCOL
    assert broken(Pair(greet=False).far, frame(wire.START)) is MuxCode.PROTOCOL
    assert broken(Pair().far, frame(wire.START)) is MuxCode.PROTOCOL
    pair = Pair(greet=False)
    pair.near.session.send_hello(sequence=1, **GREETING)
    assert broken(pair.far, pair.near.session.data_to_send() * 2) is MuxCode.PROTOCOL
    assert broken(Pair().far, frame(wire.GOAWAY, payload=b"\0\0") + frame(wire.PACKET)) is MuxCode.PROTOCOL
    assert broken(Pair().far, frame(wire.GOAWAY, payload=b"\0\0") + frame(wire.OPEN, 1)) is MuxCode.PROTOCOL


@pytest.mark.parametrize("frame_type", [wire.DATA, wire.RESET, wire.WINDOW])
@pytest.mark.parametrize("stream", [1, 2, 99, 2**32 - 1])
def test_streams_that_never_were_are_refused(frame_type: int, stream: int) -> None:
    payload = wire.encode_window(0, 10)[8:]
    assert broken(Pair().far, frame(frame_type, stream, payload)) is MuxCode.PROTOCOL


@pytest.mark.parametrize("streams", [[0], [2], [1, 1], [5, 3]])
def test_streams_are_numbered_upwards_with_the_openers_parity(streams: list[int]) -> None:
    assert broken(Pair().far, b"".join(frame(wire.OPEN, stream) for stream in streams)) is MuxCode.PROTOCOL


def test_a_flood_of_streams_is_refused() -> None:
    far = Pair(MuxConfig(max_streams=8)).far
    flood = b"".join(frame(wire.OPEN, stream) for stream in range(1, 19, 2))
    assert broken(far, flood) is MuxCode.STREAM_LIMIT


def test_data_past_a_window_is_refused() -> None:
    config = MuxConfig(stream_window=20 * KB, connection_window=40 * KB)
    data = frame(wire.DATA, 1, bytes(16 * KB))
    assert broken(Pair(config).far, frame(wire.OPEN, 1) + data * 2) is MuxCode.FLOW_CONTROL
    config = replace(config, stream_window=100 * KB)
    assert broken(Pair(config).far, frame(wire.OPEN, 1) + data * 3) is MuxCode.FLOW_CONTROL
    ended = frame(wire.OPEN, 1) + frame(wire.DATA, 1, flags=wire.FLAG_END) + frame(wire.DATA, 1, b"more")
    assert broken(Pair().far, ended) is MuxCode.PROTOCOL


def test_windows_past_their_limit_are_refused() -> None:
    most = wire.encode_window(0, wire.MAX_WINDOW)
    assert broken(Pair().far, most) is MuxCode.FLOW_CONTROL
    pair = Pair()
    stream = pair.far.session.open_stream()
    assert broken(pair.far, wire.encode_window(stream.identifier, wire.MAX_WINDOW)) is MuxCode.FLOW_CONTROL
    assert broken(Pair().far, frame(wire.WINDOW, payload=bytes(4))) is MuxCode.FLOW_CONTROL


def test_a_packet_past_the_limit_is_refused_before_it_is_kept() -> None:
    part = frame(wire.PACKET, payload=bytes(10 * KB), flags=wire.FLAG_MORE)
    assert broken(Pair(MuxConfig(max_packet=25 * KB)).far, part * 3) is MuxCode.PACKET_SIZE
    whole = frame(wire.PACKET, payload=bytes(10 * KB))
    assert broken(Pair(MuxConfig(max_packet=9 * KB)).far, whole) is MuxCode.PACKET_SIZE
    assert broken(Pair().far, frame(wire.PACKET, flags=wire.FLAG_MORE)) is MuxCode.PROTOCOL


def test_a_peer_that_asks_and_never_reads_is_refused() -> None:
    far = Pair(MuxConfig(max_control_frames=50)).far
    assert broken(far, frame(wire.PING, payload=bytes(8)) * 51) is MuxCode.CONTROL_FLOOD


def test_we_open_no_streams_towards_a_peer_that_never_reads() -> None:
    session = Pair(MuxConfig(max_control_frames=20)).near.session

    def open_and_cut() -> None:
        for _ in range(30):
            session.reset(session.open_stream())

    with pytest.raises(TransportError, match="reads nothing"):
        open_and_cut()
    assert session.statistics.streams_refused == {"stalled": 1}


def test_a_length_past_the_limit_is_refused_at_once() -> None:
    assert broken(Pair().far, wire.encode_header(wire.PACKET, 0, 0xFFFF, 0)) is MuxCode.FRAME_SIZE


def test_frames_of_later_versions_are_ignored_and_counted() -> None:
    pair = Pair()
    pair.far.receive(frame(0xEE, 77, b"what is this?", 0xFF) + frame(wire.PACKET, payload=b"known"), 0.0)
    assert pair.far.packets == [b"known"]
    assert pair.far.session.statistics.frames_ignored == 1


def test_a_flood_of_frames_is_taken_in_turns() -> None:
    session = Pair(MuxConfig(frames_at_once=10)).far.session
    assert session.receive(frame(wire.PACKET, payload=b"x") * 25, 0.0)
    assert len(session.events()) == 10
    assert session.receive(b"", 0.0)
    assert not session.receive(b"", 0.0)
    assert len(session.events()) == 15


@settings(max_examples=many(200))
@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_wire_errors_only(data: bytes) -> None:
    for greet in (False, True):
        side = Pair(greet=greet).far
        try:
            side.receive(data, 0.0)
        except WireError:
            pass


FRAMES = st.builds(
    frame,
    st.integers(0, 12),
    st.integers(0, 6),
    st.one_of(st.binary(max_size=12), st.just(bytes(16384))),
    st.integers(0, 3),
)


@settings(max_examples=many(200))
@given(
    st.lists(FRAMES, max_size=40),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3),
)
def test_plausible_and_mutated_frames_raise_wire_errors_only(
    frames: list[bytes], mutations: list[tuple[int, int]]
) -> None:
    config = MuxConfig(stream_window=20_000, connection_window=40_000, max_streams=3, max_packet=40_000)
    pair = Pair(config)
    pair.far.session.open_stream()
    data = bytearray(b"".join(frames))
    for position, value in mutations:
        if data:
            data[position % len(data)] = value
    try:
        pair.far.receive(bytes(data), 0.0)
    except WireError:
        pass
    held = [stream for number in range(8) if (stream := pair.far.session.stream(number)) is not None]
    assert sum(stream.unread for stream in held) <= config.connection_window
    pair.far.session.data_to_send()


@settings(max_examples=many(40))
@given(st.data())
def test_over_a_terrible_pipe_everything_arrives_in_order_and_once(data: st.DataObject) -> None:
    """Any cut of the bytes, any order of turns, small windows: packets and streams arrive whole."""
    config = MuxConfig(stream_window=300, connection_window=700, max_streams=4, frames_at_once=3)
    pair = Pair(config)
    sides = (pair.near, pair.far)
    sent: dict[int, list[bytes]] = {0: [], 1: []}
    written: dict[tuple[int, int], bytes] = {}
    received: dict[tuple[int, int], bytes] = {}
    mine: dict[int, list[int]] = {0: [], 1: []}
    backlog = {0: b"", 1: b""}

    def read(index: int) -> None:
        side = sides[index]
        for identifier in side.opened:
            stream = side.session.stream(identifier)
            if stream is not None:
                key = (1 - index, identifier)
                received[key] = received.get(key, b"") + side.session.read(stream)
                if stream.end_received:
                    side.session.finish(stream)

    def carry(index: int, most: int, room: int) -> None:
        sides[index].send(room)
        backlog[index] += b"".join(sides[index].wire)
        sides[index].wire.clear()
        piece, backlog[index] = backlog[index][:most], backlog[index][most:]
        if piece:
            sides[1 - index].receive(piece, 0.0)

    for _ in range(data.draw(st.integers(1, 25))):
        index = data.draw(st.integers(0, 1))
        side = sides[index]
        action = data.draw(st.sampled_from(["packet", "open", "write", "read", "carry"]))
        if action == "packet":
            packet = data.draw(st.binary(max_size=50)) * data.draw(st.sampled_from([1, 700]))
            sent[index].append(packet)
            side.session.send_packet(packet)
        elif action == "open" and len(mine[index]) < 4:
            stream = side.session.open_stream()
            mine[index].append(stream.identifier)
            written[(index, stream.identifier)] = b""
        elif action == "write" and mine[index]:
            stream_number = data.draw(st.sampled_from(mine[index]))
            found = side.session.stream(stream_number)
            assert found is not None
            content = data.draw(st.binary(max_size=30)) * data.draw(st.sampled_from([1, 60]))
            side.session.write(found, content)
            written[(index, stream_number)] += content
        elif action == "read":
            read(index)
        else:
            carry(index, data.draw(st.integers(1, 5000)), data.draw(st.sampled_from([40, 400, 4000])))
    for index in (0, 1):
        for stream_number in mine[index]:
            found = sides[index].session.stream(stream_number)
            assert found is not None
            sides[index].session.finish(found)
    rooms = data.draw(st.lists(st.sampled_from([40, 400, 4000]), min_size=7, max_size=7))
    for turn in range(400):
        for index in (0, 1):
            read(index)
            carry(index, 100_000, rooms[(2 * turn + index) % 7])
    read(0)
    read(1)
    assert pair.far.packets == sent[0]
    assert pair.near.packets == sent[1]
    assert received == written
    assert pair.near.session.streams == pair.far.session.streams == 0


def test_starting_and_changing_is_told() -> None:
    pair = Pair()
    assert any(isinstance(event, Started) for event in pair.near.events)
    stream = pair.near.session.open_stream()
    pair.near.session.write(stream, b"x")
    pair.settle()
    assert StreamChanged(stream.identifier) in pair.far.events


def test_what_was_received_of_a_packet_is_let_go_when_a_rule_is_broken() -> None:
    pair = Pair()
    part = wire.encode_frame(wire.PACKET, wire.FLAG_MORE, 0, bytes(16_000))
    pair.far.receive(part * 10, 0.0)
    assert pair.far.session._assembled == 160_000
    with pytest.raises(MuxError):
        pair.far.receive(wire.encode_frame(wire.START, 0, 0), 0.0)
    assert not pair.far.session._assembled
    assert not pair.far.session._assembling
