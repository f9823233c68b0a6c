"""One timer of the event loop, armed again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LoopTimer:
    """Calls ``fire`` once when the time that it is armed for has come. Times are the event loop's seconds."""

    __slots__ = ("_at", "_fire", "_handle", "_loop", "_stopped")

    def __init__(self, fire: Callable[[], None], *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._fire = fire
        self._loop = loop or asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._at = 0.0
        self._stopped = False

    @property
    def armed_for(self) -> float | None:
        """When it fires; None when it is not armed."""
        return self._at if self._handle is not None else None

    def arm(self, when: float | None) -> None:
        """Fire at ``when`` instead of at any earlier set time; None: not at all."""
        if self._handle is not None:
            if when == self._at:
                return
            self._handle.cancel()
            self._handle = None
        if when is not None and not self._stopped:
            self._at = when
            self._handle = self._loop.call_at(when, self._due)

    def arm_by(self, when: float) -> None:
        """Fire at ``when`` unless it is armed for an earlier time."""
        if self._handle is None or when < self._at:
            self.arm(when)

    def disarm(self) -> None:
        """Do not fire, until armed again."""
        self.arm(None)

    def stop(self) -> None:
        """Never fire again, whatever arms it."""
        self._stopped = True
        self.arm(None)

    def _due(self) -> None:
        self._handle = None
        self._fire()
