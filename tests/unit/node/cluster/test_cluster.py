"""Whole clusters in one process, over the in-memory transport: what is told here is known there."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.support.transports import eventually
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.protocol.parts import encode_full_state
from tocsin.alerting.silence import Silence, Silences, make_matcher_sets
from tocsin.alerting.timestamp import SECOND
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import MemberUpdated
from tocsin.gossip.core.local import VERSIONS
from tocsin.gossip.gossip import Gossip
from tocsin.gossip.testing import run as run_in_virtual_time
from tocsin.gossip.transport.memory import MemoryNetwork, MemoryStream, MemoryTransport
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.compound import encode_compound
from tocsin.gossip.wire.messages import Alive
from tocsin.node.clock import Clock
from tocsin.node.cluster import cluster as cluster_module
from tocsin.node.cluster import joining, settle
from tocsin.node.cluster.cluster import Cluster
from tocsin.node.cluster.outbound import REPEATS
from tocsin.node.cluster.settings import ClusterSettings
from tocsin.node.log import Logger

HOUR = 3600 * SECOND
QUICK = GossipConfig(gossip_interval=0.02, probe_interval=0.2, probe_timeout=0.1, push_pull_interval=0.5)
PATIENT = replace(QUICK, push_pull_interval=1e6)  # The first one comes at any time within it.


class Member:
    """A cluster with its states."""

    def __init__(
        self,
        network: MemoryNetwork,
        name: str,
        address: Address,
        peers: tuple[str, ...],
        gossip: GossipConfig = QUICK,
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.silences = Silences(HOUR, random=Random(name))
        self.log = NotificationLog(HOUR)
        self.positions: list[int] = []
        self.on_members: Callable[[], None] = lambda: None
        self.on_settled: Callable[[], None] = lambda: None
        self.settled = False
        self.cluster = Cluster(
            ClusterSettings(
                name=name, peers=peers, gossip=gossip, settle_timeout=30.0, reconnect_interval=0.2, **settings
            ),
            MemoryTransport(network, address),
            {"sil": self.silences, "nfl": self.log},
            clock=self.clock,
            log=Logger("tocsin.test"),
            on_members=self._members_changed,
            on_settled=self._settle,
            on_merged=lambda key: None,
        )

    def _members_changed(self) -> None:
        self.positions.append(self.cluster.position)
        self.on_members()

    def _settle(self) -> None:
        self.settled = True
        self.on_settled()

    def silence(self, value: str, comment: str = "") -> str:
        now = self.clock.now()
        wanted = Silence(
            id="",
            matcher_sets=make_matcher_sets([[(0, "alertname", value)]]),
            starts_at=now,
            ends_at=now + HOUR,
            created_by="test",
            comment=comment,
        )
        identifier, changes = self.silences.set(wanted, now)
        self.cluster.broadcast("sil", changes)
        return identifier

    def knows(self, identifier: str) -> bool:
        return self.silences.get(identifier) is not None


def address(number: int) -> Address:
    return Address(f"10.0.0.{number}", 9094)


def run(
    story: Callable[[list[Member]], Awaitable[None]], count: int = 3, *, gossip: GossipConfig = QUICK
) -> None:
    async def main() -> None:
        network = MemoryNetwork()
        peers = tuple(str(address(number)) for number in range(1, count + 1))
        members = [Member(network, f"node-{n}", address(n), peers, gossip) for n in range(1, count + 1)]
        try:
            for member in members:
                await member.cluster.start()
            await eventually(lambda: all(len(m.cluster.peers()) == count for m in members), 30)
            await story(members)
        finally:
            for member in members:
                await member.cluster.close()

    asyncio.run(main())


def test_a_silence_made_on_one_is_known_on_all() -> None:
    async def story(members: list[Member]) -> None:
        identifier = members[0].silence("x")
        await eventually(lambda: all(member.knows(identifier) for member in members))

    run(story)


def test_among_many_members_changes_spread_by_hearsay() -> None:
    async def story(members: list[Member]) -> None:
        made = [member.silence(f"{member.cluster.settings.name} {n}") for member in members for n in range(5)]
        await eventually(lambda: all(member.knows(one) for member in members for one in made), 30)
        relayed = sum(member.cluster.replication.statistics.relayed["sil"] for member in members)
        assert relayed > 0

    run(story, 14)


def test_large_silences_go_the_same_way() -> None:
    async def story(members: list[Member]) -> None:
        identifiers = [members[0].silence(f"x{n}", "y" * 2000) for n in range(50)]
        await eventually(lambda: all(m.knows(i) for m in members for i in identifiers))
        replication = members[0].cluster.replication
        assert replication.outbound.statistics.dropped.total() == 0
        assert replication.resyncs.statistics.started == 0

    run(story)


def test_positions_follow_the_sorted_names_and_move_up_when_one_leaves() -> None:
    async def story(members: list[Member]) -> None:
        assert [member.cluster.position for member in members] == [0, 1, 2]
        await members[0].cluster.close()
        await eventually(lambda: [m.cluster.position for m in members[1:]] == [0, 1])
        assert members[1].positions[-1] == 0

    run(story)


def test_who_comes_late_settles_when_it_knows_what_the_others_know() -> None:
    """Peers given as addresses need no resolving; that they are known at once is not that they are joined."""

    async def main() -> None:
        network = MemoryNetwork()
        peers = tuple(str(address(number)) for number in (1, 2, 3))
        first, second, late = (Member(network, f"node-{n}", address(n), peers, PATIENT) for n in (1, 2, 3))
        known: list[bool] = []
        try:
            await first.cluster.start()
            await second.cluster.start()
            await eventually(lambda: first.settled and second.settled, 30)
            identifier = first.silence("x")
            late.on_settled = lambda: known.append(late.knows(identifier))
            await late.cluster.start()
            await eventually(lambda: late.settled, 30)
            assert known == [True]
        finally:
            for member in (first, second, late):
                await member.cluster.close()

    asyncio.run(main())


def test_a_peer_that_answers_and_is_of_another_cluster_is_waited_for_with_patience_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is notified until then, and each attempt is a line of the log."""
    monkeypatch.setattr(settle, "PATIENCE", 0.5)

    async def main() -> None:
        network = MemoryNetwork()
        foreign = Member(network, "foreign", address(1), (), replace(PATIENT, label=b"other"))
        node = Member(network, "node", address(2), (str(address(1)),), PATIENT)
        try:
            await foreign.cluster.start()
            await node.cluster.start()
            await eventually(lambda: node.settled, 15)  # half of the time after which it settles anyway
            assert len(node.cluster.peers()) == 1
        finally:
            for member in (foreign, node):
                await member.cluster.close()

    asyncio.run(main())


class PacketsOnly(MemoryNetwork):
    """Packets arrive everywhere; a stream to one of ``black_holes`` takes its whole time."""

    def arrivals(self, source: Address, destination: Address) -> Sequence[float]:
        return (0.0,)


def test_the_state_of_a_live_alertmanager_is_asked_for_until_it_is_here() -> None:
    """It tells its state on streams only, by itself once a minute. For so long this node would notify what
    the other has notified, if no stream was possible while it settled."""

    async def main() -> None:
        network = PacketsOnly()
        gossip = replace(PATIENT, stream_timeout=0.2)
        silences, clock = Silences(HOUR, random=Random("theirs")), Clock()
        now = clock.now()
        wanted = Silence("", make_matcher_sets([[(0, "alertname", "x")]]), starts_at=now, ends_at=now + HOUR)
        identifier, _ = silences.set(wanted, now)
        theirs = Gossip(
            gossip,
            MemoryTransport(network, address(1)),
            name="theirs",
            local_state=lambda _join: encode_full_state({"sil": silences.encode_state()}),
        )
        messenger = Gossip(gossip, MemoryTransport(network, address(2)), name="messenger")
        node = Member(network, "node", address(3), (str(address(2)),), gossip)
        await theirs.start()
        await messenger.start()
        try:
            [result] = await messenger.join([address(1)])
            assert result.joined
            network.black_holes.add(address(1))
            await node.cluster.start()
            await eventually(lambda: node.settled and len(node.cluster.peers()) == 3, 30)
            assert not node.knows(identifier)
            network.black_holes.clear()
            await eventually(lambda: node.knows(identifier), 60)
        finally:
            await node.cluster.close()
            await messenger.close()
            await theirs.close()

    asyncio.run(main())


def test_a_large_state_of_an_alertmanager_comes_once_while_a_node_settles() -> None:
    """It is merged in steps; meanwhile it was asked for a second time, and so passed twice at each join."""

    async def main() -> None:
        network = MemoryNetwork()
        silences, now = Silences(HOUR, random=Random("theirs")), Clock().now()
        for number in range(500):
            matchers = make_matcher_sets([[(0, "alertname", f"x{number}")]])
            identifier, _ = silences.set(Silence("", matchers, starts_at=now, ends_at=now + HOUR), now)
        asked: list[bool] = []

        def local_state(join: bool) -> bytes:
            asked.append(join)
            return encode_full_state({"sil": silences.encode_state()})

        theirs = Gossip(PATIENT, MemoryTransport(network, address(1)), name="theirs", local_state=local_state)
        node = Member(network, "node", address(2), (str(address(1)),), PATIENT)
        await theirs.start()
        try:
            await node.cluster.start()
            await eventually(lambda: node.settled, 60)
            assert node.knows(identifier)
            assert asked == [True]
        finally:
            await node.cluster.close()
            await theirs.close()

    asyncio.run(main())


def test_a_member_without_any_state_is_met_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange with it brought nothing, which was taken for a failure; and it was asked for ever."""
    failed: list[settle.Awaited] = []
    monkeypatch.setattr(settle.Settle, "failed", lambda _, peer: failed.append(peer))

    async def main() -> None:
        network = MemoryNetwork()
        asked: list[bool] = []

        def local_state(join: bool) -> bytes:
            asked.append(join)
            return b""

        theirs = Gossip(PATIENT, MemoryTransport(network, address(1)), name="theirs", local_state=local_state)
        node = Member(network, "node", address(2), (str(address(1)),), PATIENT)
        await theirs.start()
        try:
            await node.cluster.start()
            await eventually(lambda: node.settled, 60)
            before = len(asked)
            await asyncio.sleep(300)  # Of virtual time.
            assert not failed
            assert len(asked) == before <= 2
        finally:
            await node.cluster.close()
            await theirs.close()

    run_in_virtual_time(main)


def test_a_state_that_is_still_on_its_way_when_the_node_settles_comes_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, left, some = MemoryStream.read, dict[MemoryStream, bytes](), 64 * 1024

    async def read_slowly(stream: MemoryStream) -> bytes:
        data = left.pop(stream, b"") or await read(stream)
        if len(data) > some:
            await asyncio.sleep(2.0)
            left[stream] = data[some:]
        return data[:some]

    monkeypatch.setattr(MemoryStream, "read", read_slowly)

    async def main() -> None:
        network = MemoryNetwork()
        silences, now = Silences(HOUR, random=Random("theirs")), Clock().now()
        for number in range(20):
            matchers = make_matcher_sets([[(0, "alertname", f"x{number}")]])
            large = Silence("", matchers, starts_at=now, ends_at=now + HOUR, comment="x" * 64 * 1024)
            identifier, _ = silences.set(large, now)
        asked: list[bool] = []

        def local_state(join: bool) -> bytes:
            asked.append(join)
            return encode_full_state({"sil": silences.encode_state()})

        theirs = Gossip(PATIENT, MemoryTransport(network, address(1)), name="theirs", local_state=local_state)
        node = Member(network, "node", address(2), (str(address(1)),), PATIENT)
        await theirs.start()
        try:
            await node.cluster.start()
            await eventually(lambda: node.settled, 60)
            assert not node.knows(identifier)
            await eventually(lambda: node.knows(identifier), 300)
            await asyncio.sleep(60)  # Of virtual time.
            assert asked == [True]
        finally:
            await node.cluster.close()
            await theirs.close()

    run_in_virtual_time(main)


def test_all_settle() -> None:
    async def story(members: list[Member]) -> None:
        await eventually(lambda: all(member.settled for member in members), 30)
        assert all(member.cluster.settled for member in members)

    run(story)


def test_garbage_from_a_member_is_counted_and_harms_nothing() -> None:
    async def story(members: list[Member]) -> None:
        members[0].cluster.gossip.broadcast(b"\xff\xff no part")
        await eventually(lambda: members[1].cluster.inbox.statistics.payloads_refused > 0)
        identifier = members[0].silence("x")
        await eventually(lambda: all(member.knows(identifier) for member in members))

    run(story)


def test_one_that_failed_is_dialled_again_until_it_is_back() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        first = Member(network, "node-1", address(1), ())
        second = Member(network, "node-2", address(2), (str(address(1)),))
        await first.cluster.start()
        await second.cluster.start()
        await eventually(lambda: len(first.cluster.peers()) == 2)
        await second.cluster.gossip.close()  # as a crash: nobody is told
        await eventually(lambda: len(first.cluster.peers()) == 1, 30)
        assert first.cluster.failed_peers == 1
        again = Member(network, "node-2b", address(2), ())
        await again.cluster.start()
        await eventually(lambda: len(first.cluster.peers()) == 2, 30)
        assert first.cluster.failed_peers == 0
        assert first.cluster.statistics.reconnections == 1
        for member in (again, first, second):
            await member.cluster.close()

    asyncio.run(main())


def test_a_forgotten_peer_that_was_only_cut_off_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can call the API of both sides of a partition could make it last."""
    monkeypatch.setattr(joining, "DISMISSED_INTERVAL", 0.2)

    async def main() -> None:
        network = MemoryNetwork()
        peers = tuple(str(address(number)) for number in (1, 2))
        quiet = replace(QUICK, gossip_to_the_dead_time=0.01)
        members = [Member(network, f"node-{n}", address(n), peers, quiet) for n in (1, 2)]
        try:
            for member in members:
                await member.cluster.start()
            await eventually(lambda: all(len(member.cluster.peers()) == 2 for member in members), 30)
            network.black_holes.update(map(address, (1, 2)))
            await eventually(lambda: all(len(member.cluster.peers()) == 1 for member in members), 30)
            for member, other in ((members[0], "node-2"), (members[1], "node-1")):
                assert member.cluster.joining is not None
                assert member.cluster.joining.dismiss(other)
                assert member.cluster.joining.gaps.whole, "nobody misses it"
            network.black_holes.clear()
            await eventually(lambda: all(len(member.cluster.peers()) == 2 for member in members), 30)
        finally:
            for member in members:
                await member.cluster.close()

    asyncio.run(main())


def test_what_was_told_last_arrives_before_the_goodbye() -> None:
    """Else who moves up in place would notify again what the leaving one has just notified."""

    async def story(members: list[Member]) -> None:
        known_at_the_goodbye: list[bool] = []
        for round_number, (small, large) in enumerate([("x", ""), ("y", "z" * 2000)]):
            leaver, *staying = members[round_number:]
            identifier = leaver.silence(small, large)
            for other in staying:
                # Asked in the moment in which the others' position moves up.
                other.on_members = lambda other=other, i=identifier: known_at_the_goodbye.append(  # type: ignore[misc]
                    other.knows(i)
                )
            await leaver.cluster.close()
            await eventually(lambda s=staying: all(len(m.cluster.peers()) == len(s) for m in s))  # type: ignore[misc]
        assert known_at_the_goodbye == [True, True, True]

    run(story)


def test_a_goodbye_does_not_wait_for_ever_for_what_cannot_be_told() -> None:
    async def story(members: list[Member]) -> None:
        leaver = members[0]
        leaver.cluster.flush_timeout = 0.0
        leaver.silence("x")
        assert leaver.cluster.replication.outbound.busy
        await leaver.cluster.close()
        await eventually(lambda: len(members[1].cluster.peers()) == 2)

    run(story)


def test_where_packets_are_datagrams_a_change_outlives_the_loss_of_two_and_none_is_too_long() -> None:
    async def story(members: list[Member]) -> None:
        maker, other = members
        transport = maker.cluster.gossip.transport
        send, lost, lengths = transport.send_packet, [0], [0]

        def lossy(destination: Address, data: bytes, node: str = "") -> None:
            lengths.append(len(data))
            if b"precious" in data and lost[0] < REPEATS:
                lost[0] += 1
            else:
                send(destination, data, node)

        transport.send_packet = lossy  # type: ignore[method-assign]
        precious = maker.silence("precious")
        await eventually(lambda: other.knows(precious))
        assert lost == [REPEATS]
        many = [maker.silence(f"many {number}") for number in range(100)]
        large = maker.silence("large", comment="x" * 5000)
        await eventually(lambda: all(other.knows(one) for one in [*many, large]))
        assert max(lengths) <= PATIENT.packet_size + 5  # with the checksum, which Go does not count either
        assert maker.cluster.replication.resyncs.statistics.started == 0

    # No exchange of states comes to the rescue.
    run(story, 2, gossip=PATIENT)


def test_members_that_one_packet_names_are_noticed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """To know our position all members are looked at, which takes a millisecond if there are thousands."""
    clock = itertools.count()
    monkeypatch.setattr(cluster_module, "thread_time", lambda: next(clock) / 1000)

    async def story(members: list[Member]) -> None:
        member, noticed = members[0], len(members[0].positions)
        named = [Alive(1, f"m{n}", bytes((10, 1, n >> 8, n & 255)), 9094, b"", VERSIONS) for n in range(250)]
        packet = encode_compound([encode_message(each) for each in named])
        member.cluster.gossip._driver.packet_received(packet, address(9))
        assert len(member.positions) - noticed <= 2
        await eventually(lambda: member.cluster.position == member.positions[-1])
        assert len(member.cluster.peers()) == 251

    run(story, 1)


def test_members_that_change_after_the_close_are_not_noticed() -> None:
    async def story(members: list[Member]) -> None:
        [member, _] = members
        await member.cluster.close()
        noticed = len(member.positions)
        member.cluster._handle_event(MemberUpdated(member.cluster.gossip.local))
        assert len(member.positions) == noticed

    run(story, 2)
