"""One call for all who ask for the same while it has not begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Joined:
    """Runs ``work`` again and again, one run at a time; who asks during a run gets the next, with all
    others who do. So it does not count how many ask."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """A run that begins after this; raises what it raises. It goes on if its caller is cancelled."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._run())
            self._next.add_done_callback(_retrieve)
        await asyncio.shield(self._next)

    async def _run(self) -> None:
        async with self._turn:
            self._next = None
            await self._work()


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
