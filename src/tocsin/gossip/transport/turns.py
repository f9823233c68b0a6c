"""Shares the event loop among peers: a peer that makes us work much waits, and the others do not.

Counts and bounds hold back what one message may cost. What a peer may cost by sending without end is held
back here: the time spent on its packets, streams and handshakes is charged to it, and once its allowance is
used up it gets its turns later. Its connection is not read meanwhile, so nothing gathers here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from time import perf_counter
from typing import Final

from tocsin.gossip.peer import PeerIdentity
from tocsin.sources import source_of

SLICE: Final = 0.002
"""Seconds of work for one peer before others get a turn."""
VIOLATION: Final = 0.02
"""Seconds charged for bytes that break the rules of a connection, which nobody honest sends. They end it and
all that is on it, and that work comes later, piece by piece, where nobody measures it."""
BAD_PACKET: Final = 0.002
"""Seconds charged for a packet that does not decode: over a connection that keeps bytes whole, nobody honest
sends that either."""
MAX_DEBT: Final = 5.0
"""Seconds that a peer waits at most, whatever it has done: it may have been fixed meanwhile."""
_REMEMBERED: Final = 4096


def account_of(peer: Hashable) -> Hashable:
    """What is charged for ``peer``: of an identity the certificate at its source, so that the many addresses
    of an IPv6 network are no more than one."""
    if isinstance(peer, PeerIdentity):
        return peer.certificate, source_of(peer.host)
    return peer


class Allowance:
    """Seconds of work that each peer may cause: ``rate`` in a second, after a rest ``burst`` at once. No I/O.

    Kept for each as the instant until which its work is paid for; a peer that has rested long enough is
    forgotten.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._rest = burst / rate
        self._paid_until: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._paid_until)

    def charge(self, peer: Hashable, seconds: float, now: float) -> None:
        """``peer`` has caused so much work."""
        before = self._paid_until.get(peer, now - self._rest)
        until = max(before, now - self._rest) + seconds / self._rate
        self._paid_until[peer] = min(until, now + MAX_DEBT)
        if len(self._paid_until) > _REMEMBERED:
            self._forget(now)

    def wait(self, peer: Hashable, now: float) -> float:
        """Seconds until ``peer`` may cause more; 0 for now."""
        until = self._paid_until.get(peer)
        return 0.0 if until is None else max(0.0, until - now)

    def _forget(self, now: float) -> None:
        kept = {peer: until for peer, until in self._paid_until.items() if until > now - self._rest}
        if len(kept) > _REMEMBERED:  # All of them busy: those that owe least go.
            order = sorted(kept, key=kept.__getitem__, reverse=True)
            kept = {peer: kept[peer] for peer in order[: _REMEMBERED // 2]}
        self._paid_until = kept


class Turns:
    """Calls work of peers when they may have it: one piece for each peer in a turn of the event loop."""

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = perf_counter) -> None:
        self._allowance = Allowance(rate, burst)
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._queues: dict[Hashable, deque[Callable[[], None]]] = {}

    def charge(self, peer: Hashable, began: float) -> bool:
        """Charge ``peer`` for what was done since ``began`` (of the clock); whether it may go on at once."""
        peer = account_of(peer)
        now = self._clock()
        self._allowance.charge(peer, now - began, now)
        return not self._allowance.wait(peer, now)

    def penalize(self, peer: Hashable, seconds: float) -> None:
        """Charge ``peer`` so much, whatever it took."""
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
        """Call ``work`` in a later turn of the loop, once those of the peer that wait before had theirs.

        It charges what it costs.
        """
        peer = account_of(peer)
        queue = self._queues.get(peer)
        if queue is not None:
            queue.append(work)
            return
        self._queues[peer] = deque([work])
        self._arm(peer)

    async def turn(self, peer: Hashable) -> None:
        """:meth:`later`, for a task."""
        its_turn: asyncio.Future[None] = self._loop.create_future()

        def now() -> None:
            if not its_turn.done():
                its_turn.set_result(None)

        self.later(peer, now)
        await its_turn

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
