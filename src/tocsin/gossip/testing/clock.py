"""An event loop whose time jumps: when nothing is left to do, the next timer is due at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

Result = TypeVar("Result")

_GRACE: Final = 0.001
"""Real seconds that threads and sockets are given before time jumps."""


class _Jumping(selectors.DefaultSelector):
    """Reports what is ready; if nothing is, passes the time that it should have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # No timer at all: only another thread can bring work.
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            ready = super().select(_GRACE) if len(self.get_map()) > 1 else []
            if not ready:
                self.passed += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``time()`` begins at 0 and jumps from timer to timer. Real sockets work, but hurry: do without."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.passed


def run(main: Callable[[], Awaitable[Result]], *, timeout: float = 3600.0) -> Result:
    """Run a coroutine function in virtual time; :class:`TimeoutError` after ``timeout`` virtual seconds."""

    async def within() -> Result:
        async with asyncio.timeout(timeout):
            return await main()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(within())
