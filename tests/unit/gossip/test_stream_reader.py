"""Reading messages off streams: what unfinished ones hold, and whose time it is."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from itertools import count
from typing import cast

import pytest

from tocsin.errors import TransportError
from tocsin.gossip import stream_memory, stream_reader
from tocsin.gossip.address import Address
from tocsin.gossip.core.steps import Steps
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.stream_memory import StreamMemory, StreamShare
from tocsin.gossip.stream_reader import ASKED, LONGEST, Deadline, StreamReader
from tocsin.gossip.testing import run
from tocsin.gossip.transport.base import Stream
from tocsin.gossip.transport.memory import MemoryNetwork, MemoryTransport
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.wire.messages import Message, User
from tocsin.gossip.wire.stream import StreamCodec, StreamDecoder


class Fixed:
    """A stream that brings the same bytes at once, then ends."""

    remote = Address("192.0.2.1", 1)

    peer = None

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data


def reader() -> StreamReader:
    return StreamReader(MemoryTransport(MemoryNetwork()), DriverStatistics())


def test_a_few_bytes_that_unpack_to_megabytes_are_cut_before_they_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        bound = 256 * 1024
        monkeypatch.setattr(stream_memory, "MAX_HELD_OF_PEER", bound)
        codec = StreamCodec(compression=True)
        wire = b"".join(codec.encode(User(bytes(4 * 1024 * 1024))))
        assert len(wire) < stream_reader._BITE
        statistics = DriverStatistics()
        one, decoder = StreamReader(MemoryTransport(MemoryNetwork()), statistics), codec.decoder()
        with pytest.raises(TransportError, match="too much memory"):
            await one.read(cast("Stream", Fixed(wire)), decoder)
        assert decoder.held <= bound + 2 * 64 * 1024
        assert one.held == 0
        assert statistics.streams_over_memory == 1

    asyncio.run(story())


def test_a_message_that_is_whole_is_held_no_longer() -> None:
    async def story() -> None:
        one, codec, message = reader(), StreamCodec(), User(bytes(300_000))
        wire = b"".join(codec.encode(message))
        assert await one.read(cast("Stream", Fixed(wire)), codec.decoder()) == message
        assert one.held == 0

    asyncio.run(story())


class Sent(Fixed):
    """Of another host each; ``rest``: what comes once ``go_on`` is set."""

    def __init__(self, number: int, data: bytes, rest: bytes = b"") -> None:
        super().__init__(data)
        self.remote = Address(f"192.0.2.{number}", 1)
        self.rest = rest
        self.go_on = asyncio.Event()

    async def read(self) -> bytes:
        data = await super().read()
        if not data and self.rest:
            await self.go_on.wait()
            data, self.rest = self.rest, b""
        return data


def test_many_streams_that_unpack_to_megabytes_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    size, budget, streams = 2 << 20, 1 << 20, 20
    monkeypatch.setattr(stream_memory, "BUDGET", budget)
    most = 0
    counted = StreamShare.count

    def count(share: StreamShare) -> None:
        nonlocal most
        counted(share)
        most = max(most, share._memory.held)

    monkeypatch.setattr(StreamShare, "count", count)

    async def story() -> None:
        statistics, codec = DriverStatistics(), StreamCodec(compression=True)
        one = StreamReader(MemoryTransport(MemoryNetwork()), statistics)
        wire = b"".join(codec.encode(User(bytes(size))))
        reads = [one.read(cast("Stream", Sent(each, wire)), codec.decoder()) for each in range(streams)]
        assert await asyncio.gather(*reads) == [User(bytes(size))] * streams
        assert statistics.streams_waited >= streams - 1
        assert not statistics.streams_over_memory
        assert one.held == 0

    asyncio.run(story())
    table = 3 << 20  # Of LZW.
    step = 2 * 64 * 1024
    assert most <= budget + size + table + streams * step


def test_who_sends_nothing_more_lets_others_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_memory, "BUDGET", 1 << 20)
    monkeypatch.setattr(stream_memory, "STALL", 0.01)

    async def story() -> None:
        statistics, codec = DriverStatistics(), StreamCodec()
        one = StreamReader(MemoryTransport(MemoryNetwork()), statistics)
        wire = b"".join(codec.encode(User(bytes(2 << 20))))
        slow = Sent(1, wire[:-1], wire[-1:])
        first = asyncio.create_task(one.read(cast("Stream", slow), codec.decoder()))
        while one.held < len(wire) - 100:  # noqa: ASYNC110 (it is read at once)
            await asyncio.sleep(0)
        assert await one.read(cast("Stream", Sent(2, wire)), codec.decoder()) is not None
        assert statistics.streams_waited == 1
        assert not first.done()
        slow.go_on.set()
        assert await first is not None
        assert not statistics.streams_over_memory
        assert one.held == 0

    asyncio.run(story())


def test_work_in_steps_is_told_the_time() -> None:
    async def story() -> None:
        def work() -> Steps[list[float | None]]:
            first = yield
            second = yield
            return [first, second]

        loop = asyncio.get_running_loop()
        before = loop.time()
        first, second = await reader().run_steps("peer", work())
        assert first is not None
        assert second is not None
        assert before <= first <= second <= loop.time()

    asyncio.run(story())


def test_of_an_answer_to_what_we_asked_a_part_is_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a join whose state takes seconds to unpack waits for the peer's share until its deadline."""

    class Charged(FairScheduler):
        async def wait_for(self, peer: Hashable) -> None:
            pass

        def charge(self, peer: Hashable, began: float, *, weight: float = 1.0) -> bool:
            charged[-1] += weight * (next(clock) / 4096 - began)
            return True

    charged: list[float] = []
    clock = count()

    async def story() -> None:
        transport = MemoryTransport(MemoryNetwork())
        transport.scheduler = Charged(1.0, 1.0)
        one, codec = StreamReader(transport, DriverStatistics()), StreamCodec()
        monkeypatch.setattr(stream_reader, "perf_counter", lambda: next(clock) / 4096)
        wire = b"".join(codec.encode(User(bytes(300_000))))
        for weight in (1.0, ASKED):
            charged.append(0.0)
            await one.read(cast("Stream", Fixed(wire)), codec.decoder(), weight=weight)

    asyncio.run(story())
    assert charged[0] > 0
    assert charged[1] == charged[0] * ASKED


class Dripping:
    """A stream that brings so many bytes of a message every second, for ever."""

    remote = Address("192.0.2.1", 1)

    peer = None

    def __init__(self, data: bytes, size: int) -> None:
        self.left = data
        self._size = size

    async def read(self) -> bytes:
        await asyncio.sleep(1.0)
        data, self.left = self.left[: self._size], self.left[self._size :]
        return data


TIMEOUT = 10.0
LARGE = b"".join(StreamCodec().encode(User(bytes(4 << 20))))


async def read_in_time(stream: Dripping) -> float:
    """Seconds until the message was whole, or until its reader gave up (then negative)."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(TIMEOUT) as limit:
            message = await reader().read(
                cast("Stream", stream), StreamCodec().decoder(), deadline=Deadline(limit, TIMEOUT)
            )
    except TimeoutError:
        return began - loop.time()
    assert message == User(bytes(4 << 20))
    return loop.time() - began


def test_a_message_that_goes_on_is_not_cut_at_its_first_deadline() -> None:
    took = run(lambda: read_in_time(Dripping(LARGE, 64 * 1024)))
    assert took > 6 * TIMEOUT


def test_a_message_that_drips_is_cut_as_before() -> None:
    assert run(lambda: read_in_time(Dripping(LARGE, 1024))) == -TIMEOUT


def test_no_message_may_take_longer_than_so_many_timeouts() -> None:
    assert run(lambda: read_in_time(Dripping(LARGE, 16 * 1024))) == -LONGEST * TIMEOUT


class Slow(Fixed):
    """Of another host; half a megabyte of a message every second."""

    def __init__(self, number: int, data: bytes) -> None:
        super().__init__(data)
        self.remote = Address(f"192.0.2.{number}", 1)
        self.left = data

    async def read(self) -> bytes:
        await asyncio.sleep(1.0)
        data, self.left = self.left[: 1 << 19], self.left[1 << 19 :]
        return data


VERY_LARGE = User(bytes(8 << 20))


@pytest.mark.parametrize("slow", [1, 3])
def test_who_waits_for_others_that_are_slow_is_not_cut(monkeypatch: pytest.MonkeyPatch, slow: int) -> None:
    """Each of them goes on fast enough to be let, and three turns take longer than a stream timeout."""
    monkeypatch.setattr(stream_memory, "BUDGET", 1 << 20)
    sent = b"".join(StreamCodec().encode(VERY_LARGE))

    async def story() -> None:
        loop, statistics = asyncio.get_running_loop(), DriverStatistics()
        one = StreamReader(MemoryTransport(MemoryNetwork()), statistics)

        async def read(stream: Fixed) -> Message | None:
            async with one.reading(cast("Stream", stream), StreamCodec().decoder(), TIMEOUT) as message:
                return message

        others = [asyncio.create_task(read(Slow(number, sent))) for number in range(slow)]
        while not (one.held > 1 << 20 and statistics.streams_waited == slow - 1):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        began = loop.time()
        assert await read(Sent(99, LARGE)) == User(bytes(4 << 20))
        assert loop.time() - began <= slow * stream_memory.TURN + 1
        assert not any(other.done() for other in others)
        for other in others:  # They go on later.
            assert await other == VERY_LARGE
        assert not statistics.streams_over_memory
        assert one.held == 0

    run(story)


def test_nobody_waits_for_its_turn_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_memory, "BUDGET", 1 << 20)
    monkeypatch.setattr(stream_memory, "TURN", 1e6)
    monkeypatch.setattr(stream_memory, "STALL", 1e6)

    async def story() -> None:
        loop, moved = asyncio.get_running_loop(), list[float]()
        one = reader()
        unfinished = cast("Stream", Sent(1, LARGE[:-1], LARGE[-1:]))
        first = asyncio.create_task(one.read(unfinished, StreamCodec().decoder()))
        await asyncio.sleep(1)
        began = loop.time()

        async def second() -> None:
            async with asyncio.timeout(TIMEOUT) as limit:
                deadline = Deadline(limit, TIMEOUT, on_moved=moved.append)
                await one.read(cast("Stream", Sent(2, LARGE)), StreamCodec().decoder(), deadline=deadline)

        with pytest.raises(TimeoutError):
            await second()
        assert loop.time() - began == LONGEST * TIMEOUT
        assert moved == [began + LONGEST * TIMEOUT]
        first.cancel()

    run(story)


def test_after_a_turn_has_come_a_timeout_is_left_and_never_less_than_before() -> None:
    async def story() -> None:
        moved: list[float] = []
        async with asyncio.timeout(2 * TIMEOUT) as limit:
            deadline = Deadline(limit, TIMEOUT, on_moved=moved.append)
            with deadline.resting():
                assert limit.when() == LONGEST * TIMEOUT
                await asyncio.sleep(1)
            assert limit.when() == 2 * TIMEOUT
            with deadline.resting():
                await asyncio.sleep(50)
            assert limit.when() == 51 + TIMEOUT
            with deadline.resting():
                await asyncio.sleep(60)
            assert limit.when() == LONGEST * TIMEOUT
        last = LONGEST * TIMEOUT
        assert moved == [last, 2 * TIMEOUT, last, 51 + TIMEOUT, last, last]

    run(story)


class Holding:
    """In place of a decoder."""

    def __init__(self, held: int) -> None:
        self.held = held


def counted(memory: StreamMemory, peer: Hashable, held: int) -> StreamShare:
    share = StreamShare(memory, peer, cast("StreamDecoder", Holding(held)))
    share.count()
    return share


def test_a_small_message_is_read_when_others_hold_all_that_they_may() -> None:
    statistics = DriverStatistics()
    memory, most = StreamMemory(statistics), stream_memory.MAX_HELD_OF_PEER
    large = [counted(memory, f"192.0.2.{number}", most) for number in range(2)]
    assert memory.held == stream_memory.MAX_HELD
    small = counted(memory, "192.0.2.9", stream_memory.FREE)
    with pytest.raises(TransportError, match="too much memory"):
        counted(memory, "192.0.2.8", stream_memory.FREE + 1)
    with pytest.raises(TransportError, match="too much memory"):
        counted(memory, "192.0.2.1", 1)  # Its own bound holds always.
    assert statistics.streams_over_memory == 2
    for share in (*large, small):
        share.give_back()


def test_one_ipv6_network_is_one_source_and_so_is_a_certificate_there() -> None:
    hosts = ["2001:db8::1", "2001:db8::2"]
    pairs: list[list[Hashable]] = [
        [*hosts],
        [PeerIdentity("certificate", frozenset({host}), host) for host in hosts],
    ]
    for one, other in pairs:
        memory, most = StreamMemory(DriverStatistics()), stream_memory.MAX_HELD_OF_PEER
        share = counted(memory, one, most)
        assert counted(memory, other, 0).source == share.source
        with pytest.raises(TransportError, match="too much memory"):
            counted(memory, other, 1)
        counted(memory, "2001:db8:1::1", most - 1).give_back()
        counted(memory, PeerIdentity("another", frozenset(), hosts[0]), most - 1).give_back()
        share.give_back()
