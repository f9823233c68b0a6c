"""Begins requests round robin by the addresses of clients."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

AT_ONCE: Final = 16
"""Requests that are begun in an iteration: each takes some tenths of a millisecond."""


class RoundRobin:
    """Begins requests in an iteration of the event loop: the first of each address at once, others of the
    same address in the next one, in turn with those of the other addresses.

    Most requests are answered without waiting. In order of arrival, those of a client with fifty connections
    would all come before any other client's next one; here none waits for a second one of another address
    that came later. Of those that wait no more than :data:`AT_ONCE` are begun together, so that no iteration
    is long; those of one client that come at the same time share it, and what it costs.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        self._begun: set[str] = set()
        """Addresses that have had their turn in this iteration."""
        self._scheduled = False

    def take(self, address: str, begin: Callable[[], None]) -> None:
        """Call ``begin`` once the earlier requests of ``address`` were begun: now, if none was in this
        iteration."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._begin_next)
        if address in self._begun or address in self._waiting or len(self._begun) >= AT_ONCE:
            self._waiting.setdefault(address, deque()).append(begin)
        else:
            self._begun.add(address)
            begin()

    def _begin_next(self) -> None:
        self._begun = set()
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._loop.call_soon(self._begin_next)  # first: what raises below costs no other request
        for _ in range(AT_ONCE):
            if not self._waiting:
                return
            address = next(iter(self._waiting))
            queue = self._waiting.pop(address)
            begin = queue.popleft()
            if queue:  # after the other addresses
                self._waiting[address] = queue
            self._begun.add(address)
            begin()
