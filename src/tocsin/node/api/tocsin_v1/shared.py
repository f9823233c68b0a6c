"""Answers that many clients ask for are computed once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SHARE: Final = 10
"""A view is used for so many times its computing time, so that computing takes a tenth of the time at
most."""
LONGEST: Final = 10.0
"""Seconds for which a view may be shown at most."""


class Shared(Generic[T]):
    """A view of the node. Requests that come while it is made wait for the same; it is shown for nine times
    as long as it took to make. When the last waiting client has left, computing stops."""

    def __init__(self, make: Callable[[], Awaitable[T]], clock: Callable[[], float]) -> None:
        self._make = make
        self._clock = clock
        self._made: T | None = None
        self._until = 0.0
        self._task: asyncio.Task[T] | None = None
        self._waiting = 0
        self.makings = 0
        """How often the view was computed."""

    async def get(self) -> T:
        """The view. What ``make`` raises is raised to all who wait."""
        if self._made is not None and self._clock() < self._until:
            return self._made
        task = self._task
        if task is None or task.done():
            task = self._task = asyncio.get_running_loop().create_task(self._making())
            self._waiting = 0
        self._waiting += 1
        try:
            return await asyncio.shield(task)  # A client that leaves does not cancel it for the others.
        finally:
            if self._task is task:
                self._waiting -= 1
                if not self._waiting and not task.done():
                    self._task = None
                    task.cancel()

    async def _making(self) -> T:
        began = self._clock()
        self.makings += 1
        made = await self._make()
        ended = self._clock()
        self._made, self._until = made, ended + min((ended - began) * (SHARE - 1), LONGEST)
        return made
