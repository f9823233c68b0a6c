from __future__ import annotations

import pytest

from tests.support.endpoints import VERSIONS, Bench, address_of, alive, entry, swim
from tocsin.gossip.core.effects import ExchangeFinished, ExchangeKind, ProtocolError, RemoteState
from tocsin.gossip.core.pushpull import interval_scale
from tocsin.gossip.core.steps import ENTRIES_AT_ONCE
from tocsin.gossip.core.swim.merge import incompatibility
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import (
    Ack,
    Dead,
    ErrorResponse,
    MemberState,
    NodeState,
    PushPull,
    Suspect,
    User,
)

ALIVE, SUSPECT, DEAD, LEFT = MemberState


@pytest.mark.parametrize(
    ("known", "scale"), [(1, 1), (32, 1), (33, 2), (64, 2), (65, 3), (128, 3), (129, 4), (1024, 6)]
)
def test_the_interval_is_stretched_in_larger_clusters(known: int, scale: int) -> None:
    assert interval_scale(known) == scale


class TestVersions:
    def check(self, *nodes: NodeState) -> str:
        return incompatibility([Bench().endpoint.local], nodes)

    def test_equal_and_overlapping_ranges_agree(self) -> None:
        assert self.check(entry("b", 2), entry("c", 3, versions=b"\2\4\3\0\0\0")) == ""
        assert self.check() == ""

    @pytest.mark.parametrize(
        ("bad", "problem"),
        [
            (entry("b", 2, versions=b"\1\5\7\0\0\0"), "protocol version 7"),
            (entry("b", 2, versions=b""), "protocol version 0"),
            (entry("b", 2, state=DEAD, versions=b""), "protocol version 0"),
            (entry("b", 2, versions=b"\1\5\2"), "protocol version 0"),
            (entry("b", 2, versions=b"\3\5\3\0\0\0"), "protocol version 2 of 'good'"),
            (entry("b", 2, versions=b"\1\5\2\2\4\2"), "delegate version 0 of 'good'"),
        ],
    )
    def test_one_that_does_not_fit_refuses_all(self, bad: NodeState, problem: str) -> None:
        assert problem in self.check(entry("good", 9), bad)
        bench = Bench()
        bench.endpoint.receive_stream(
            PushPull(False, (entry("good", 9), bad), b"state"), address_of(9), bench.now
        )
        bench.drain()
        assert bench.endpoint.known == 1
        assert not bench.told(RemoteState)
        assert [trouble.reason for trouble in bench.told(ProtocolError)] == ["push_pull"]
        assert bench.endpoint.statistics.merges_refused == 1

    def test_the_dead_do_not_narrow_the_range(self) -> None:
        assert self.check(entry("b", 2, state=DEAD, versions=b"\1\2\2\0\0\0"), entry("c", 3)) == ""


class TestMerge:
    def test_the_dead_of_others_are_only_suspects_to_us(self) -> None:
        bench = Bench()
        bench.populate(4)
        table = (
            entry("node-2", 2, state=SUSPECT),
            entry("node-3", 3, state=DEAD),
            entry("node-4", 4, state=LEFT),
            entry("node-5", 5, state=17),
            entry("node-6", 6),
            entry("unknown", 7, state=DEAD),
        )
        bench.endpoint.receive_stream(PushPull(False, table), address_of(9), bench.now)
        states = {name: bench.member(f"node-{name}").state for name in range(2, 7)}
        assert states == {2: SUSPECT, 3: SUSPECT, 4: LEFT, 5: ALIVE, 6: ALIVE}
        assert bench.endpoint.member("unknown") is None
        assert bench.endpoint.statistics.messages_refused == 1
        bench.populate(0)
        bench.run(2)
        assert Suspect(1, "node-3", "me") in bench.messages(Suspect)
        assert Dead(1, "node-4", "node-4") in bench.messages(Dead)

    def test_the_answer_is_our_state_from_before(self) -> None:
        bench = Bench(state=b"ours")
        bench.populate(1)
        writes = bench.endpoint.receive_stream(
            PushPull(True, (entry("new", 9),), b"theirs"), address_of(9), bench.now
        )
        bench.drain()
        expected = PushPull(True, (entry("me", 1), entry("node-2", 2)), b"ours")
        assert writes == bench.endpoint._stream_codec.encode(expected, reply=True)
        assert bench.joins == [True]
        assert bench.told(RemoteState) == [RemoteState(b"theirs", True, address_of(9))]
        assert bench.member("new").state is ALIVE

    def test_a_request_without_nodes_or_state_is_answered(self) -> None:
        bench = Bench()
        assert bench.endpoint.receive_stream(PushPull(False, ()), address_of(9), bench.now)
        bench.drain()
        assert not bench.told(RemoteState)


class TestSteps:
    def test_who_is_accused_late_in_a_long_merge_has_its_whole_time_to_refute(self) -> None:
        bench = Bench()
        names = bench.populate(ENTRIES_AT_ONCE + 1)
        table = tuple(entry(name, number, state=DEAD) for number, name in enumerate(names, 2))
        answer = PushPull(False, table)
        work = bench.endpoint.receive_stream_in_steps(answer, address_of(9), bench.now)
        next(work)
        work.send(bench.now + 50.0)
        assert {bench.member(name).state for name in names[:-1]} == {SUSPECT}
        assert bench.member(names[-1]).state is ALIVE
        with pytest.raises(StopIteration):
            work.send(bench.now + 100.0)
        due = {name: swim(bench)._suspicions[name].deadline for name in names}
        assert due[names[-1]] == pytest.approx(due[names[0]] + 50.0)

    def test_of_joins_that_are_answered_at_the_same_time_one_is_believed(self) -> None:
        bench = Bench()
        works = []
        for number in (2, 3):
            exchange = bench.endpoint.join(address_of(number), bench.now)
            peer = PeerIdentity(f"certificate {number}", frozenset(), address_of(number).host)
            names = (f"{number}-{each}" for each in range(3))
            answer = PushPull(False, tuple(entry(name, 10 * number) for name in names))
            works.append(bench.endpoint.stream_replied_in_steps(exchange, answer, bench.now, peer))
        for work in works:
            next(work)
        for work in works:
            with pytest.raises(StopIteration):
                next(work)
        assert sorted(member.name for member in bench.endpoint.members()) == ["2-0", "2-1", "2-2", "me"]
        assert bench.endpoint.newcomers == 3

    def test_after_a_first_join_that_brought_nobody_the_next_is_believed(self) -> None:
        bench = Bench()
        for number, table in ((2, ()), (3, (entry("b", 2),))):
            exchange = bench.endpoint.join(address_of(number), bench.now)
            peer = PeerIdentity(f"certificate {number}", frozenset(), address_of(number).host)
            bench.endpoint.stream_replied(exchange, PushPull(False, table), bench.now, peer)
        assert len(bench.endpoint.members()) == 2


class TestOurExchanges:
    def test_a_join_sends_our_state_and_merges_the_answer(self) -> None:
        bench = Bench(state=b"ours")
        exchange = bench.endpoint.join(address_of(2), bench.now)
        bench.drain()
        [stream] = bench.streams
        assert (stream.exchange, stream.kind, stream.expects_reply) == (exchange, ExchangeKind.JOIN, True)
        assert stream.writes == bench.endpoint._stream_codec.encode(
            PushPull(True, (entry("me", 1),), b"ours"), reply=False
        )
        answer = PushPull(True, (entry("b", 2), entry("c", 3)), b"theirs")
        bench.endpoint.stream_replied(exchange, answer, bench.now)
        bench.endpoint.stream_replied(exchange, answer, bench.now)
        bench.drain()
        assert len(bench.endpoint.members()) == 3
        assert bench.told(ExchangeFinished) == [
            ExchangeFinished(exchange, ExchangeKind.JOIN, address_of(2), "")
        ]
        assert bench.told(RemoteState) == [RemoteState(b"theirs", True, address_of(2))]

    @pytest.mark.parametrize(
        "answer", [None, Ack(1), ErrorResponse("no"), PushPull(False, (entry("b", 2, versions=b""),))]
    )
    def test_any_other_answer_is_a_failure(self, answer: Ack | ErrorResponse | PushPull | None) -> None:
        bench = Bench()
        exchange = bench.endpoint.join(address_of(2), bench.now)
        bench.endpoint.stream_replied(exchange, answer, bench.now)
        bench.drain()
        assert bench.told(ExchangeFinished)[0].error
        assert bench.endpoint.statistics.exchanges_failed == 1

    def test_a_driver_that_never_reports_does_not_leak(self) -> None:
        bench = Bench()
        bench.endpoint.join(address_of(2), bench.now)
        bench.run(60)
        assert bench.told(ExchangeFinished)[0].error == "no outcome by the deadline"
        bench.endpoint.stream_failed(1, "late", bench.now)
        bench.drain()
        assert len(bench.told(ExchangeFinished)) == 1

    def test_an_exchange_whose_answer_goes_on_has_more_time(self) -> None:
        bench = Bench()
        exchange = bench.endpoint.join(address_of(2), bench.now)
        bench.endpoint.stream_progressed(exchange, bench.now + 59)
        bench.run(58)
        assert not bench.told(ExchangeFinished)
        bench.run(10)
        assert bench.told(ExchangeFinished)[0].error == "no outcome by the deadline"
        bench.endpoint.stream_progressed(exchange, bench.now + 59)
        assert not len(bench.endpoint._exchanges)

    def test_exchanges_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tocsin.gossip.core.exchanges.MAX_EXCHANGES", 3)
        bench = Bench()
        numbers = [bench.endpoint.join(address_of(2), bench.now) for _ in range(5)]
        bench.drain()
        assert [event.exchange for event in bench.told(ExchangeFinished)] == numbers[3:]
        assert len(bench.streams) == 3
        assert bench.endpoint.statistics.exchanges_refused == 2

    def test_the_periodic_exchange_waits_for_its_end_then_the_interval(self) -> None:
        bench = Bench(started=True, probe_interval=0.0)
        bench.feed(alive("b", 2), alive("c", 3), Suspect(1, "c", "x"))
        bench.run(30)
        [stream] = bench.streams
        assert (stream.kind, stream.destination) == (ExchangeKind.PUSH_PULL, address_of(2))
        bench.endpoint.stream_failed(stream.exchange, "broken", bench.now)
        bench.run(29.9)
        assert len(bench.streams) == 1
        bench.run(0.2)
        assert len(bench.streams) == 2

    def test_a_reliable_message_expects_no_answer(self) -> None:
        bench = Bench()
        bench.populate(1)
        exchange = bench.endpoint.send_reliable("node-2", b"hello", bench.now)
        bench.drain()
        [stream] = bench.streams
        assert (stream.kind, stream.node, stream.expects_reply) == (ExchangeKind.USER, "node-2", False)
        assert stream.writes == bench.endpoint._stream_codec.encode(User(b"hello"), reply=False)
        bench.endpoint.stream_replied(exchange, None, bench.now)
        bench.drain()
        assert bench.told(ExchangeFinished)[0].error == ""


def test_entries_tell_the_whole_table() -> None:
    bench = Bench()
    bench.feed(alive("b", 2, incarnation=4, meta=b"m"), Dead(4, "b", "b"))
    assert bench.endpoint._membership.entries() == (
        NodeState("me", address_of(1).packed, 9094, 1, ALIVE, b"", VERSIONS),
        NodeState("b", address_of(2).packed, 9094, 4, LEFT, b"m", VERSIONS),
    )
