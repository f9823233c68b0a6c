"""Begins requests round robin by the addresses of clients."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class RoundRobin:
    """Begins one request of each address in an iteration of the event loop.

    Most requests are answered without waiting. In order of arrival, those of a client with fifty connections
    would all come before any other client's next one; here at most one of them does.
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
        if address in self._begun:
            self._waiting.setdefault(address, deque()).append(begin)
        else:
            self._begun.add(address)
            begin()

    def _begin_next(self) -> None:
        self._begun = set(self._waiting)
        self._scheduled = bool(self._begun)
        if self._scheduled:
            self._loop.call_soon(self._begin_next)
        for address, queue in list(self._waiting.items()):
            begin = queue.popleft()
            if not queue:
                del self._waiting[address]
            begin()
