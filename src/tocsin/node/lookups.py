"""Which silences match which alerts, found out without holding up others.

A lookup may be slow, as anybody who may make silences writes the patterns. What is known costs nothing, what
can be found at once is, and the rest is found in slices, one of them in an iteration of the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import PatientMuter

SLICE: Final = 0.004
"""Seconds of work before other work runs. Compiling one pattern may take some hundredths."""
LONG: Final = 0.01
"""Seconds of a slice, past which others have as much time before the next."""
KNOWN_AT_ONCE: Final = 512
ROUNDS: Final = 3
"""Of looking up, while silences change meanwhile; then what is left is found at once."""


@dataclass(slots=True)
class LookUpStatistics:
    """For the metrics."""

    given_way: int = 0
    """How often a lookup was interrupted for other work."""


class LookUps:
    """Shared by all who look alerts up."""

    def __init__(self, muter: PatientMuter) -> None:
        self.statistics = LookUpStatistics()
        self._muter = muter
        self._lock = asyncio.Lock()
        self._at_once_until: float | None = None  # in this iteration of the event loop

    def at_once(self, alerts: Iterable[Labels]) -> bool:
        """Look up as many as a slice has time for; whether that was all. All callers in one iteration of the
        event loop share a slice: many groups may be due in it."""
        for labels in alerts:
            steps = self._muter.looking_up(labels)
            if steps is None:
                continue
            end = self._at_once_until
            if end is None:
                end = self._at_once_until = perf_counter() + SLICE
                asyncio.get_running_loop().call_soon(self._next_iteration)
            elif perf_counter() > end:
                return False
            for _ in steps:
                if perf_counter() > end:
                    return False
        return True

    def _next_iteration(self) -> None:
        self._at_once_until = None

    async def find(self, alerts: Iterable[Labels]) -> None:
        """Look up all; what has changed since is found again when it is asked for."""
        steps = self._steps(alerts)
        done = False
        while not done:
            async with self._lock:  # those who wait for it have theirs first
                began = perf_counter()
                for _ in steps:
                    if perf_counter() > began + SLICE:
                        self.statistics.given_way += 1
                        break
                else:
                    done = True
                took = perf_counter() - began
                # Not released before: the next one would have a slice in the same iteration of the loop.
                await asyncio.sleep(took if took > LONG else 0)

    def _steps(self, alerts: Iterable[Labels]) -> Iterator[None]:
        for position, labels in enumerate(alerts):
            yield from self._muter.looking_up(labels) or ()
            if position % KNOWN_AT_ONCE == 0:
                yield

    async def find_all(self, alerts: Iterable[Labels]) -> None:
        """Look up all, and again what has changed meanwhile."""
        listed = list(alerts)
        for _ in range(ROUNDS):
            if self.at_once(listed):
                return
            await self.find(listed)
