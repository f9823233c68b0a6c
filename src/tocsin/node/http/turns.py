"""In which order requests are begun: each address in turn, so that who asks much waits for himself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """One request of each address in one turn of the event loop.

    Most requests are answered within one step. Begun as they come, those of a client with fifty connections
    would stand before everybody's next one; here at most one of them does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        self._scheduled = False

    def take(self, address: str, begin: Callable[[], None]) -> None:
        """Call ``begin`` when it is the turn of ``address``."""
        self._waiting.setdefault(address, deque()).append(begin)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        for address, queue in list(self._waiting.items()):
            begin = queue.popleft()
            if not queue:
                del self._waiting[address]
            begin()
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._loop.call_soon(self._turn)
