"""Runs the domain's pure state machines on asyncio: one armed timer each, at wall-clock nanoseconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tocsin.alerting.timestamp import Nanoseconds

_LONGEST_SLEEP = 30.0
"""Seconds. The wall clock can be set while we sleep, so no timer trusts it for longer."""


class Clock:
    """The node's one source of wall-clock time."""

    def now(self) -> Nanoseconds:
        """Nanoseconds since the Unix epoch."""
        return time.time_ns()


class ClockWatch(Clock):
    """The same clock; notices that it was set back since it was last read, by the monotonic one."""

    TOLERANCE = 1_000_000_000
    """Nanoseconds. Less delays a timer by less; clocks that are steered gently never reach it."""

    def __init__(self, clock: Clock, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._furthest = clock.now() - monotonic()

    def now(self) -> Nanoseconds:
        """The time, which is remembered: somebody has believed it."""
        now = self._clock.now()
        self._furthest = max(self._furthest, now - self._monotonic())
        return now

    def set_back_by(self) -> Nanoseconds:
        """How far the clock was set back since the last call, from where it was read; 0 if it was not."""
        before, self._furthest = self._furthest, self._clock.now() - self._monotonic()
        back = before - self._furthest
        return back if back >= self.TOLERANCE else 0


class Timer:
    """Calls ``expired(now)`` when ``next_timeout()`` is due. :meth:`arm` again after every input."""

    def __init__(
        self,
        clock: Clock,
        next_timeout: Callable[[], Nanoseconds | None],
        expired: Callable[[Nanoseconds], None],
    ) -> None:
        self._clock = clock
        self._next_timeout = next_timeout
        self._expired = expired
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for: Nanoseconds | None = None
        self._stopped = False

    def arm(self) -> None:
        """Sleep until the machine's next timeout, or not at all when it has none."""
        due = None if self._stopped else self._next_timeout()
        if due == self._armed_for and self._handle is not None:
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._armed_for = due
        if due is not None:
            delay = min(max((due - self._clock.now()) / 1e9, 0.0), _LONGEST_SLEEP)
            self._handle = asyncio.get_running_loop().call_later(delay, self._fire)

    def stop(self) -> None:
        """Never fire again."""
        self._stopped = True
        self.arm()

    def _fire(self) -> None:
        self._handle = None
        due, now = self._armed_for, self._clock.now()
        if due is not None and now >= due:
            self._expired(now)
        self.arm()
