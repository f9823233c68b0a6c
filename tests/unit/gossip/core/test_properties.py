"""Whatever arrives: nothing raises, nothing grows past its bound, and the table keeps its promises."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.endpoints import VERSIONS, Bench, address_of
from tocsin.gossip.address import Address
from tocsin.gossip.core.exchanges import MAX_EXCHANGES
from tocsin.gossip.core.relay import MAX_RELAYS
from tocsin.gossip.wire.messages import (
    Ack,
    Alive,
    Dead,
    ErrorResponse,
    IndirectPing,
    MemberState,
    Message,
    Nack,
    NodeState,
    Ping,
    PushPull,
    Suspect,
    User,
)

U32 = st.one_of(st.integers(0, 4), st.sampled_from([2**31, 2**32 - 2, 2**32 - 1]))
NAMES = st.sampled_from(["me", "me", "a", "b", "c", "d", ""])
ADDRESSES = st.one_of(
    st.sampled_from([address_of(n).packed for n in range(1, 6)]),
    st.sampled_from([b"", b"\0" * 16, b"123", b"\0" * 10 + b"\xff\xff\x0a\0\0\2"]),
)
PORTS = st.sampled_from([0, 9094, 65535])
META = st.sampled_from([b"", b"meta", b"x" * 513])
VERSION_BYTES = st.sampled_from([VERSIONS, VERSIONS, VERSIONS, b"", b"\1\5", b"\1\5\7\0\0\0", b"\0" * 6])

ENTRIES = st.builds(NodeState, NAMES, ADDRESSES, PORTS, U32, st.integers(-1, 5), META, VERSION_BYTES)
PUSH_PULLS = st.builds(
    PushPull, st.booleans(), st.lists(ENTRIES, max_size=5).map(tuple), st.sampled_from([b"", b"state"])
)
PACKET_MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Ping, U32, NAMES, ADDRESSES, PORTS, NAMES),
    st.builds(IndirectPing, U32, ADDRESSES, PORTS, NAMES, st.booleans(), ADDRESSES, PORTS, NAMES),
    st.builds(Ack, U32),
    st.builds(Nack, U32),
    st.builds(Suspect, U32, NAMES, NAMES),
    st.builds(Alive, U32, NAMES, ADDRESSES, PORTS, META, VERSION_BYTES),
    st.builds(Dead, U32, NAMES, NAMES),
    st.builds(User, st.binary(max_size=5)),
)
STREAM_MESSAGES: st.SearchStrategy[Message] = st.one_of(
    PUSH_PULLS, PUSH_PULLS, PACKET_MESSAGES, st.builds(ErrorResponse, st.text(max_size=5))
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("packet"), st.lists(PACKET_MESSAGES, min_size=1, max_size=4)),
        st.tuples(st.just("bytes"), st.binary(max_size=40)),
        st.tuples(st.just("stream"), STREAM_MESSAGES),
        st.tuples(st.just("reply"), st.one_of(st.none(), STREAM_MESSAGES)),
        st.tuples(st.just("fail"), st.sampled_from([address_of(n) for n in range(1, 6)])),
        st.tuples(st.just("wait"), st.floats(0, 40)),
        st.tuples(st.just("join"), st.none()),
    ),
    max_size=25,
)


def do(bench: Bench, kind: str, value: object) -> None:
    endpoint = bench.endpoint
    if kind == "packet":
        bench.feed(*value)  # type: ignore[misc]
    elif kind == "bytes":
        endpoint.receive_packet(value, address_of(9), bench.now)  # type: ignore[arg-type]
    elif kind == "stream":
        endpoint.receive_stream(value, address_of(9), bench.now)  # type: ignore[arg-type]
    elif kind == "reply" and bench.streams:
        endpoint.stream_replied(bench.streams[-1].exchange, value, bench.now)  # type: ignore[arg-type]
    elif kind == "fail":
        assert isinstance(value, Address)
        endpoint.packet_failed(value, bench.now)
    elif kind == "wait":
        bench.run(value)  # type: ignore[arg-type]
    elif kind == "join":
        endpoint.join(address_of(2), bench.now)
    bench.drain()


@settings(max_examples=many(120))
@given(st.integers(0, 3), STEPS)
def test_no_sequence_of_inputs_breaks_the_rules(seed: int, steps: list[tuple[str, object]]) -> None:
    bench = Bench(seed, started=True, max_members=4, max_broadcasts=6)
    endpoint = bench.endpoint
    known: dict[str, tuple[int, MemberState]] = {}
    for kind, value in steps:
        reaped = endpoint.statistics.members_reaped
        do(bench, kind, value)

        local = endpoint.local
        assert local.state is MemberState.ALIVE
        assert local.address == address_of(1)
        assert endpoint.known <= 4
        assert endpoint.queued_broadcasts <= 6
        assert len(endpoint._relays) <= MAX_RELAYS
        assert len(endpoint._exchanges) <= MAX_EXCHANGES
        assert 0 <= endpoint.health_score < 8

        members = endpoint._table.all()
        assert endpoint._table.live == len(endpoint.members())
        suspects = [member for member in members if member.state is MemberState.SUSPECT]
        assert endpoint._membership.suspicions == len(suspects)
        for member in members:
            assert 1 <= member.incarnation <= 2**32 - 1
            assert member.versions[:2] != b"\0\0"
            assert len(member.versions) == 6
            assert len(member.meta) <= 512
            before, state = known.get(member.name, (0, MemberState.LEFT))
            if endpoint.statistics.members_reaped == reaped and state is not MemberState.LEFT:
                assert member.incarnation >= before
        known = {member.name: (member.incarnation, member.state) for member in members}

    for action, messages in bench.sent:
        assert action.data
        assert messages
        for message in messages:
            if isinstance(message, Alive | Suspect | Dead):
                assert message.incarnation >= 1
            if isinstance(message, Ping):
                assert message.source_address == address_of(1).packed
                assert message.source_port == 9094


@settings(max_examples=many(50))
@given(STEPS)
def test_once_left_nothing_brings_us_back(steps: list[tuple[str, object]]) -> None:
    bench = Bench(started=True)
    bench.populate(2)
    bench.endpoint.leave(bench.now)
    for kind, value in steps:
        if kind != "join":
            do(bench, kind, value)
        assert bench.endpoint.local.state is MemberState.LEFT
        assert bench.endpoint.local.incarnation == 1
