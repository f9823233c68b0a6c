"""How long a delivery waits between attempts, as Alertmanager does (``cenkalti/backoff``)."""

from __future__ import annotations

from random import Random

from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds

INITIAL_INTERVAL = 500 * MILLISECOND
MAX_INTERVAL = 60 * SECOND


class Backoff:
    """The waits between attempts: 0.5 s, then half as much again each time up to a minute, each ±50 %."""

    __slots__ = ("_interval",)

    def __init__(self) -> None:
        self._interval = INITIAL_INTERVAL

    def next(self, random: Random) -> Nanoseconds:
        """The wait from the beginning of the attempt that is just under way to the next one."""
        interval = self._interval
        self._interval = min(interval * 3 // 2, MAX_INTERVAL)
        return interval // 2 + int(interval * random.random())
