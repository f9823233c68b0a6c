"""What peers send is merged in order, refused entry by entry, and never waits without bound."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import pytest
from msgspec.structs import replace

from tests.support.transports import eventually
from tocsin.alerting.silence import Silence, Silences, make_matcher_sets
from tocsin.alerting.timestamp import SECOND
from tocsin.gossip.address import Address
from tocsin.node.clock import Clock
from tocsin.node.cluster import inbox as module
from tocsin.node.cluster.inbox import Inbox
from tocsin.node.log import Logger

HOUR = 3600 * SECOND
PEER = Address("10.0.0.1", 9094)


def silence(now: int, value: str, comment: str = "") -> Silence:
    return Silence(
        id="",
        matcher_sets=make_matcher_sets([[(0, "alertname", value)]]),
        starts_at=now,
        ends_at=now + HOUR,
        created_by="test",
        comment=comment,
    )


class Bench:
    """An inbox before real silences, and what it told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.silences = Silences(HOUR, random=Random(1))
        self.merged: list[str] = []
        self.spread: list[bytes] = []
        self._peers = 0
        self.inbox = Inbox(
            {"sil": self.silences},
            clock=self.clock,
            log=Logger("tocsin.test"),
            on_merged=self.merged.append,
            relay=self._relay,
        )

    def _relay(self, key: str, changes: Sequence[bytes], source: Address, size: int) -> None:
        assert key == "sil"
        assert isinstance(source, Address)
        assert size >= sum(map(len, changes))
        self.spread += changes

    def from_peer(self, *silences: Silence) -> list[bytes]:
        """The changes that a peer would send."""
        self._peers += 1
        peer = Silences(HOUR, random=Random(f"peer {self._peers}"))
        return [change for each in silences for change in peer.set(each, self.clock.now())[1]]


def run(story: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench()
        await story(bench)
        await bench.inbox.close()

    asyncio.run(main())


def test_a_change_is_merged_at_once_and_told_on_once() -> None:
    async def story(bench: Bench) -> None:
        [change] = bench.from_peer(silence(bench.clock.now(), "x"))
        bench.inbox.update("sil", change, PEER)
        assert len(bench.silences) == 1
        assert bench.merged == ["sil"]
        assert bench.spread == [change]
        bench.inbox.update("sil", change, PEER)
        assert bench.spread == [change]
        assert bench.inbox.statistics.taken["sil"] == 1

    run(story)


def test_a_large_state_gives_way_and_arrives_whole() -> None:
    async def story(bench: Bench) -> None:
        now = bench.clock.now()
        changes = bench.from_peer(*(silence(now, f"x{number}", "y" * 200) for number in range(300)))
        bench.inbox.full_state([("sil", b"".join(changes)), ("nfl", b"")], PEER)
        assert len(bench.silences) < 300
        turns = 0
        while not bench.inbox.idle:
            turns += 1
            await asyncio.sleep(0)
        assert turns > 2
        assert len(bench.silences) == 300

    run(story)


def test_changes_behind_a_large_state_keep_their_order() -> None:
    async def story(bench: Bench) -> None:
        now = bench.clock.now()
        large = b"".join(bench.from_peer(*(silence(now, f"x{n}", "y" * 200) for n in range(200))))
        [small] = bench.from_peer(silence(now, "late"))
        bench.inbox.full_state([("sil", large)], PEER)
        bench.inbox.update("sil", small, PEER)
        assert not any(each.matchers[0].value == "late" for each in bench.silences.query(now))
        await eventually(lambda: bench.inbox.idle)
        assert len(bench.silences) == 201

    run(story)


def test_bytes_that_are_no_state_are_counted_and_change_nothing() -> None:
    async def story(bench: Bench) -> None:
        bench.inbox.update("sil", b"\xff\xff\xff", PEER)
        bench.inbox.update("unheard of", b"x", PEER)
        assert bench.inbox.statistics.payloads_refused == 1
        assert bench.inbox.statistics.unknown_keys == 1
        assert len(bench.silences) == 0

    run(story)


def test_what_waits_is_bounded_and_the_excess_counted() -> None:
    async def story(bench: Bench) -> None:
        now = bench.clock.now()
        large = b"".join(bench.from_peer(*(silence(now, f"x{n}", "y" * 200) for n in range(100))))
        for number in range(module.MAX_WAITING + 5):
            bench.inbox.update("sil", large, Address(f"10.0.0.{1 + number % 4}", 1 + number))
        assert bench.inbox.statistics.payloads_dropped == 5
        await eventually(lambda: bench.inbox.idle)
        assert len(bench.silences) == 100

    run(story)


def test_a_host_that_opens_stream_after_stream_leaves_room_for_others() -> None:
    async def story(bench: Bench) -> None:
        now = bench.clock.now()
        large = b"".join(bench.from_peer(*(silence(now, f"x{n}", "y" * 200) for n in range(100))))
        for number in range(module.MAX_WAITING_OF_HOST + 5):
            bench.inbox.update("sil", large, Address("10.0.0.2", 40_000 + number))
        assert bench.inbox.statistics.payloads_dropped == 5
        [other] = bench.from_peer(silence(now, "other", "z" * 20_000))
        bench.inbox.update("sil", other, PEER)
        assert bench.inbox.statistics.payloads_dropped == 5
        await eventually(lambda: bench.inbox.idle)
        assert any(each.matchers[0].value == "other" for each in bench.silences.query(now))

    run(story)


def test_a_host_has_its_share_of_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(bench: Bench) -> None:
        now = bench.clock.now()
        large = b"".join(bench.from_peer(*(silence(now, f"x{n}", "y" * 200) for n in range(100))))
        monkeypatch.setattr(module, "MAX_WAITING_BYTES", 4 * len(large))
        for number in range(3):
            bench.inbox.update("sil", large, Address("10.0.0.2", 40_000 + number))
        assert bench.inbox.statistics.payloads_dropped == 1
        bench.inbox.update("sil", large, PEER)
        assert bench.inbox.statistics.payloads_dropped == 1
        await eventually(lambda: bench.inbox.idle)

    run(story)


def test_thousands_of_bad_entries_leave_most_of_the_time_to_others() -> None:
    async def story(bench: Bench) -> None:
        steps = 100
        bad = b"\x02\x0a\x00" * (steps * module.SLICE_ENTRIES)  # silences without anything
        bench.inbox.update("sil", bad, PEER)
        turns = 0
        while not bench.inbox.idle:
            turns += 1
            await asyncio.sleep(0)
        assert bench.inbox.statistics.refused["sil"] == steps * module.SLICE_ENTRIES
        assert turns > 10 * steps

    run(story)


def test_bad_entries_are_counted_while_the_rest_of_them_waits() -> None:
    """A large state of them takes long: whoever looks for its sender must not have to wait for the end."""

    async def story(bench: Bench) -> None:
        steps = 100
        bad = b"\x02\x0a\x00" * (steps * module.SLICE_ENTRIES)
        bench.inbox.full_state([("sil", bad)], PEER)
        seen = set()
        while not bench.inbox.idle:
            seen.add(bench.inbox.statistics.refused["sil"])
            await asyncio.sleep(0)
        assert len(seen) > steps / 2
        assert bench.inbox.statistics.refused["sil"] == steps * module.SLICE_ENTRIES

    run(story)


def test_a_peer_does_not_fill_the_log_with_what_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async def story(bench: Bench) -> None:
        for number in range(50):
            bench.inbox.update("sil", b"\x02\x0a\x00", Address("10.0.0.1", 1000 + number))
        bench.inbox.update("sil", b"\x02\x0a\x00", Address("10.0.0.2", 9094))
        assert bench.inbox.statistics.refused["sil"] == 51
        assert [record.getMessage() for record in caplog.records] == ["entries from peer refused"] * 2

    with caplog.at_level(logging.WARNING):
        run(story)


def test_one_peer_neither_fills_the_inbox_nor_keeps_the_others_waiting() -> None:
    async def story(bench: Bench) -> None:
        now = bench.clock.now()
        large = b"".join(bench.from_peer(*(silence(now, f"x{n}", "y" * 200) for n in range(300))))
        greedy = Address("10.0.0.2", 9094)
        for _ in range(module.MAX_WAITING_OF_SOURCE + 5):
            bench.inbox.update("sil", large, greedy)
        assert bench.inbox.statistics.payloads_dropped == 5
        small, other = bench.from_peer(silence(now, "small"), silence(now, "large", "z" * 20_000))
        bench.inbox.update("sil", small, PEER)
        assert len(bench.silences) == 1, "a small one of a peer of which nothing waits is merged at once"
        bench.inbox.update("sil", other, PEER)
        for _ in range(6):
            await asyncio.sleep(0)
        assert len(bench.silences.query(now)) > 1, "a large one has the next turn but one"
        assert any(each.matchers[0].value == "large" for each in bench.silences.query(now))
        await eventually(lambda: bench.inbox.idle)

    run(story)


def costly(now: int, number: int, patterns: int = 2) -> Silence:
    sets = make_matcher_sets([[(1, "text", rf"\pL{{{number + each}}}") for each in range(patterns)]])
    return replace(silence(now, "x"), matcher_sets=sets)


def plain_ones(bench: Bench, now: int) -> int:
    return sum(not each.matchers[0].type.is_regex for each in bench.silences.query(now))


def test_who_sends_costly_patterns_waits_and_another_at_its_address_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(bench: Bench) -> None:
        monkeypatch.setattr(module, "perf_counter", lambda: 0.0)  # nobody rests
        now = bench.clock.now()
        many = [b"".join(bench.from_peer(costly(now, number))) for number in range(4, 14)]
        gc.collect()  # what somebody holds is read no more
        other = Address(PEER.host, PEER.port + 1)
        large = b"".join(bench.from_peer(*(silence(now, f"x{n}", "y" * 200) for n in range(100))))
        for each in many:
            bench.inbox.update("sil", each, PEER)
        assert bench.inbox.statistics.costly_steps
        assert len(bench.silences) < len(many)
        bench.inbox.update("sil", large, other)
        await eventually(lambda: plain_ones(bench, now) == 100)
        assert len(bench.silences) < 100 + len(many)
        monkeypatch.undo()
        await eventually(lambda: bench.inbox.idle)
        assert len(bench.silences) == 100 + len(many)

    run(story)


def test_streams_of_one_host_are_charged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(bench: Bench) -> None:
        monkeypatch.setattr(module, "perf_counter", lambda: 0.0)  # nobody rests
        now = bench.clock.now()
        inbox = Inbox(
            {"sil": bench.silences},
            clock=bench.clock,
            log=Logger("tocsin.test"),
            on_merged=bench.merged.append,
            relay=bench._relay,
            is_member=lambda _: False,
        )
        many = [b"".join(bench.from_peer(costly(now, number))) for number in range(4, 14)]
        gc.collect()  # what somebody holds is read no more
        for port, each in enumerate(many):
            inbox.full_state([("sil", each)], Address(PEER.host, 40_000 + port))
        assert len(bench.silences) < len(many)
        monkeypatch.undo()
        await eventually(lambda: inbox.idle)
        assert len(bench.silences) == len(many)

    run(story)


def test_what_is_cheap_does_not_wait_for_what_is_costly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer tells on what it was told by somebody else: its own silences must not wait for those."""

    async def story(bench: Bench) -> None:
        monkeypatch.setattr(module, "perf_counter", lambda: 0.0)  # nobody rests
        now = bench.clock.now()
        many = [b"".join(bench.from_peer(costly(now, number))) for number in range(4, 14)]
        mixed = bench.from_peer(costly(now, 15), silence(now, "first"), costly(now, 16), silence(now, "last"))
        gc.collect()  # what somebody holds is read no more
        for each in many:
            bench.inbox.update("sil", each, PEER)
        await bench.inbox.merged(PEER.host)
        waiting = 10 - len(bench.silences)
        assert waiting
        bench.inbox.update("sil", b"".join(bench.from_peer(silence(now, "alone"))), PEER)
        assert plain_ones(bench, now) == 1
        bench.spread.clear()
        bench.inbox.update("sil", b"".join(mixed), PEER)
        assert plain_ones(bench, now) == 3
        assert len(bench.spread) == 2, "they are told on before the costly ones are in"
        large = b"".join(bench.from_peer(*(silence(now, f"x{n}", "y" * 200) for n in range(100))))
        bench.inbox.update("sil", large, PEER)
        await bench.inbox.merged(PEER.host)
        assert plain_ones(bench, now) == 103
        assert len(bench.silences) == 103 + 10 - waiting, "nobody waits for those that are put off"
        monkeypatch.undo()
        await eventually(lambda: bench.inbox.idle)
        assert len(bench.silences) == 103 + 12
        assert len(bench.spread) == 4 + 100 + waiting

    run(story)


def test_nobody_waits_for_what_another_host_has_sent() -> None:
    """An exchange with one member must not stand still because another sends without end."""

    async def story(bench: Bench) -> None:
        now = bench.clock.now()
        long = b"".join(bench.from_peer(*(silence(now, f"a{n}", "y" * 200) for n in range(2_000))))
        short = b"".join(bench.from_peer(*(silence(now, f"b{n}", "y" * 200) for n in range(100))))
        bench.inbox.full_state([("sil", long)], Address("10.0.0.9", 40_000))
        bench.inbox.update("sil", short, PEER)
        await bench.inbox.merged(PEER.host)
        assert 100 <= len(bench.silences) < 2_000
        await bench.inbox.merged("10.0.0.3")
        assert len(bench.silences) < 2_000
        waiting = asyncio.create_task(bench.inbox.merged("10.0.0.9"))
        await bench.inbox.merged("10.0.0.9")
        await waiting
        assert len(bench.silences) == 2_100

    run(story)


def test_costly_entries_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(bench: Bench) -> None:
        monkeypatch.setattr(module, "perf_counter", lambda: 0.0)
        monkeypatch.setattr(module, "MAX_COSTLY", 8)
        now = bench.clock.now()
        changes = [b"".join(bench.from_peer(costly(now, 4 + n % 20))) for n in range(40)]
        gc.collect()
        for host in range(4):
            for each in changes[10 * host : 10 * host + 10]:
                bench.inbox.update("sil", each, Address(f"10.0.0.{host}", 9094))
        for host in range(4):
            await bench.inbox.merged(f"10.0.0.{host}")
        taken = bench.inbox.statistics.taken["sil"]
        assert bench.inbox.statistics.costly_dropped == 40 - taken - 8
        monkeypatch.undo()
        await eventually(lambda: bench.inbox.idle)

    run(story)


def test_a_bug_in_merging_costs_that_payload_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(self: object, *_: object, **__: object) -> bool:
        raise RuntimeError("a bug")

    async def story(bench: Bench) -> None:
        now = bench.clock.now()
        changes = bench.from_peer(*(silence(now, f"x{number}", "y" * 200) for number in range(200)))
        with monkeypatch.context() as patched:
            patched.setattr(type(bench.silences.merge_job(b"", now)), "step", raises)
            bench.inbox.update("sil", changes[0], PEER)
            bench.inbox.full_state([("sil", b"".join(changes))], PEER)
            await eventually(lambda: bench.inbox.idle)
        assert bench.inbox.statistics.payloads_refused == 2
        assert bench.inbox._waiting_bytes == 0
        bench.inbox.full_state([("sil", b"".join(changes))], PEER)
        await eventually(lambda: bench.inbox.idle)
        assert len(bench.silences) == 200

    run(story)
