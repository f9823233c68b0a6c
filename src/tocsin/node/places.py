"""Limits how much runs at the same time, for each source and in all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tocsin.bounded import Quota


class Places:
    """``of_source`` for each source, ``in_all`` together; more wait."""

    def __init__(self, of_source: int, in_all: int) -> None:
        self._held: Quota[str] = Quota(of_source, in_all)
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def taken(self, source: str) -> AsyncIterator[None]:
        """Hold a place for as long as the ``with`` lasts; waits for one."""
        while not self._held.acquire(source):
            self._freed.clear()
            await self._freed.wait()
        try:
            yield
        finally:
            self._held.release(source)
            self._freed.set()
