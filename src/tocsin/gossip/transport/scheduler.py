"""A fair scheduler: shares the event loop among peers, so that a peer that causes much work waits, and the
others do not.

Other bounds limit what one message may cost; this limits what a peer may cost by sending without end. The
time spent on its packets, streams and handshakes is charged to it, and once its allowance is used up its work
is delayed. Its connection is not read meanwhile, so nothing accumulates here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from time import perf_counter
from typing import Final

from tocsin.bounded import Allowance
from tocsin.gossip.peer import account_of

SLICE: Final = 0.002
"""Seconds of work for one peer before other peers' work."""
VIOLATION: Final = 0.02
"""Penalty, in seconds, for bytes that violate the protocol of a connection, which honest peers never send.
They end it and all streams on it, and that work comes later, in pieces that are not measured."""
BAD_PACKET: Final = 0.002
"""Penalty, in seconds, for a packet that does not decode: over a connection that preserves bytes, honest
peers never send one."""


class FairScheduler:
    """Calls work of peers when their allowance permits: one piece for each peer in an iteration of the event
    loop."""

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = perf_counter) -> None:
        self._allowance = Allowance(rate, burst)
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._queues: dict[Hashable, deque[Callable[[], None]]] = {}

    def charge(self, peer: Hashable, began: float, *, weight: float = 1.0) -> bool:
        """Charge ``peer`` for the time since ``began`` (of the clock), times ``weight``; whether it may go on
        at once."""
        peer = account_of(peer)
        now = self._clock()
        self._allowance.charge(peer, weight * (now - began), now)
        return not self._allowance.wait(peer, now)

    def penalize(self, peer: Hashable, seconds: float) -> None:
        """Charge ``peer`` that many seconds for a protocol error, whatever its work took."""
        peer = account_of(peer)
        self._allowance.charge(peer, seconds, self._clock())

    def may_go_on(self, peer: Hashable) -> bool:
        """Nothing of the peer waits, and it has not used up its allowance."""
        peer = account_of(peer)
        return peer not in self._queues and not self._allowance.wait(peer, self._clock())

    def wait(self, peer: Hashable) -> float:
        """Seconds until the peer may cause more work."""
        peer = account_of(peer)
        return self._allowance.wait(peer, self._clock())

    def later(self, peer: Hashable, work: Callable[[], None]) -> None:
        """Call ``work`` in a later iteration of the loop, after the peer's earlier work.

        ``work`` itself calls :meth:`charge`.
        """
        peer = account_of(peer)
        queue = self._queues.get(peer)
        if queue is not None:
            queue.append(work)
            return
        self._queues[peer] = deque([work])
        self._arm(peer)

    async def wait_for(self, peer: Hashable) -> None:
        """:meth:`later`, for a task."""
        allowed: asyncio.Future[None] = self._loop.create_future()

        def now() -> None:
            if not allowed.done():
                allowed.set_result(None)

        self.later(peer, now)
        await allowed

    def _arm(self, peer: Hashable) -> None:
        wait = self.wait(peer)
        if wait:
            self._loop.call_later(wait, self._next, peer)
        else:
            self._loop.call_soon(self._next, peer)

    def _next(self, peer: Hashable) -> None:
        queue = self._queues[peer]
        work = queue.popleft()
        try:
            work()
        finally:
            if queue:
                self._arm(peer)
            else:
                del self._queues[peer]
