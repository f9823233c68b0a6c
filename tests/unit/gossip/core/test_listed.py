"""Membership by a list: who is introduced, who is gone, and that nobody can be talked into or out of it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.support.endpoints import VERSIONS, address_of, alive, entry
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import (
    Event,
    ExchangeKind,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    NameConflict,
    OpenStream,
    ProtocolError,
    RemoteState,
    SendPacket,
)
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.core.parts import MembershipKind
from tocsin.gossip.core.static.membership import REPROBE_INTERVAL, StaticMembership
from tocsin.gossip.core.static.reachability import MAX_PINGS
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import (
    Ack,
    Alive,
    Dead,
    MemberState,
    Message,
    NodeState,
    Ping,
    PushPull,
    Suspect,
)
from tocsin.gossip.wire.packet import PacketCodec

LEFT = int(MemberState.LEFT)


def certificate_of(name: str, host: str = "10.0.0.200") -> PeerIdentity:
    return PeerIdentity(f"certificate of {name}", frozenset([name]), host)


class Bench:
    """A listed endpoint ``me`` at 10.0.0.1 and all that came out of it."""

    def __init__(self, *listed: int, **settings: Any) -> None:
        self.now = 1000.0
        self.codec = PacketCodec(label=b"", compression=False)
        self.endpoint = Endpoint(
            replace(GossipConfig(), **settings),
            name="me",
            address=address_of(1),
            now=self.now,
            random=Random(1),
            local_state=lambda join: b"state",
            kind=MembershipKind.STATIC,
        )
        self.sent: list[tuple[Address, Message]] = []
        self.streams: list[OpenStream] = []
        self.events: list[Event] = []
        self.list_only(*listed)
        self.endpoint.start(self.now)

    def list_only(self, *numbers: int) -> None:
        self.endpoint.set_listed([address_of(number) for number in numbers], self.now)
        self.drain()

    def drain(self) -> None:
        for effect in self.endpoint.drain():
            if isinstance(effect, SendPacket):
                self.sent += [(effect.destination, m) for m in self.codec.decode(effect.data).messages]
            elif isinstance(effect, OpenStream):
                self.streams.append(effect)
            else:
                self.events.append(effect)

    def feed(self, message: Message, source: Address, peer: PeerIdentity | None = None) -> None:
        for packet in self.codec.encode([encode_message(message)], checksum=False):
            self.endpoint.receive_packet(packet, source, self.now, peer)
        self.drain()

    def answer(self, stream: OpenStream, *nodes: NodeState, peer: PeerIdentity | None = None) -> None:
        self.endpoint.stream_replied(stream.exchange, PushPull(False, nodes, b"theirs"), self.now, peer)
        self.drain()

    def join(self, number: int, *nodes: NodeState, peer: PeerIdentity | None = None) -> None:
        self.endpoint.join(address_of(number), self.now)
        self.drain()
        self.answer(self.streams.pop(), *nodes, peer=peer)

    def introduce(self, *numbers: int) -> None:
        for number in numbers:
            self.join(number, entry(f"node-{number}", number))

    def run(self, seconds: float, *, acking: bool) -> None:
        end = self.now + seconds
        while (when := self.endpoint.next_timeout()) is not None and when <= end:
            self.now = max(self.now, when)
            self.endpoint.handle_timeout(self.now)
            self.drain()
            for destination, message in list(self.sent):
                if acking and isinstance(message, Ping):
                    self.feed(Ack(message.sequence_number), destination)
            self.sent.clear()
        self.now = end

    @property
    def members(self) -> list[str]:
        return sorted(member.name for member in self.endpoint.members())

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def test_a_listed_address_becomes_a_member_by_answering_a_push_pull() -> None:
    bench = Bench(1, 2)
    assert bench.members == ["me"]
    bench.join(2, entry("node-2", 2, meta=b"tocsin/1"))
    assert bench.members == ["me", "node-2"]
    [joined] = bench.told(MemberJoined)
    assert joined.member.meta == b"tocsin/1"
    assert bench.told(RemoteState)[0].payload == b"theirs"


def test_only_our_own_entry_is_sent() -> None:
    bench = Bench(2, 3)
    bench.introduce(2, 3)
    writes = bench.endpoint.receive_stream(PushPull(False, (entry("x", 9),), b""), address_of(9), bench.now)
    decoder = bench.endpoint._stream_codec.decoder(reply=True)
    answers = [message for data in writes if (message := decoder.feed(data)) is not None]
    assert isinstance(answers[0], PushPull)
    assert [node.name for node in answers[0].nodes] == ["me"]


def test_an_address_that_is_not_listed_becomes_no_member_but_its_state_counts() -> None:
    bench = Bench(2)
    bench.join(7, entry("node-7", 7))
    assert bench.members == ["me"]
    assert bench.told(RemoteState)


def test_of_a_whole_table_only_the_entry_of_the_one_asked_is_taken() -> None:
    bench = Bench(2, 3)
    bench.join(2, entry("node-3", 3), entry("node-2", 2), entry("phantom", 9))
    assert bench.members == ["me", "node-2"]
    bench.join(3, entry("node-2", 2), entry("phantom", 9))
    assert bench.members == ["me", "node-2"]  # which of them is it?


def test_one_behind_another_address_than_its_own_is_a_member_at_the_listed_one() -> None:
    bench = Bench(2)
    bench.join(2, entry("node-2", 222))
    assert [m.address for m in bench.endpoint.members() if m.name == "node-2"] == [address_of(2)]


def test_two_listed_addresses_of_one_member_are_one_member() -> None:
    bench = Bench(2, 3)
    bench.join(3, entry("node-2", 2))
    bench.join(2, entry("node-2", 2))
    assert bench.members == ["me", "node-2"]
    assert not bench.told(NameConflict)
    [updated] = bench.told(MemberUpdated)  # from now on at the address that it gives itself
    assert updated.member.address == address_of(2)
    bench.join(3, entry("node-2", 2))
    assert bench.members == ["me", "node-2"]
    assert len(bench.told(MemberUpdated)) == 1


def test_a_second_node_of_a_name_is_refused_until_the_first_is_gone() -> None:
    bench = Bench(2, 3)
    bench.introduce(2)
    bench.join(3, entry("node-2", 3))
    [conflict] = bench.told(NameConflict)
    assert conflict.claimed == address_of(3)
    bench.list_only(3)
    bench.join(3, entry("node-2", 3))
    assert [m.address for m in bench.endpoint.members() if m.name == "node-2"] == [address_of(3)]


def test_somebody_else_of_our_own_name_is_no_member() -> None:
    bench = Bench(2)
    bench.join(2, entry("me", 2))
    assert bench.members == ["me"]
    assert bench.told(NameConflict)


def test_ourselves_by_another_address_is_no_conflict() -> None:
    bench = Bench(2)
    bench.join(2, entry("me", 1))
    assert bench.members == ["me"]
    assert not bench.told(NameConflict)


def test_a_new_name_at_an_address_takes_the_place_of_the_old_one() -> None:
    bench = Bench(2)
    bench.introduce(2)
    bench.join(2, entry("reborn", 2))
    assert bench.members == ["me", "reborn"]
    assert [event.member.name for event in bench.told(MemberLeft)] == ["node-2"]
    assert bench.endpoint.known == 2


def test_what_is_listed_no_more_is_no_member_at_once() -> None:
    bench = Bench(2, 3)
    bench.introduce(2, 3)
    bench.list_only(3)
    assert bench.members == ["me", "node-3"]
    [left] = bench.told(MemberLeft)
    assert (left.member.name, left.member.state) == ("node-2", MemberState.LEFT)
    assert bench.endpoint.known == 2


def test_what_peers_say_of_others_is_ignored_and_counted() -> None:
    bench = Bench(2, 3)
    bench.introduce(2, 3)
    bench.feed(alive("phantom", 9), address_of(2))
    bench.feed(alive("node-4", 4), address_of(4))
    bench.feed(Suspect(9, "node-3", "node-2"), address_of(2))
    bench.feed(Dead(9, "node-3", "node-2"), address_of(2))
    bench.feed(Dead(9, "node-3", "node-3"), address_of(2))  # a goodbye, out of another's mouth
    bench.run(60, acking=True)
    assert bench.members == ["me", "node-2", "node-3"]
    assert bench.endpoint.known == 3
    assert bench.endpoint.statistics.membership_ignored == 5


def test_a_goodbye_counts_out_of_ones_own_mouth() -> None:
    bench = Bench(2)
    bench.introduce(2)
    bench.feed(Dead(1, "node-2", "node-2"), address_of(2))
    [left] = bench.told(MemberLeft)
    assert left.member.state is MemberState.LEFT
    bench.join(2, entry("node-2", 2, state=LEFT))
    assert bench.members == ["me"]  # it still answers, but is leaving


def test_a_goodbye_from_another_host_does_not_count_whatever_source_it_gives_itself() -> None:
    bench = Bench(2)
    bench.introduce(2)
    bench.feed(Dead(1, "node-2", "node-2"), address_of(2), certificate_of("node-3", address_of(3).host))
    assert bench.members == ["me", "node-2"]
    assert bench.endpoint.statistics.membership_ignored == 1
    bench.feed(Dead(1, "node-2", "node-2"), address_of(2), certificate_of("any", address_of(2).host))
    assert bench.members == ["me"]


@pytest.mark.parametrize("shown", ["node-2", address_of(2).host])
def test_a_goodbye_from_another_of_its_hosts_counts_with_its_certificate(shown: str) -> None:
    bench = Bench(2)
    bench.introduce(2)
    bench.feed(Dead(1, "node-2", "node-2"), address_of(2), certificate_of(shown, "10.0.9.9"))
    assert bench.members == ["me"]


def test_with_name_binding_nobody_is_introduced_under_a_name_that_is_not_its_own() -> None:
    bench = Bench(2, bind_names=True)
    peer = certificate_of("node-2", host=address_of(2).host)
    bench.join(2, entry("somebody-else", 2), peer=peer)
    bench.join(2, entry("somebody-else", 2), entry("node-2", 9), peer=peer)
    assert bench.members == ["me"]
    assert [trouble.reason for trouble in bench.told(ProtocolError)] == ["name_binding"] * 2
    bench.join(2, entry("node-2", 2), peer=peer)
    assert bench.members == ["me", "node-2"]


def test_a_member_at_whose_address_another_name_answers_is_none_until_it_is_introduced_anew() -> None:
    bench = Bench(2, bind_names=True)
    bench.introduce(2)
    bench.endpoint.peer_identified(address_of(2), certificate_of("node-3"), bench.now)
    bench.drain()
    assert bench.members == ["me"]
    assert len(bench.told(MemberLeft)) == 1
    membership = bench.endpoint._membership
    assert isinstance(membership, StaticMembership)
    assert address_of(2) in membership._listed
    assert not membership._advertised
    bench.endpoint.peer_identified(address_of(2), certificate_of("node-2"), bench.now)
    bench.introduce(2)
    assert bench.members == ["me", "node-2"]


def test_nothing_is_kept_of_members_that_are_listed_no_more() -> None:
    bench = Bench(2, 3)
    bench.introduce(2, 3)
    bench.list_only()
    membership, table = bench.endpoint._membership, bench.endpoint._table
    assert isinstance(membership, StaticMembership)
    assert table.known == 1
    assert [table.at_host(address_of(number).host) for number in (1, 2, 3)] == [1, 0, 0]
    assert not membership._advertised


def test_a_member_that_acks_stays() -> None:
    bench = Bench(2, 3)
    bench.introduce(2, 3)
    bench.run(120, acking=True)
    assert bench.members == ["me", "node-2", "node-3"]
    assert not [stream for stream in bench.streams if stream.kind is ExchangeKind.PING]


def test_an_unanswered_ping_has_a_stream_decide() -> None:
    bench = Bench(2)
    bench.introduce(2)
    bench.run(3, acking=False)
    [check] = [stream for stream in bench.streams if stream.kind is ExchangeKind.PING]
    assert bench.members == ["me", "node-2"]  # not before the verdict
    bench.endpoint.stream_failed(check.exchange, "refused", bench.now)
    bench.drain()
    assert bench.members == ["me"]
    [left] = bench.told(MemberLeft)
    assert left.member.state is MemberState.DEAD


def test_a_member_whose_packets_all_are_lost_but_whose_streams_pass_stays() -> None:
    bench = Bench(2)
    bench.introduce(2)
    for _ in range(20):
        bench.run(1, acking=False)
        for stream in [one for one in bench.streams if one.kind is ExchangeKind.PING]:
            bench.streams.remove(stream)
            assert isinstance(stream.writes, tuple)
            exchange = bench.endpoint._exchanges.get(stream.exchange)
            assert exchange is not None
            bench.endpoint.stream_replied(stream.exchange, Ack(exchange.sequence_number), bench.now)
            bench.drain()
    assert bench.members == ["me", "node-2"]
    assert bench.endpoint.statistics.stream_pings_acked > 5


def test_a_lost_packet_asks_by_stream_at_once_and_once() -> None:
    bench = Bench(2)
    bench.introduce(2)
    for _ in range(5):
        bench.endpoint.packet_failed(address_of(2), bench.now)
    bench.drain()
    assert len([stream for stream in bench.streams if stream.kind is ExchangeKind.PING]) == 1


def test_a_verdict_that_comes_far_too_late_blames_our_own_sleep() -> None:
    bench = Bench(2)
    bench.introduce(2)
    bench.endpoint.packet_failed(address_of(2), bench.now)
    bench.drain()
    [check] = bench.streams
    bench.now += 300
    bench.endpoint.stream_failed(check.exchange, "no outcome by the deadline", bench.now)
    bench.drain()
    assert bench.members == ["me", "node-2"]


def test_one_that_is_gone_and_reaches_us_is_asked_at_once_and_not_too_often() -> None:
    bench = Bench(2)
    for _ in range(10):
        bench.feed(Ping(1, "me", address_of(2).packed, 9094, "node-2"), address_of(2))
    assert [stream.destination for stream in bench.streams] == [address_of(2)]
    bench.now += REPROBE_INTERVAL
    bench.feed(Ping(1, "me", address_of(2).packed, 9094, "node-2"), address_of(2))
    assert len(bench.streams) == 2
    bench.answer(bench.streams.pop(), entry("node-2", 2))
    assert bench.members == ["me", "node-2"]


def test_one_that_exchanges_states_with_us_is_asked_too_and_a_stranger_is_not() -> None:
    bench = Bench(2)
    bench.endpoint.receive_stream(
        PushPull(True, (entry("node-2", 2), entry("x", 9)), b""), Address("10.0.0.2", 45678), bench.now
    )
    bench.drain()
    assert [stream.destination for stream in bench.streams] == [address_of(2)]


def test_accusations_of_ourselves_are_refuted_for_peers_that_speak_swim() -> None:
    bench = Bench(2)
    bench.introduce(2)
    before = bench.endpoint.local.incarnation
    bench.feed(Suspect(before, "me", "node-9"), address_of(2))
    assert bench.endpoint.local.incarnation > before
    bench.now += 0.5
    bench.endpoint.gossip(bench.now)
    bench.drain()
    assert any(isinstance(message, Alive) and message.node == "me" for _, message in bench.sent)


def test_pings_of_strangers_are_answered() -> None:
    bench = Bench()
    bench.feed(Ping(7, "me", address_of(9).packed, 9094, "go"), address_of(9))
    assert bench.sent == [(address_of(9), Ack(7))]


def test_nothing_is_announced() -> None:
    bench = Bench(2)
    bench.introduce(2)
    bench.run(5, acking=True)
    assert bench.endpoint.queued_broadcasts == 0


def test_pings_are_bounded_and_reach_everybody_in_turn() -> None:
    count = 3 * MAX_PINGS
    bench = Bench(*range(2, count + 2))
    bench.introduce(*range(2, count + 2))
    pinged: set[Address] = set()
    for _ in range(4):
        bench.sent.clear()
        when = bench.endpoint.next_timeout()
        while when is not None and not any(isinstance(message, Ping) for _, message in bench.sent):
            bench.now = max(bench.now, when)
            bench.endpoint.handle_timeout(bench.now)
            bench.drain()
            when = bench.endpoint.next_timeout()
        now = {destination for destination, message in bench.sent if isinstance(message, Ping)}
        assert len(now) == MAX_PINGS
        pinged |= now
        bench.now += 0.01
    assert len(pinged) == count


def test_leaving_says_goodbye_and_ends() -> None:
    bench = Bench(2)
    bench.introduce(2)
    bench.endpoint.leave(bench.now)
    bench.drain()
    assert (address_of(2), Dead(1, "me", "me")) in bench.sent
    bench.feed(Ping(7, "me", address_of(2).packed, 9094, "node-2"), address_of(2))
    assert (address_of(2), Ack(7)) not in bench.sent  # who missed the goodbye finds out so
    bench.run(5, acking=False)
    assert bench.endpoint.left


def test_six_bytes_of_versions_or_no_member() -> None:
    bench = Bench(2)
    bench.join(2, entry("node-2", 2, versions=VERSIONS[:3]))
    assert bench.members == ["me"]
