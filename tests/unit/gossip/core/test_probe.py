"""The probe cycle (wire 2.1) and pinging for others (wire 2.2), seen from outside."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.support.endpoints import VERSIONS, Bench, address_of, alive
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import ExchangeFinished, ExchangeKind
from tocsin.gossip.core.relay import MAX_RELAYS
from tocsin.gossip.core.swim.probe import MAX_SUSPICIOUS
from tocsin.gossip.wire.messages import Ack, Dead, IndirectPing, MemberState, Nack, Ping, Suspect

US = {"source_address": address_of(1).packed, "source_port": 9094, "source_node": "me"}
OLD = bytes((1, 3, 2, 0, 0, 0))
ANCIENT = bytes((1, 2, 2, 0, 0, 0))


def probing(**settings: Any) -> Bench:
    """A started bench that knows node-2, quiet: its queues are empty."""
    bench = Bench(started=True, push_pull_interval=0.0, **settings)
    bench.populate(1)
    return bench


def settle(bench: Bench) -> None:
    """Answer pings until nothing is queued any more."""
    while bench.endpoint.queued_broadcasts:
        _, ping = bench.until(Ping)
        bench.feed(Ack(ping.sequence_number))


class TestDirect:
    def test_the_source_is_always_told(self) -> None:
        bench = probing()
        action, ping = bench.until(Ping)
        assert (action.destination, action.node) == (address_of(2), "node-2")
        assert ping == Ping(ping.sequence_number, "node-2", **US)  # type: ignore[arg-type]

    def test_an_ack_ends_the_probe(self) -> None:
        bench = probing()
        _, ping = bench.until(Ping)
        bench.feed(Ack(ping.sequence_number))
        bench.sent.clear()
        bench.run(0.9)
        assert not bench.messages(IndirectPing)
        assert not bench.streams
        assert bench.endpoint.statistics.probes_acked == 1

    def test_an_ack_of_another_probe_does_not(self) -> None:
        bench = probing()
        _, ping = bench.until(Ping)
        bench.feed(Ack(ping.sequence_number + 1), Ack(0), Nack(99))
        bench.run(0.6)
        assert len(bench.streams) == 1

    def test_members_are_probed_in_turn_and_the_dead_are_not(self) -> None:
        bench = probing()
        bench.populate(4)
        bench.feed(Dead(1, "node-3", "x"), Dead(1, "node-4", "node-4"))
        probed = []
        for _ in range(8):
            _, ping = bench.until(Ping)
            probed.append(ping.node)
            bench.feed(Ack(ping.sequence_number))
        assert sorted(probed) == ["node-2"] * 4 + ["node-5"] * 4

    def test_pings_carry_the_news(self) -> None:
        bench = probing(gossip_interval=1000.0)
        bench.until(Ping)
        [(_, messages)] = [sent for sent in bench.sent if isinstance(sent[1][0], Ping)]
        assert alive("me", 1) in messages
        assert alive("node-2", 2) in messages

    def test_a_suspect_is_told_of_the_accusation_with_the_ping(self) -> None:
        bench = probing()
        settle(bench)
        bench.feed(Suspect(1, "node-2", "x"))
        bench.until(Ping)
        [(_, messages)] = [sent for sent in bench.sent if isinstance(sent[1][0], Ping)]
        assert messages[1:] == (Suspect(1, "node-2", "me"),)


class TestIndirect:
    def test_without_an_ack_others_are_asked_and_a_stream_is_tried(self) -> None:
        bench = probing()
        bench.populate(6)
        _, ping = bench.until(Ping)
        bench.run(0.499)
        assert not bench.messages(IndirectPing)
        bench.run(0.002)
        asked = bench.messages(IndirectPing)
        assert len(asked) == 3
        number = int(ping.node.removeprefix("node-"))
        target = address_of(number)
        assert set(asked) == {
            IndirectPing(ping.sequence_number, target.packed, 9094, ping.node, True, **US)  # type: ignore[arg-type]
        }
        relays = {a.destination for a, ms in bench.sent if isinstance(ms[0], IndirectPing)}
        assert len(relays) == 3
        assert not relays & {target, address_of(1)}
        [stream] = bench.streams
        assert (stream.kind, stream.destination, stream.expects_reply) == (ExchangeKind.PING, target, True)

    def test_a_relayed_ack_is_as_good(self) -> None:
        bench = probing()
        bench.populate(3)
        bench.endpoint._awareness.apply(1)
        _, ping = bench.until(Ping)
        bench.run(0.7)
        bench.feed(Ack(ping.sequence_number))
        assert bench.endpoint.statistics.probes_acked == 1
        assert bench.endpoint.health_score == 0

    def test_a_known_delivery_failure_does_not_wait(self) -> None:
        bench = probing()
        bench.populate(3)
        action, _ = bench.until(Ping)
        bench.endpoint.packet_failed(address_of(99), bench.now)
        bench.drain()
        assert not bench.messages(IndirectPing)
        bench.endpoint.packet_failed(action.destination, bench.now)
        bench.endpoint.packet_failed(action.destination, bench.now)
        bench.drain()
        assert len(bench.messages(IndirectPing)) == 2
        assert len(bench.streams) == 1
        assert bench.endpoint.statistics.pings_failed_at_once == 1

    def test_old_protocols_get_no_stream_ping_and_owe_no_nack(self) -> None:
        bench = Bench(started=True, push_pull_interval=0.0)
        bench.feed(alive("node-2", 2, versions=ANCIENT))
        bench.feed(alive("node-3", 3, versions=OLD))
        while True:
            _, ping = bench.until(Ping)
            if ping.node == "node-2":
                break
            bench.feed(Ack(ping.sequence_number))
        bench.run(0.6)
        assert [request.nack for request in bench.messages(IndirectPing)] == [False]
        assert not bench.streams

    def test_stream_pings_can_be_switched_off(self) -> None:
        bench = probing(stream_ping=False)
        bench.until(Ping)
        bench.run(0.6)
        assert not bench.streams


class TestVerdict:
    def test_nobody_answers_so_it_is_suspect_and_we_doubt_ourselves(self) -> None:
        bench = probing()
        bench.until(Ping)
        bench.run(0.999)
        assert bench.member("node-2").state is MemberState.ALIVE
        bench.run(0.002)
        assert bench.member("node-2").state is MemberState.SUSPECT
        assert bench.endpoint.health_score == 1
        assert bench.endpoint.statistics.probes_failed == 1

    @pytest.mark.parametrize(("nacks", "score"), [(0, 3), (1, 2), (3, 0), (9, 0)])
    def test_missing_nacks_are_our_own_fault(self, nacks: int, score: int) -> None:
        bench = probing()
        bench.populate(6)
        _, ping = bench.until(Ping)
        bench.run(0.6)
        bench.feed(*[Nack(ping.sequence_number)] * nacks)
        bench.run(0.501)
        assert bench.member(ping.node).state is MemberState.SUSPECT
        assert bench.endpoint.health_score == score

    def test_nacks_that_come_just_after_the_deadline_count(self) -> None:
        """As they do with memberlist's settings: a relay, too, waits for a whole probe timeout."""
        bench = probing()
        bench.populate(6)
        _, ping = bench.until(Ping)
        bench.run(1.0)
        bench.feed(*[Nack(ping.sequence_number)] * 2)
        bench.run(0.01)
        assert bench.member(ping.node).state is MemberState.ALIVE
        bench.feed(Nack(ping.sequence_number))
        assert bench.member(ping.node).state is MemberState.SUSPECT  # the last one is not waited for longer
        assert bench.endpoint.health_score == 0

    def test_an_ack_saves_it_also_while_only_nacks_are_waited_for(self) -> None:
        bench = probing()
        bench.populate(6)
        _, ping = bench.until(Ping)
        bench.run(1.05)
        bench.feed(Ack(ping.sequence_number))
        bench.run(0.2)
        assert bench.member(ping.node).state is MemberState.ALIVE

    def test_a_stretched_deadline_leaves_the_nacks_time_enough(self) -> None:
        bench = probing()
        bench.populate(6)
        bench.endpoint._awareness.apply(1)
        _, ping = bench.until(Ping)
        bench.run(1.999)
        assert bench.member(ping.node).state is MemberState.ALIVE
        bench.run(0.002)
        assert bench.member(ping.node).state is MemberState.SUSPECT

    def test_a_stream_ack_saves_it(self) -> None:
        bench = probing()
        _, ping = bench.until(Ping)
        bench.run(0.6)
        [stream] = bench.streams
        bench.endpoint.stream_replied(stream.exchange, Ack(ping.sequence_number), bench.now)
        bench.run(0.5)
        assert bench.member("node-2").state is MemberState.ALIVE
        assert bench.endpoint.statistics.stream_pings_acked == 1
        assert bench.told(ExchangeFinished)[0].error == ""

    @pytest.mark.parametrize("answer", [Ack(77), None, Nack(1)])
    def test_a_wrong_answer_on_the_stream_does_not(self, answer: Ack | Nack | None) -> None:
        bench = probing()
        bench.until(Ping)
        bench.run(0.6)
        bench.endpoint.stream_replied(bench.streams[0].exchange, answer, bench.now)
        bench.run(0.5)
        assert bench.member("node-2").state is MemberState.SUSPECT
        assert bench.told(ExchangeFinished)[0].error

    def test_a_refutation_during_the_probe_voids_the_accusation(self) -> None:
        bench = probing()
        bench.until(Ping)
        bench.feed(alive("node-2", 2, incarnation=2))
        bench.run(1.1)
        assert bench.member("node-2").state is MemberState.ALIVE

    def test_bad_health_stretches_the_deadline_and_not_the_timeout(self) -> None:
        bench = probing()
        bench.populate(3)
        bench.endpoint._awareness.apply(2)
        _, ping = bench.until(Ping)
        bench.run(0.501)
        assert bench.messages(IndirectPing)
        bench.run(2.4)
        assert bench.member(ping.node).state is MemberState.ALIVE
        bench.run(0.11)
        assert bench.member(ping.node).state is MemberState.SUSPECT

    def test_a_tick_missed_during_a_long_probe_is_made_good_once(self) -> None:
        bench = probing()
        bench.endpoint._awareness.apply(3)
        _, ping = bench.until(Ping)
        bench.run(3.5)
        bench.sent.clear()
        bench.feed(Ack(ping.sequence_number))
        [next_one] = bench.messages(Ping)
        assert next_one.sequence_number != ping.sequence_number


class TestHurry:
    """What makes a death known sooner than memberlist would notice it."""

    def refused(self, bench: Bench, destination: Address) -> None:
        """A peer that is gone: its system refuses packets and streams."""
        bench.endpoint.packet_failed(destination, bench.now)
        bench.drain()
        for stream in bench.streams:
            bench.endpoint.stream_failed(stream.exchange, "refused", bench.now)
        bench.streams.clear()
        bench.drain()

    @pytest.mark.parametrize(("others", "interval"), [(1, 1.0), (2, 0.5), (4, 0.25), (16, 0.25), (17, 1.0)])
    def test_a_small_cluster_is_probed_more_often(self, others: int, interval: float) -> None:
        bench = Bench(started=True, push_pull_interval=0.0)
        bench.populate(others)
        times = []
        for _ in range(6):
            _, ping = bench.until(Ping)
            times.append(bench.now)
            bench.feed(Ack(ping.sequence_number))
        gaps = [after - before for before, after in pairwise(times[1:])]
        assert gaps == pytest.approx([interval] * 4)

    def test_the_verdict_falls_when_nothing_is_left_to_wait_for(self) -> None:
        bench = probing()
        bench.populate(3)
        action, ping = bench.until(Ping)
        self.refused(bench, action.destination)
        bench.feed(Nack(ping.sequence_number))
        assert bench.member(ping.node).state is MemberState.ALIVE
        bench.feed(Nack(ping.sequence_number))
        assert bench.member(ping.node).state is MemberState.SUSPECT
        assert bench.endpoint.health_score == 0
        assert bench.endpoint.statistics.probes_hopeless == 1

    def test_an_open_stream_or_a_silent_relay_is_waited_for(self) -> None:
        bench = probing()
        bench.populate(2)
        action, ping = bench.until(Ping)
        bench.endpoint.packet_failed(action.destination, bench.now)
        bench.drain()
        bench.feed(Nack(ping.sequence_number))
        assert bench.member(ping.node).state is MemberState.ALIVE
        [stream] = bench.streams
        bench.endpoint.stream_replied(stream.exchange, Ack(ping.sequence_number), bench.now)
        bench.run(1.1)
        assert bench.member(ping.node).state is MemberState.ALIVE

    def test_a_ping_that_was_only_not_answered_is_not_hopeless(self) -> None:
        bench = probing()
        _, ping = bench.until(Ping)
        bench.run(0.6)
        bench.endpoint.stream_failed(bench.streams[0].exchange, "refused", bench.now)
        assert bench.member(ping.node).state is MemberState.ALIVE

    def test_a_member_to_which_a_packet_failed_has_the_next_turn(self) -> None:
        bench = probing()
        names = bench.populate(16)
        for name in names[5:8]:
            _, ping = bench.until(Ping)
            bench.feed(Ack(ping.sequence_number))
            bench.endpoint.packet_failed(bench.member(name).address, bench.now)
            _, ping = bench.until(Ping)
            assert ping.node == name
            bench.feed(Ack(ping.sequence_number))
        assert bench.endpoint.statistics.probes_out_of_turn == 3

    def test_failing_packets_do_not_keep_the_others_from_their_turn(self) -> None:
        bench = probing()
        names = bench.populate(4)
        probed = set()
        for _ in range(10):
            bench.endpoint.packet_failed(bench.member(names[0]).address, bench.now)
            _, ping = bench.until(Ping)
            bench.feed(Ack(ping.sequence_number))
            probed.add(ping.node)
        assert probed == set(names)

    def test_turns_out_of_turn_are_bounded(self) -> None:
        bench = probing()
        names = bench.populate(MAX_SUSPICIOUS + 5)
        for name in names:
            bench.endpoint.packet_failed(bench.member(name).address, bench.now)
        for _ in range(3 * len(names)):
            _, ping = bench.until(Ping)
            bench.feed(Ack(ping.sequence_number))
        assert bench.endpoint.statistics.probes_out_of_turn == MAX_SUSPICIOUS

    def test_a_suspicion_dates_from_when_the_ping_failed(self) -> None:
        bench = probing()
        bench.populate(2)
        _, ping = bench.until(Ping)
        began = bench.now
        bench.run(0.999)
        bench.feed(Nack(ping.sequence_number))
        while bench.member(ping.node).live:
            bench.next()
        assert bench.now - began == pytest.approx(0.5 + 4.0)

    def test_also_when_another_has_said_so_meanwhile(self) -> None:
        bench = probing()
        bench.populate(2)
        _, ping = bench.until(Ping)
        began = bench.now
        bench.run(0.9)
        bench.feed(Suspect(1, ping.node, "another"))
        bench.run(0.099)
        bench.feed(Nack(ping.sequence_number))
        while bench.member(ping.node).live:
            bench.next()
        assert bench.now - began == pytest.approx(0.5 + 4.0)

    def test_but_our_own_bad_health_does_not_shorten_it(self) -> None:
        bench = probing()
        bench.populate(2)
        bench.endpoint._awareness.apply(5)
        _, ping = bench.until(Ping)
        while bench.member(ping.node).state is MemberState.ALIVE:
            bench.next()
        suspected = bench.now
        while bench.member(ping.node).live:
            bench.next()
        assert bench.now - suspected >= 3.5


class TestAnswering:
    def test_a_ping_is_answered_to_its_own_source(self) -> None:
        bench = Bench()
        bench.feed(Ping(5, "me", address_of(7).packed, 1234, "x"), source=address_of(8))
        [(action, messages)] = bench.sent
        assert action.destination == Address("10.0.0.7", 1234)
        assert messages[0] == Ack(5)

    @pytest.mark.parametrize(
        "ping", [Ping(5, "me"), Ping(5), Ping(5, "me", address_of(7).packed), Ping(5, "me", b"", 99)]
    )
    def test_without_source_fields_to_where_it_came_from(self, ping: Ping) -> None:
        bench = Bench()
        bench.feed(ping, source=address_of(8))
        assert bench.sent[0][0].destination == address_of(8)

    def test_a_ping_for_another_name_is_not_answered(self) -> None:
        bench = Bench()
        bench.feed(Ping(5, "somebody else"))
        assert bench.endpoint.receive_stream(Ping(5, "somebody else"), address_of(8), bench.now) == ()
        assert not bench.sent
        assert bench.endpoint.statistics.pings_misaddressed == 2

    def test_a_ping_from_an_impossible_address_is_refused(self) -> None:
        bench = Bench()
        bench.feed(Ping(5, "me", b"12345", 99))
        assert not bench.sent
        assert bench.endpoint.statistics.messages_refused == 1


class TestRelay:
    REQUEST = IndirectPing(40, address_of(5).packed, 9094, "x", True, address_of(7).packed, 9094, "asker")

    def test_an_ack_is_passed_on_under_the_askers_number(self) -> None:
        bench = Bench()
        bench.feed(self.REQUEST)
        [(action, messages)] = bench.sent
        assert action.destination == address_of(5)
        ping = messages[0]
        assert isinstance(ping, Ping)
        assert ping == Ping(ping.sequence_number, "x", **US)  # type: ignore[arg-type]
        bench.sent.clear()
        bench.feed(Ack(ping.sequence_number))
        bench.feed(Ack(ping.sequence_number))
        [(action, messages)] = bench.sent
        assert (action.destination, messages[0]) == (address_of(7), Ack(40))
        bench.run(1)
        assert not bench.messages(Nack)

    def test_without_an_ack_a_nack_says_that_we_are_there(self) -> None:
        bench = Bench()
        bench.feed(self.REQUEST)
        bench.run(0.499)
        assert not bench.messages(Nack)
        bench.run(0.002)
        assert bench.messages(Nack) == [Nack(40)]
        bench.feed(Ack(1))
        assert not bench.messages(Ack)

    def test_a_known_delivery_failure_is_told_at_once(self) -> None:
        bench = Bench()
        bench.feed(self.REQUEST)
        bench.endpoint.packet_failed(address_of(5), bench.now)
        bench.drain()
        assert bench.messages(Nack) == [Nack(40)]

    def test_who_wants_no_nack_gets_none_and_port_0_is_our_port(self) -> None:
        bench = Bench()
        bench.feed(IndirectPing(40, address_of(5).packed, 0, "x"))
        assert bench.sent[0][0].destination == address_of(5)
        bench.run(1)
        assert not bench.messages(Nack)

    def test_relays_are_bounded(self) -> None:
        bench = Bench()
        bench.feed(*[self.REQUEST] * (MAX_RELAYS + 10))
        assert bench.endpoint.statistics.relays == MAX_RELAYS
        assert bench.endpoint.statistics.relays_refused == 10
        bench.run(1)
        bench.feed(self.REQUEST)
        assert bench.endpoint.statistics.relays == MAX_RELAYS + 1

    def test_relays_that_fail_at_once_are_bounded_too(self) -> None:
        bench = Bench()
        for _ in range(MAX_RELAYS + 10):
            bench.feed(self.REQUEST)
            bench.endpoint.packet_failed(address_of(5), bench.now)
        assert bench.endpoint.statistics.relays == MAX_RELAYS
        assert bench.endpoint.statistics.relays_refused == 10


def test_versions_are_always_six_bytes() -> None:
    assert Bench().endpoint.local.versions == VERSIONS
