"""To whom changes go, and what is done about those that did not arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Final

from tests.support.transports import eventually
from tocsin.alerting.protocol.parts import decode_part
from tocsin.errors import NotFoundError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.member import Member
from tocsin.gossip.wire.messages import MemberState
from tocsin.node.cluster import replication
from tocsin.node.cluster.capability import META
from tocsin.node.cluster.outbound import MAX_BACKLOG
from tocsin.node.cluster.replication import FEW, Replication
from tocsin.node.cluster.resyncs import MAX_RUNNING
from tocsin.node.log import Logger


def member(name: str, *, go: bool = False) -> Member:
    address = Address("10.0.0.1", int(name.rpartition("-")[2]) + 1)
    return Member(name, address, 1, MemberState.ALIVE, 0.0, b"" if go else META, bytes(6))


class Gossip:
    """Writes down what is sent."""

    def __init__(self, gossip_interval: float) -> None:
        self.config = GossipConfig(gossip_interval=gossip_interval)
        self.sent: list[tuple[str, str, bytes]] = []
        self.stuck: set[str] = set()
        self.unknown: set[str] = set()
        self.unreachable: set[str] = set()
        self.by_stream: list[tuple[str, str, bytes]] = []
        self.round_trips: dict[str, float] = {}
        self.streams_open = asyncio.Event()
        self.streams_open.set()

    packet_room: int | None = None

    async def send_reliable(self, name: str, payload: bytes) -> None:
        if name in self.unknown:
            raise NotFoundError(name)
        if name in self.unreachable:
            raise TransportError("refused")
        await self.streams_open.wait()
        self.by_stream.append((name, *decode_part(payload)))

    def send_best_effort(self, name: str, payload: bytes) -> None:
        if name in self.unknown:
            raise NotFoundError(name)
        self.sent.append((name, *decode_part(payload)))

    def backlog(self, name: str) -> int:
        return MAX_BACKLOG + 1 if name in self.stuck else 0

    def round_trip(self, name: str) -> float | None:
        return self.round_trips.get(name)


class Bench:
    def __init__(self, others: int, *, go: int = 0, gossip_interval: float = 0.02) -> None:
        self.gossip = Gossip(gossip_interval)
        self.resynced: list[str] = []
        self.hanging: set[str] = set()
        self.replication = Replication(
            self.gossip,
            {"sil": lambda change: change.partition(b"=")[0]},
            resync=self._resync,
            random=Random(1),
            log=Logger("tocsin.test"),
        )
        self.members = [member(f"node-{number}") for number in range(others)]
        self.members += [member(f"go-{number}", go=True) for number in range(others, others + go)]
        for one in self.members:
            self.replication.member_changed(one)

    async def _resync(self, name: str) -> bool:
        self.resynced.append(name)
        if name in self.hanging:
            await asyncio.Event().wait()
        return True

    def told(self, data: bytes) -> list[str]:
        """Who was sent that."""
        return sorted(name for name, _, sent in self.gossip.sent if sent == data)

    async def quiet(self) -> None:
        await eventually(lambda: self.replication.outbound.next_timeout() is None)


AT_ONCE: Final = 2.0
"""A gossip interval, with which what is sent at once and what is sent later is apart on any machine."""


def run(
    story: Callable[[Bench], Awaitable[None]],
    others: int = 2,
    *,
    go: int = 0,
    gossip_interval: float = 0.02,
) -> None:
    async def main() -> None:
        bench = Bench(others, go=go, gossip_interval=gossip_interval)
        await story(bench)
        await bench.replication.close()

    asyncio.run(main())


def test_what_one_turn_of_the_loop_changes_leaves_in_one_message_to_each() -> None:
    async def story(bench: Bench) -> None:
        for change in (b"x=1,", b"y=1,", b"x=2,"):
            bench.replication.broadcast("sil", [change])
        assert bench.gossip.sent == []
        await bench.quiet()
        assert bench.gossip.sent == [("node-0", "sil", b"x=2,y=1,"), ("node-1", "sil", b"x=2,y=1,")]
        assert bench.replication.statistics.batches == 2

    run(story)


def test_alone_nothing_is_queued() -> None:
    async def story(bench: Bench) -> None:
        bench.replication.broadcast("sil", [b"x=1"])
        assert bench.replication.outbound.queued.changes == 0

    run(story, 0)


def test_while_they_are_few_everybody_gets_it_from_its_maker() -> None:
    async def story(bench: Bench) -> None:
        bench.replication.broadcast("sil", [b"x=1"])
        await bench.quiet()
        assert len(bench.told(b"x=1")) == FEW

    run(story, FEW - 2, go=2)


def test_of_many_a_few_get_it_at_once_some_later_and_each_go_peer_from_its_maker() -> None:
    async def story(bench: Bench) -> None:
        bench.replication.broadcast("sil", [b"x=1"])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        now = bench.told(b"x=1")
        await bench.quiet()
        told = bench.told(b"x=1")
        assert {"go-40", "go-41", "go-42"} < set(now)
        assert len(now) == 3 + bench.gossip.config.gossip_nodes
        assert len(told) == len(set(told)) > len(now)
        assert len(told) < 20

    run(story, 40, go=3, gossip_interval=AT_ONCE)


def test_a_change_goes_to_a_thousand_members_in_steps() -> None:
    async def story(bench: Bench) -> None:
        bench.replication._add(bench.replication._others, "sil", [b"made"])
        at_once = []
        while len(bench.told(b"made")) < 1000:
            before = len(bench.told(b"made"))
            await asyncio.sleep(0)
            at_once.append(len(bench.told(b"made")) - before)
        assert max(at_once) <= replication.AT_ONCE
        assert sorted(bench.told(b"made")) == sorted(bench.replication._others), "each once"

    run(story, 0, go=1000)


def test_of_a_thousand_tocsin_nodes_those_that_answer_get_a_change() -> None:
    async def story(bench: Bench) -> None:
        bench.gossip.round_trips = {f"node-{number}": 0.001 for number in (1, 20, 700)}
        bench.replication.broadcast("sil", [b"made"])
        await bench.quiet()
        told = bench.told(b"made")
        assert bench.gossip.round_trips.keys() <= set(told)
        assert len(told) < replication.MANY

    run(story, 1000)


def test_of_a_thousand_alertmanagers_those_that_answer_get_a_change_and_some_others() -> None:
    async def story(bench: Bench) -> None:
        bench.gossip.round_trips = {f"go-{number}": 0.001 for number in range(20, 30)}
        bench.replication.broadcast("sil", [b"made"])
        await bench.quiet()
        told = bench.told(b"made")
        assert len(told) == len(set(told)) == 10 + replication.SILENT
        assert bench.gossip.round_trips.keys() <= set(told)

    run(story, 0, go=1000)


def test_of_very_many_one_that_has_answered_nothing_gets_a_change_too() -> None:
    async def story(bench: Bench) -> None:
        silent = {"node-7", "go-107"}
        bench.gossip.round_trips = {one.name: 0.001 for one in bench.members if one.name not in silent}
        bench.replication.broadcast("sil", [b"made"])
        await bench.quiet()
        told = bench.told(b"made")
        assert silent < set(told)
        assert len([name for name in told if name.startswith("go")]) == replication.MANY

    run(story, 100, go=100)


def test_news_of_a_tocsin_node_is_repeated_to_the_others_but_not_at_once() -> None:
    async def story(bench: Bench) -> None:
        bench.replication.relay("sil", [b"x=1"], bench.members[0].address, 10_000)
        assert bench.replication.outbound.next_timeout() is not None
        await asyncio.sleep(0)
        assert bench.gossip.sent == []
        await bench.quiet()
        assert bench.told(b"x=1") == ["node-1", "node-2"]

    run(story, 3)


def test_news_from_afar_goes_to_neighbours_at_once_since_what_they_were_sent_may_be_lost() -> None:
    async def story(bench: Bench) -> None:
        bench.gossip.round_trips |= {"node-0": 0.25, "node-1": 0.002, "node-2": 0.15}  # node-3: not measured
        bench.replication.relay("sil", [b"x=1"], bench.members[0].address, 10_000)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert bench.told(b"x=1") == ["node-1"]

    run(story, 4, gossip_interval=AT_ONCE)


def test_who_was_told_at_once_is_not_told_again_with_the_next_tick() -> None:
    async def story(bench: Bench) -> None:
        bench.gossip.round_trips |= {"node-0": 0.25, "node-1": 0.002, "node-2": 0.15}
        bench.replication.relay("sil", [b"x=1"], bench.members[0].address, 10_000)
        await bench.quiet()
        assert bench.told(b"x=1") == ["node-1", "node-2", "node-3"]

    run(story, 4)


def test_news_of_a_neighbour_is_repeated_with_the_next_tick_only_however_near_the_others_are() -> None:
    async def story(bench: Bench) -> None:
        bench.gossip.round_trips |= {"node-0": 0.015, "node-1": 0.001, "node-2": 0.15}
        bench.replication.relay("sil", [b"x=1"], bench.members[0].address, 10_000)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert bench.gossip.sent == []

    run(story, 4, gossip_interval=AT_ONCE)


def test_news_of_an_alertmanager_goes_on_at_once_unless_it_tells_all_itself() -> None:
    async def story(bench: Bench) -> None:
        bench.replication.relay("sil", [b"large=1"], bench.members[-1].address, 701)
        bench.replication.relay("sil", [b"small=1"], bench.members[-1].address, 700)
        bench.replication.relay("sil", [b"by stream=1"], Address("10.0.0.1", 54321), 701)
        await bench.quiet()
        assert bench.gossip.sent == [("node-0", "sil", b"small=1"), ("node-1", "sil", b"small=1")]

    run(story, 2, go=1)


def test_what_a_tocsin_node_sent_by_stream_is_passed_on_however_long_it_is() -> None:
    async def story(bench: Bench) -> None:
        bench.replication.relay("sil", [b"x=1"], Address("10.0.0.1", 54321), 10_000)
        bench.replication.relay("sil", [b"y=1"], Address("10.0.0.99", 54321), 10_000)
        await bench.quiet()
        assert bench.told(b"x=1") == ["node-0", "node-1", "node-2"]  # which of them it was is not known
        assert bench.told(b"y=1") == []

    run(story, 3)


def test_what_the_only_node_of_a_host_sent_by_stream_is_not_sent_back() -> None:
    async def story(bench: Bench) -> None:
        alone = replace(bench.members[0], address=Address("10.0.0.7", 1))
        bench.replication.member_changed(alone)
        bench.replication.relay("sil", [b"x=1"], Address("10.0.0.7", 54321), 10_000)
        await bench.quiet()
        assert bench.told(b"x=1") == ["node-1", "node-2"]

    run(story, 3)


def test_among_many_news_goes_on_at_once() -> None:
    async def story(bench: Bench) -> None:
        bench.replication.relay("sil", [b"x=1"], bench.members[0].address, 10_000)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(bench.told(b"x=1")) in (2, 3)  # the fan-out, less whom we have it from
        assert "node-0" not in bench.told(b"x=1")

    run(story, 40, gossip_interval=AT_ONCE)


def test_lost_packets_are_made_good_by_an_exchange() -> None:
    async def story(bench: Bench) -> None:
        bench.replication.packets_lost(bench.members[1].address)
        bench.replication.packets_lost(Address("10.9.9.9", 1))  # nobody that we know
        await eventually(lambda: bench.resynced)
        assert bench.resynced == ["node-1"]
        assert bench.replication.statistics.losses == 1
        for _ in range(50):  # a storm of losses makes no storm of exchanges
            bench.replication.packets_lost(bench.members[1].address)
            await asyncio.sleep(0)
        assert bench.resynced == ["node-1"]
        assert bench.replication.resyncs.next_timeout() is not None

    run(story)


def test_one_that_takes_nothing_waits_alone_and_past_the_bound_gets_an_exchange() -> None:
    async def story(bench: Bench) -> None:
        bench.gossip.stuck.add("node-0")
        for number in range(9000):
            bench.replication.broadcast("sil", [b"%d=" % number])
            if number % 1000 == 0:
                await asyncio.sleep(0)
        await eventually(lambda: bench.resynced)
        assert bench.resynced == ["node-0"]
        assert {name for name, _, _ in bench.gossip.sent} == {"node-1"}
        assert bench.replication.outbound.statistics.dropped["sil"] > 8000
        bench.gossip.stuck.clear()
        await bench.quiet()
        assert bench.gossip.sent[-1][0] == "node-0"

    run(story)


def test_one_that_died_is_queued_nothing_and_gets_an_exchange_when_it_is_back() -> None:
    async def story(bench: Bench) -> None:
        gone = bench.members[0]
        bench.gossip.stuck.add(gone.name)
        bench.replication.broadcast("sil", [b"x=1"])
        bench.replication.member_gone(gone, on_purpose=False)
        bench.replication.broadcast("sil", [b"y=1"])
        await bench.quiet()
        assert {name for name, _, _ in bench.gossip.sent} == {"node-1"}
        assert bench.resynced == []
        bench.replication.member_changed(gone)
        await eventually(lambda: bench.resynced == [gone.name])

    run(story)


def test_exchanges_with_the_dead_take_no_place_from_the_living() -> None:
    async def story(bench: Bench) -> None:
        *dead, well = bench.members
        bench.hanging = {one.name for one in dead}
        for one in (*dead, well):
            bench.replication.packets_lost(one.address)
        await eventually(lambda: len(bench.resynced) == MAX_RUNNING)
        assert well.name not in bench.resynced
        for one in dead:
            bench.replication.member_gone(one, on_purpose=False)
        await eventually(lambda: bench.resynced[-1] == well.name)

    run(story, MAX_RUNNING + 1)


def test_one_that_left_is_owed_nothing() -> None:
    async def story(bench: Bench) -> None:
        gone = bench.members[0]
        bench.replication.packets_lost(gone.address)
        bench.replication.member_gone(gone, on_purpose=True)
        bench.replication.member_changed(gone)
        await asyncio.sleep(0.01)
        assert bench.resynced == []

    run(story)


def test_what_cannot_be_sent_counts_as_lost() -> None:
    async def story(bench: Bench) -> None:
        bench.gossip.unknown.add("node-0")
        bench.replication.broadcast("sil", [b"x=1"])
        await eventually(lambda: bench.resynced == ["node-0"])

    run(story)


def test_closing_sends_what_is_queued() -> None:
    async def story(bench: Bench) -> None:
        bench.replication.broadcast("sil", [b"x=1"])
        await bench.replication.close()
        assert len(bench.told(b"x=1")) == 2
        bench.replication.broadcast("sil", [b"y=1"])
        await asyncio.sleep(0.01)
        assert bench.told(b"y=1") == []

    run(story)


def datagrams(bench: Bench) -> None:
    """Packets are datagrams from now on."""
    bench.gossip.packet_room = 1000
    bench.replication = Replication(
        bench.gossip, {}, resync=bench._resync, random=Random(1), log=Logger("tocsin.test")
    )
    for one in bench.members:
        bench.replication.member_changed(one)


def test_where_packets_are_datagrams_what_fits_none_goes_by_stream() -> None:
    async def story(bench: Bench) -> None:
        datagrams(bench)
        bench.replication.broadcast("sil", [b"small"])
        bench.replication.broadcast("nfl", [bytes(1000)])  # with its envelope it fits no more
        await eventually(lambda: len(bench.gossip.by_stream) == 2)
        assert {(name, key) for name, key, _ in bench.gossip.by_stream} == {
            ("node-0", "nfl"),
            ("node-1", "nfl"),
        }
        await eventually(lambda: bench.told(b"small") == ["node-0"] * 3 + ["node-1"] * 3)
        assert bench.resynced == []

    run(story)


def test_the_longest_batch_for_a_datagram_fits_it_with_its_envelope() -> None:
    async def story(bench: Bench) -> None:
        datagrams(bench)
        sizes: list[int] = []
        bench.gossip.send_best_effort = lambda name, payload: sizes.append(len(payload))  # type: ignore[method-assign]
        for size in range(900, 1001):
            bench.replication.broadcast("sil", [bytes(size)])
            await bench.quiet()
        assert max(sizes) <= 1000

    run(story, 1)


def test_a_stream_that_fails_is_made_good_by_an_exchange_of_states() -> None:
    async def story(bench: Bench) -> None:
        datagrams(bench)
        bench.gossip.unreachable.add("node-0")
        bench.replication.broadcast("sil", [bytes(5000)])
        await eventually(lambda: bench.resynced == ["node-0"])
        assert [name for name, _, _ in bench.gossip.by_stream] == ["node-1"]
        assert bench.replication.outbound.statistics.undelivered == {"sil": 1}

    run(story)


def test_a_member_has_one_stream_at_a_time_and_what_comes_meanwhile_gathers() -> None:
    async def story(bench: Bench) -> None:
        datagrams(bench)
        bench.gossip.streams_open.clear()
        for number in range(10):
            bench.replication.broadcast("sil", [b"%d" % number * 2000])
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        assert len(bench.replication._tasks) == 1
        assert bench.replication.outbound.busy
        bench.gossip.streams_open.set()
        await eventually(lambda: not bench.replication.outbound.busy)
        assert len(bench.gossip.by_stream) <= 2 + 1
        assert b"".join(data for _, _, data in bench.gossip.by_stream) == b"".join(
            b"%d" % number * 2000 for number in range(10)
        )

    run(story, 1)


def test_closing_ends_the_streams_under_way() -> None:
    async def story(bench: Bench) -> None:
        datagrams(bench)
        bench.gossip.streams_open.clear()
        bench.replication.broadcast("sil", [bytes(5000)])
        await eventually(lambda: len(bench.replication._tasks))
        await bench.replication.close()
        assert not len(bench.replication._tasks)

    run(story)
