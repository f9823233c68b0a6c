from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.support.endpoints import Bench, address_of, alive
from tocsin.errors import ClosedError, NotFoundError, UserError
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.context import MAX_PENDING_REPORTS
from tocsin.gossip.core.effects import PacketsLost, ProtocolError, UserMessage
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.wire.messages import Ack, Alive, Dead, ErrorResponse, Nack, Ping, Suspect, User

CHECKSUM = 12


def quiet(members: int, **settings: Any) -> Bench:
    """A bench that probes nobody, with its membership news all told."""
    bench = Bench(started=True, probe_interval=0.0, push_pull_interval=0.0, **settings)
    bench.populate(members)
    while bench.endpoint.queued_broadcasts:
        bench.next()
    bench.sent.clear()
    return bench


class TestGossip:
    def test_a_broadcast_goes_to_a_few_members_and_then_rests(self) -> None:
        bench = quiet(9)
        bench.endpoint.broadcast(b"news", bench.now)
        bench.run(0.2)
        assert len({action.destination for action, _ in bench.sent}) == 3
        assert all(messages == (User(b"news"),) for _, messages in bench.sent)
        bench.run(5)
        assert len(bench.sent) == 8  # 4 x ceil(log10(10 + 1))
        assert bench.endpoint.queued_user_broadcasts == 0
        assert bench.endpoint.next_timeout() is None  # a node with nothing to say sleeps

    def test_a_newer_broadcast_replaces_the_older_of_its_name(self) -> None:
        bench = quiet(2)
        for version in range(5):
            bench.endpoint.broadcast(b"%d" % version, bench.now, name="silence")
        bench.run(5)
        assert {user.payload for user in bench.messages(User)} == {b"4"}

    def test_the_applications_messages_take_the_room_that_is_left(self) -> None:
        bench = quiet(3)
        bench.endpoint.broadcast(b"user", bench.now)
        bench.endpoint.update_meta(b"new", bench.now)
        bench.endpoint.gossip(bench.now)
        bench.drain()
        for _, messages in bench.sent:
            assert messages == (alive("me", 1, incarnation=2, meta=b"new"), User(b"user"))

    def test_packets_keep_to_their_size(self) -> None:
        bench = quiet(3)
        for number in range(100):
            bench.endpoint.broadcast(b"%03d" % number * 50, bench.now)
        bench.run(20)
        sizes = [len(action.data) for action, _ in bench.sent]
        assert max(sizes) <= 1407
        assert len({user.payload for user in bench.messages(User)}) == 100

    def test_no_packet_has_more_parts_than_a_compound_can_count(self) -> None:
        bench = quiet(1, packet_size=8000)
        for number in range(400):
            bench.endpoint.broadcast(b"%d" % number, bench.now)
        bench.feed(Ping(1, "me"))
        bench.run(0.2)
        assert max(len(messages) for _, messages in bench.sent) == 255
        assert isinstance(bench.sent[0][1][0], Ack)

    @pytest.mark.parametrize(("others", "packets"), [(1, 4), (2, 4), (5, 10), (16, 32), (17, 8)])
    def test_news_of_members_goes_into_twice_as_many_packets_as_a_small_cluster_has_members(
        self, others: int, packets: int
    ) -> None:
        """Four, as with memberlist, might all go to members that are dead or know it already."""
        bench = quiet(others)
        bench.endpoint.update_meta(b"new", bench.now)
        bench.run(10)
        news = [message for message in bench.messages(Alive) if message.meta == b"new"]
        assert len(news) == packets

    def test_gossip_carries_a_checksum_to_whom_it_means_something(self) -> None:
        bench = Bench()
        bench.feed(alive("new", 2), alive("old", 3, versions=b"\1\4\2\0\0\0"))
        bench.run(0.3)
        first = {action.node: action.data[0] for action, _ in bench.sent}
        assert first["new"] == CHECKSUM
        assert first["old"] != CHECKSUM

    def test_checksums_can_be_switched_off(self) -> None:
        bench = Bench(checksums=False)
        bench.populate(1)
        bench.run(0.3)
        assert bench.sent[0][0].data[0] != CHECKSUM

    def test_the_dead_hear_the_gossip_for_a_while_and_who_left_does_not(self) -> None:
        bench = quiet(3)
        bench.feed(Dead(1, "node-2", "x"), Dead(1, "node-3", "node-3"))
        bench.run(25)
        assert {action.node for action, _ in bench.sent} == {"node-2", "node-4"}
        bench.run(5.1)
        bench.sent.clear()
        bench.endpoint.broadcast(b"news", bench.now)
        bench.run(5)
        assert {action.node for action, _ in bench.sent} == {"node-4"}

    def test_alone_nothing_is_queued_and_nothing_ticks(self) -> None:
        bench = Bench(started=True, probe_interval=0.0, push_pull_interval=0.0)
        bench.endpoint.broadcast(b"news", bench.now)
        assert bench.endpoint.queued_user_broadcasts == 0
        assert bench.endpoint.next_timeout() is None

    def test_a_full_queue_is_bounded_and_counted(self) -> None:
        bench = quiet(1, max_broadcasts=10)
        for number in range(25):
            bench.endpoint.broadcast(b"%d" % number, bench.now)
        assert bench.endpoint.queued_user_broadcasts == 10
        assert bench.endpoint.statistics.broadcasts_dropped == 15


class TestCommands:
    def test_a_broadcast_that_fits_no_packet_is_refused_and_the_largest_is_not(self) -> None:
        bench = quiet(1)
        with pytest.raises(UserError, match="does not fit"):
            bench.endpoint.broadcast(b"x" * 1400, bench.now)
        largest = 1400 - 2 - 2 - 1
        bench.endpoint.broadcast(b"x" * largest, bench.now)
        bench.run(1)
        assert bench.messages(User)[0] == User(b"x" * largest)

    def test_a_direct_message_goes_to_one_member(self) -> None:
        bench = quiet(3)
        bench.endpoint.send_best_effort("node-3", b"hello", bench.now)
        bench.drain()
        assert [(action.node, messages) for action, messages in bench.sent] == [("node-3", (User(b"hello"),))]
        with pytest.raises(NotFoundError, match="nobody"):
            bench.endpoint.send_best_effort("nobody", b"", bench.now)
        with pytest.raises(NotFoundError, match="nobody"):
            bench.endpoint.send_reliable("nobody", b"", bench.now)

    def test_too_long_meta_and_no_name_are_refused(self) -> None:
        bench = Bench()
        with pytest.raises(UserError, match="at most 512"):
            bench.endpoint.update_meta(b"x" * 513, bench.now)
        assert bench.endpoint.local.incarnation == 1
        with pytest.raises(UserError, match="name"):
            Endpoint(GossipConfig(), name="", address=address_of(1), now=0.0, random=Random(1))

    def test_after_leaving_nothing_can_be_asked(self) -> None:
        bench = Bench(started=True)
        bench.populate(1)
        bench.endpoint.leave(bench.now)
        bench.endpoint.leave(bench.now)
        with pytest.raises(ClosedError):
            bench.endpoint.join(address_of(2), bench.now)
        with pytest.raises(ClosedError):
            bench.endpoint.broadcast(b"x", bench.now)

    def test_the_address_may_be_set_until_the_start(self) -> None:
        bench = Bench()
        bench.endpoint.set_address(address_of(77))
        assert bench.endpoint.local.address == address_of(77)
        bench.endpoint.start(bench.now)
        with pytest.raises(UserError, match="after the start"):
            bench.endpoint.set_address(address_of(78))
        bench.populate(1)
        _, message = bench.until(Alive)
        assert alive("me", 77) in bench.messages(Alive)
        assert alive("me", 1) not in bench.messages(Alive)
        assert message


class TestInputs:
    def test_an_application_message_is_handed_on(self) -> None:
        bench = Bench()
        bench.feed(User(b"one"), source=address_of(8))
        assert bench.endpoint.receive_stream(User(b"two"), address_of(9), bench.now) == ()
        bench.drain()
        assert bench.told(UserMessage) == [
            UserMessage(b"one", address_of(8)),
            UserMessage(b"two", address_of(9)),
        ]

    def test_a_stream_ping_is_answered_on_the_stream(self) -> None:
        bench = Bench()
        writes = bench.endpoint.receive_stream(Ping(9, "me"), address_of(9), bench.now)
        assert writes == bench.endpoint._stream_codec.encode(Ack(9), reply=True)

    @pytest.mark.parametrize("message", [Ack(1), Nack(1), Suspect(1, "me", "x"), ErrorResponse("why")])
    def test_what_does_not_belong_on_a_stream_is_dropped(
        self, message: Ack | Nack | Suspect | ErrorResponse
    ) -> None:
        bench = Bench()
        assert bench.endpoint.receive_stream(message, address_of(9), bench.now) == ()
        bench.drain()
        assert bench.endpoint.local.incarnation == 1
        assert [trouble.reason for trouble in bench.told(ProtocolError)] == ["unexpected"]

    def test_undrained_trouble_is_bounded(self) -> None:
        bench = Bench()
        for _ in range(MAX_PENDING_REPORTS + 100):
            bench.endpoint.receive_stream(Nack(1), address_of(9), bench.now)
        told = [each for each in bench.endpoint.drain() if isinstance(each, ProtocolError)]
        assert len(told) == MAX_PENDING_REPORTS
        assert bench.endpoint.statistics.messages_refused == MAX_PENDING_REPORTS + 100

    def test_packets_are_counted_by_what_they_bring(self) -> None:
        bench = Bench()
        bench.feed(alive("b", 2), User(b"x"), User(b"y"))
        bench.endpoint.receive_packet(b"\xff\xff\xff", address_of(9), bench.now)
        statistics = bench.endpoint.statistics
        assert statistics.messages_received == {"Alive": 1, "User": 2}
        assert (statistics.packets_received, statistics.packets_refused) == (2, 1)

    def test_timeouts_without_anything_due_are_harmless(self) -> None:
        bench = Bench(started=True)
        before = bench.endpoint.next_timeout()
        bench.endpoint.handle_timeout(bench.now - 1)
        assert bench.endpoint.next_timeout() == before


def test_a_clock_that_was_stopped_for_an_hour_catches_up_at_once() -> None:
    bench = Bench(started=True)
    bench.populate(3)
    bench.now += 3600
    bench.endpoint.handle_timeout(bench.now)
    bench.drain()
    when = bench.endpoint.next_timeout()
    assert when is not None
    assert when > bench.now
    assert len(bench.messages(Ping)) <= 2


class TestFreshBroadcasts:
    def test_a_few_members_all_get_it_at_once_and_in_the_same_packet_as_its_like(self) -> None:
        bench = quiet(8)
        for number in range(3):
            bench.endpoint.broadcast(b"%d" % number, bench.now)
        assert bench.endpoint.gossip_fresh() is False
        bench.drain()
        assert len({action.destination for action, _ in bench.sent}) == len(bench.sent) == 8
        for _, messages in bench.sent:
            assert {m.payload for m in messages if isinstance(m, User)} == {b"0", b"1", b"2"}

    def test_of_many_members_a_few_get_it(self) -> None:
        bench = quiet(9)
        bench.endpoint.broadcast(b"news", bench.now)
        bench.endpoint.gossip_fresh()
        bench.drain()
        assert len({action.destination for action, _ in bench.sent}) == len(bench.sent) == 3

    def test_it_counts_as_sent_once_and_is_not_fresh_again(self) -> None:
        bench = quiet(2)
        bench.endpoint.broadcast(b"news", bench.now)
        bench.endpoint.gossip_fresh()
        assert bench.endpoint.gossip_fresh() is False
        bench.drain()
        assert len(bench.sent) == 2
        bench.run(5)
        assert len(bench.sent) == 2 + 3  # 4 x ceil(log10(3 + 1)) times in all

    def test_without_others_nothing_is_queued_or_sent(self) -> None:
        bench = Bench(started=True)
        bench.endpoint.broadcast(b"news", bench.now)
        assert bench.endpoint.queued_user_broadcasts == 0
        assert bench.endpoint.gossip_fresh() is False

    def test_over_a_stream_a_round_sends_its_bytes_however_many_packets_they_would_have_been(self) -> None:
        bench = quiet(1, gossip_bytes=64 * 1024)
        for number in range(700):
            bench.endpoint.broadcast(b"%03d" % number * 20, bench.now)
        bench.endpoint.broadcast(bytes(20_000), bench.now)  # longer than any datagram
        assert bench.endpoint.gossip_fresh() is False
        bench.drain()
        assert len(bench.messages(User)) == 701
        assert sum(len(action.data) for action, _ in bench.sent) <= 64 * 1024
        with pytest.raises(UserError, match="does not fit"):
            bench.endpoint.broadcast(bytes(64 * 1024), bench.now)

    def test_what_does_not_fit_one_round_goes_with_the_next(self) -> None:
        bench = quiet(1, gossip_bytes=10_000)
        for _ in range(30):
            bench.endpoint.broadcast(bytes(1000), bench.now)
        rounds = 0
        while bench.endpoint.gossip_fresh():
            rounds += 1
        bench.drain()
        assert rounds == 3
        assert len(bench.messages(User)) == 30

    def test_acks_stay_as_short_as_ever(self) -> None:
        bench = quiet(1, gossip_bytes=64 * 1024)
        for _ in range(100):
            bench.endpoint.broadcast(bytes(1000), bench.now)
        bench.feed(Ping(1, "me"))
        assert max(len(action.data) for action, _ in bench.sent) <= 1407


def test_lost_packets_are_told_to_the_application() -> None:
    bench = quiet(1)
    bench.endpoint.packet_failed(address_of(2), bench.now)
    bench.drain()
    assert bench.told(PacketsLost) == [PacketsLost(address_of(2))]


def test_the_application_s_protocol_versions_are_told() -> None:
    config = GossipConfig(delegate_versions=(2, 5, 4))
    endpoint = Endpoint(config, name="a", address=address_of(1), now=0.0, random=Random(1))
    assert endpoint.local.versions == bytes((1, 5, 2, 2, 5, 4))
