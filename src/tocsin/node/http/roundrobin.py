"""Begins requests round robin by the addresses of clients."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

AT_ONCE: Final = 16
"""Requests that are begun in an iteration: each takes some tenths of a millisecond."""


class RoundRobin:
    """Begins one request of each address in an iteration of the event loop.

    Most requests are answered without waiting. In order of arrival, those of a client with fifty connections
    would all come before any other client's next one; here at most one of them does. Of more than
    :data:`AT_ONCE` addresses the others are next in a later iteration, so that none is long.
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
        addresses = list(islice(self._waiting, AT_ONCE))
        self._begun = set(addresses)
        self._scheduled = bool(addresses)
        if self._scheduled:
            self._loop.call_soon(self._begin_next)
        for address in addresses:
            queue = self._waiting.pop(address)
            begin = queue.popleft()
            if queue:  # after the other addresses
                self._waiting[address] = queue
            begin()
