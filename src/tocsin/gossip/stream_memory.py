"""The memory of messages that are being read off streams, of all streams together.

A message may hold a little at any time. What is larger grows while all of them stay within a budget; past it
one message at a time grows, those of each source in turn, and the others wait. A turn ends with the message,
or after a few seconds, whichever is first: the message then waits for another one. So a few kilobytes that
unpack to megabytes cost their senders time, and before each turn of an honest state comes at most one of each
other source.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Final

from tocsin.bounded import Quota
from tocsin.errors import TransportError
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.peer import account_of
from tocsin.gossip.wire.stream import StreamDecoder

FREE: Final = 64 * 1024
"""Bytes that a message may hold without waiting."""
BUDGET: Final = 8 * 1024 * 1024
"""Bytes of all messages, past which one at a time grows."""
MAX_HELD: Final = 96 * 1024 * 1024
MAX_HELD_OF_PEER: Final = 48 * 1024 * 1024
"""Bytes of all messages and of those of one source. The stream that goes past it is cut; past the first one
only if its message holds more than FREE."""
STALL: Final = 2.0
STALLED: Final = 512 * 1024
"""The message that grows while others wait lets another go first if in STALL seconds it grows by less than
STALLED bytes."""
TURN: Final = 4.0
"""Seconds that one message may grow while others wait, however it goes on. Then the next one may."""


class StreamMemory:
    """For all streams of one member."""

    def __init__(self, statistics: DriverStatistics) -> None:
        self._statistics = statistics
        self._held: Quota[Hashable] = Quota(MAX_HELD_OF_PEER, MAX_HELD)
        self._grows: StreamShare | None = None
        self._until = 0.0
        """When the turn of the one that grows is over for those who wait, by the event loop's time."""
        self._waiting: dict[Hashable, deque[tuple[StreamShare, asyncio.Future[None]]]] = {}
        """By source, the next one first."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> int:
        """Bytes of unfinished messages."""
        return self._held.total

    def may_grow(self, share: StreamShare) -> bool:
        """Whether a message need not wait."""
        return share is self._grows or share.size <= FREE or self._held.total <= BUDGET

    async def wait(self, share: StreamShare) -> None:
        """Until a message may grow."""
        if self._grows is None:
            self._begin_turn(share)
            return
        self._statistics.streams_waited += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(share.source, deque())
        queue.append((share, turn))
        self._watch()
        try:
            await turn
        finally:
            if (share, turn) in queue:
                queue.remove((share, turn))
            if not queue and self._waiting.get(share.source) is queue:
                del self._waiting[share.source]

    def add(self, share: StreamShare, more: int) -> None:
        """Count bytes in, or out; :class:`TransportError` past a bound."""
        held = self._held
        if more <= 0:
            held.release(share.source, -more)
            self._go_on()
            return
        held.add(share.source, more)
        if held.exceeded(share.source) and (share.size > FREE or held.of(share.source) > MAX_HELD_OF_PEER):
            self._statistics.streams_over_memory += 1
            raise TransportError("unfinished messages hold too much memory")

    def over(self, share: StreamShare) -> None:
        """A message is whole, has failed, or lets another go first."""
        if share is self._grows:
            self._grows = None
            self._go_on()

    def _go_on(self) -> None:
        """All if there is room again, else the next one."""
        while self._waiting and (self._grows is None or self._held.total <= BUDGET):
            source = next(iter(self._waiting))
            queue = self._waiting.pop(source)
            share, turn = queue.popleft()
            if queue:
                self._waiting[source] = queue  # At the end: others come first.
            if turn.done():
                continue
            turn.set_result(None)
            if self._grows is None:
                self._begin_turn(share)

    def _begin_turn(self, share: StreamShare) -> None:
        self._grows = share
        self._until = asyncio.get_running_loop().time() + TURN

    def _watch(self) -> None:
        if self._timer is None and self._grows is not None:
            grows, loop = self._grows, asyncio.get_running_loop()
            soon = loop.time() + STALL
            if soon < self._until:
                self._timer = loop.call_at(soon, self._look, grows, grows.size + STALLED)
            else:
                self._timer = loop.call_at(self._until, self._look, grows, None)

    def _look(self, grew: StreamShare, size: int | None) -> None:
        """Whether the turn of ``grew`` goes on: if it holds ``size`` by now; None: it is over."""
        self._timer = None
        if not self._waiting:
            return
        if grew is self._grows and (size is None or grew.size < size):
            self.over(grew)
        self._watch()


class StreamShare:
    """What the message of one stream holds, as far as it is counted."""

    __slots__ = ("_decoder", "_memory", "size", "source")

    def __init__(self, memory: StreamMemory, peer: Hashable, decoder: StreamDecoder) -> None:
        self.size = 0
        self.source: Hashable = account_of(peer)
        self._memory = memory
        self._decoder = decoder

    @property
    def may_grow(self) -> bool:
        """It need not wait."""
        return self._memory.may_grow(self)

    async def wait(self) -> None:
        """Until it may grow."""
        while not self._memory.may_grow(self):
            await self._memory.wait(self)

    def count(self) -> None:
        """Count what the decoder holds now; :class:`TransportError` past a bound."""
        more, self.size = self._decoder.held - self.size, self._decoder.held
        self._memory.add(self, more)

    def give_back(self) -> None:
        """It is over."""
        counted, self.size = self.size, 0
        self._memory.add(self, -counted)
        self._memory.over(self)
