"""What runs any machine on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from tocsin.machine import Machine

PAUSE: Final = 1.0
"""Seconds until time passes again for a machine that raised: it may still be due, and must not spin."""

Effects = TypeVar("Effects")
Time = TypeVar("Time", int, float)


class Clock(Protocol[Time]):
    """Where a machine's time comes from: here alone its unit becomes the event loop's seconds."""

    def now(self) -> Time:
        """The time."""
        ...

    def seconds_until(self, when: Time) -> float:
        """For how long to sleep: not longer than until ``when``, and not below 0."""
        ...


class LoopClock:
    """The event loop's seconds."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """The time."""
        return self._loop.time()

    def seconds_until(self, when: float) -> float:
        """Until ``when``."""
        return max(when - self._loop.time(), 0.0)


class MachineShell(Generic[Effects, Time]):
    """Performs a machine's effects, and lets its time pass. Call :meth:`run` after whatever happened to it.

    ``perform`` gets what a ``drain`` gave; it must not raise. What it does may happen to the machine again.
    """

    __slots__ = ("_armed_for", "_clock", "_handle", "_machine", "_perform_effects", "_running", "_stopped")

    def __init__(
        self,
        machine: Machine[Effects, Time],
        clock: Clock[Time],
        perform: Callable[[Effects], None],
    ) -> None:
        self._machine: Machine[Effects, Time] = machine
        self._clock: Clock[Time] = clock
        self._perform_effects = perform
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for: Time | None = None
        self._running = False
        self._stopped = False

    def run(self) -> None:
        """:meth:`perform`, then :meth:`arm`."""
        try:
            self.perform()
        finally:  # Whatever an effect raised, time goes on.
            self.arm()

    def perform(self) -> None:
        """Perform what is to be done, until nothing is."""
        if self._running:
            return  # An effect came back to us: the loop below goes on with what that made.
        self._running = True
        try:
            while effects := self._machine.drain():
                self._perform_effects(effects)
        finally:
            self._running = False

    def arm(self, least: float = 0.0) -> None:
        """Sleep until the machine's next timeout, ``least`` seconds or more; not at all when it has none."""
        due = None if self._stopped else self._machine.next_timeout()
        if due == self._armed_for and self._handle is not None:
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._armed_for = due
        if due is not None:
            delay = max(self._clock.seconds_until(due), least)
            self._handle = asyncio.get_running_loop().call_later(delay, self._fire)

    def stop(self) -> None:
        """Let no more time pass."""
        self._stopped = True
        self.arm()

    def end(self) -> None:
        """:meth:`stop`, and perform nothing more: its owner is held no longer, and free at once."""
        self._perform_effects = _nothing
        self.stop()

    def _fire(self) -> None:
        self._handle = None
        due, now = self._armed_for, self._clock.now()
        if due is None or now < due:  # The clock may have been set, or the sleep was a part of it.
            self.arm()
            return
        try:
            self._machine.handle_timeout(now)
        except BaseException:
            self.arm(PAUSE)
            raise
        self.run()


def _nothing(_effects: object) -> None:
    pass
