"""What is made, or imported, once it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """``make`` takes long, and is called when the thing is first asked for: in a thread, once for all.

    If it raises, who asks gets that, and the next has it tried again.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._making: asyncio.Task[None] | None = None
        self._made: list[T] = []

    @property
    def made(self) -> T:
        """The thing, once somebody has got it; RuntimeError before."""
        if not self._made:
            raise RuntimeError("nobody has asked for it yet")
        return self._made[0]

    async def get(self) -> T:
        """The thing, which is made if it was not."""
        if not self._made:
            if self._making is None:
                self._making = asyncio.get_running_loop().create_task(self._run())
            await asyncio.shield(self._making)  # it goes on if who asks is cancelled
        return self._made[0]

    async def _run(self) -> None:
        try:
            self._made.append(await asyncio.to_thread(self._make))
        finally:
            self._making = None
