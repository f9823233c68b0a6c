"""The wall clock, by which the domain's state machines go."""

from __future__ import annotations

import time
from collections.abc import Callable

from tocsin.alerting.timestamp import Nanoseconds, in_seconds

_LONGEST_SLEEP = 30.0
"""Seconds. The wall clock can be set during a sleep, so no timer sleeps for longer."""


class Clock:
    """The node's one source of wall-clock time. Implements :class:`tocsin.aio.shell.Clock`."""

    def now(self) -> Nanoseconds:
        """Nanoseconds since the Unix epoch."""
        return time.time_ns()

    def seconds_until(self, when: Nanoseconds) -> float:
        """For how long to sleep before the clock is read again."""
        return min(max(in_seconds(when - self.now()), 0.0), _LONGEST_SLEEP)


class ClockWatch(Clock):
    """The same clock; notices that it was set back since it was last read, by the monotonic one."""

    TOLERANCE = 1_000_000_000
    """Nanoseconds. A smaller step back delays timers by less than that; a clock that is slewed never reaches
    it."""

    def __init__(self, clock: Clock, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._furthest = clock.now() - monotonic()

    def now(self) -> Nanoseconds:
        """The time; it is remembered as the last reading."""
        now = self._clock.now()
        self._furthest = max(self._furthest, now - self._monotonic())
        return now

    def set_back_by(self) -> Nanoseconds:
        """How far the clock was set back since the last call, from where it was read; 0 if it was not."""
        before, self._furthest = self._furthest, self._clock.now() - self._monotonic()
        back = before - self._furthest
        return back if back >= self.TOLERANCE else 0
