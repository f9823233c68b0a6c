"""Reads messages off streams, and writes them, in small steps and within what peers may cost and hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from time import perf_counter
from typing import Final, Protocol

from tocsin.gossip.core.steps import Outcome, Steps
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.peer import PeerIdentity, account_of
from tocsin.gossip.stream_memory import StreamMemory, StreamShare
from tocsin.gossip.transport.base import Stream, Transport
from tocsin.gossip.transport.scheduler import BAD_PACKET, SLICE
from tocsin.gossip.wire.messages import Message
from tocsin.gossip.wire.stream import StreamDecoder

ASKED: Final = 0.25
"""The weight at which work on an answer to an exchange that we have opened is charged to the peer. We decide
how often there is one; and a join whose large state waits for the peer's share may not be done in time."""

PROGRESS: Final = 64 * 1024
"""Bytes of a message, as they come, for which its reader waits a stream timeout longer: what goes on is not
cut off, to be begun again from its first byte. Who sends less in that time gets no more of it."""
LONGEST: Final = 12
"""Stream timeouts that one message may take in all, however it goes on."""

_BITE: Final = 8 * 1024
"""Bytes decoded in one step at most."""


def accounted_peer(stream: Stream) -> Hashable:
    """The account charged for the work that a stream causes: of the peer, where that is known, else of its
    host."""
    return account_of(stream.peer or stream.remote.host)


async def write_all(stream: Stream, writes: Iterable[bytes], deadline: Deadline | None = None) -> None:
    """Write each by itself. A write that the kernel accepts at once does not wait, so yield to the event loop
    on purpose. ``deadline`` is extended as the writes progress."""
    for data in writes:
        await stream.write(data)
        if deadline is not None:
            deadline.progressed(len(data))
        if len(data) > _BITE:
            await asyncio.sleep(0)


class Limit(Protocol):
    """What is needed of :class:`asyncio.Timeout`."""

    def when(self) -> float | None:
        """The deadline, of the event loop's time."""

    def reschedule(self, when: float | None) -> None:
        """Set another one."""


class Deadline:
    """Moves ``limit`` on while the bytes of a message pass: by ``timeout`` seconds from the last PROGRESS of
    them, and never past LONGEST of those from now. ``on_moved`` gets each new one."""

    def __init__(
        self, limit: Limit, timeout: float, *, on_moved: Callable[[float], None] = lambda _until: None
    ) -> None:
        self._limit = limit
        self._timeout = timeout
        self._on_moved = on_moved
        self._loop = asyncio.get_running_loop()
        self._latest = self._loop.time() + LONGEST * timeout
        self._bytes = 0

    def progressed(self, size: int) -> None:
        """So many more bytes were taken by the peer, or were read and worked on."""
        self._bytes += size
        if self._bytes < PROGRESS:
            return
        self._bytes = 0
        until, before = self._next(), self._limit.when()
        if before is not None and until > before:
            self._move(until)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """While others come first, which is not for the peer to answer for: only the latest deadline holds.
        Then ``timeout`` seconds are left, up to that, or what was left before."""
        before = self._limit.when()
        if before is None:
            yield
            return
        self._move(self._latest)
        yield  # Who is cut off, or fails, meanwhile needs no deadline any more.
        self._move(max(before, self._next()))

    def _next(self) -> float:
        return min(self._loop.time() + self._timeout, self._latest)

    def _move(self, until: float) -> None:
        self._limit.reschedule(until)
        self._on_moved(until)


class StreamReader:
    """For all streams of one member."""

    def __init__(self, transport: Transport, statistics: DriverStatistics) -> None:
        self._transport = transport
        self._memory = StreamMemory(statistics)

    @property
    def held(self) -> int:
        """Bytes of unfinished messages."""
        return self._memory.held

    async def read(
        self,
        stream: Stream,
        decoder: StreamDecoder,
        *,
        weight: float = 1.0,
        deadline: Deadline | None = None,
    ) -> Message | None:
        """One message, or None when the stream ended without a byte of one. ``weight``: as in
        :meth:`run_steps`. ``deadline`` is extended as bytes are decoded.

        :class:`~tocsin.errors.WireError` for what is not a message, :class:`TransportError` when unfinished
        messages hold too much.
        """
        share = StreamShare(self._memory, accounted_peer(stream), decoder)
        try:
            return await self._read(stream, decoder, share, weight, deadline)
        finally:
            share.give_back()

    @asynccontextmanager
    async def reading(
        self, stream: Stream, decoder: StreamDecoder, timeout: float
    ) -> AsyncIterator[Message | None]:
        """As :meth:`read`, ``TimeoutError`` past ``timeout``, which moves on as it goes on. The message is
        counted as held until the block ends."""
        share = StreamShare(self._memory, accounted_peer(stream), decoder)
        try:
            async with asyncio.timeout(timeout) as limit:
                message = await self._read(stream, decoder, share, 1.0, Deadline(limit, timeout))
            yield message
        finally:
            share.give_back()

    async def _read(
        self,
        stream: Stream,
        decoder: StreamDecoder,
        share: StreamShare,
        weight: float,
        deadline: Deadline | None,
    ) -> Message | None:
        peer = accounted_peer(stream)
        while data := await stream.read():
            for start in range(0, len(data), _BITE):
                bite = data[start : start + _BITE]
                work = _decode(decoder, bite, share.count)
                message = await self.run_steps(peer, work, weight, share, deadline)
                if message is not None:
                    return message
                if deadline is not None:
                    deadline.progressed(len(bite))
        decoder.eof()
        return None

    def penalize(self, peer: PeerIdentity) -> None:
        """Charge for a bad packet, where somebody can be charged."""
        if (scheduler := self._transport.scheduler) is not None:
            scheduler.penalize(peer, BAD_PACKET)

    async def run_steps(
        self,
        peer: Hashable,
        work: Steps[Outcome],
        weight: float = 1.0,
        share: StreamShare | None = None,
        deadline: Deadline | None = None,
    ) -> Outcome:
        """Run ``work`` to its end; other work runs between its steps, and ``peer`` is charged for its time,
        times ``weight``. While ``share`` may not grow the work waits, and ``deadline`` rests."""
        scheduler = self._transport.scheduler
        loop, begun = asyncio.get_running_loop(), False
        while True:
            if share is not None and not share.may_grow:
                with deadline.resting() if deadline is not None else nullcontext():
                    await share.wait()
            if scheduler is None:
                await asyncio.sleep(0)
            else:
                await scheduler.wait_for(peer)
            began = perf_counter()
            try:
                while perf_counter() - began < SLICE and (share is None or share.may_grow):
                    work.send(loop.time() if begun else None)
                    begun = True
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            finally:
                if scheduler is not None:
                    scheduler.charge(peer, began, weight=weight)


def _decode(decoder: StreamDecoder, data: bytes, count: Callable[[], None]) -> Steps[Message | None]:
    """``count`` is called after every step: a few bytes can unpack to megabytes."""
    for message in decoder.steps(data):
        if message is not None:
            return message
        count()
        yield
    count()
    return None
