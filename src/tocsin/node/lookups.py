"""Looks up which silences match which alerts, without holding the event loop. A lookup may be slow, as the
patterns come from anybody who may make silences. Known results cost nothing, quick lookups are done at once,
and the rest is done in slices, one in an iteration of the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter
from typing import Final

from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import PatientMuter
from tocsin.dataclass import dataclass

SLICE: Final = 0.004
"""Seconds of work before other work runs. Compiling one pattern may take some hundredths."""
LONG: Final = 0.01
"""Seconds of a slice, past which the next one waits for as long as the slice took."""
KNOWN_AT_ONCE: Final = 512
ROUNDS: Final = 3
"""Rounds of lookups while silences change meanwhile; after them the rest is looked up at once."""


@dataclass(slots=True)
class LookUpStatistics:
    """For the metrics."""

    given_way: int = 0
    """How often a lookup was interrupted for other work."""


class LookUps:
    """Lookups, shared by all that need them."""

    def __init__(self, muter: PatientMuter) -> None:
        self.statistics = LookUpStatistics()
        self._muter = muter
        self._lock = asyncio.Lock()
        self._at_once_until: float | None = None  # in this iteration of the event loop

    def at_once(self, alerts: Sequence[Labels]) -> bool:
        """Look up as many alerts as a slice has time for; whether those were all. All callers in one
        iteration of the event loop share a slice, as many groups may be due in it. Not even begun with more
        than KNOWN_AT_ONCE: to see that all are known takes a while, too."""
        if len(alerts) > KNOWN_AT_ONCE:
            return False
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

    async def find(self, alerts: Iterable[Labels]) -> bool:
        """Look up all; what has changed since is found again when it is asked for. Whether all were known
        already."""
        unknown: list[Labels] = []
        steps = self._steps(alerts, unknown)
        done = False
        while not done:
            async with self._lock:  # waiting tasks come first
                began = perf_counter()
                for _ in steps:
                    if perf_counter() > began + SLICE:
                        self.statistics.given_way += 1
                        break
                else:
                    done = True
                took = perf_counter() - began
                # Not released earlier: the next task would run a slice in the same iteration of the loop.
                await asyncio.sleep(took if took > LONG else 0)
        return not unknown

    def _steps(self, alerts: Iterable[Labels], unknown: list[Labels]) -> Iterator[None]:
        for position, labels in enumerate(alerts):
            steps = self._muter.looking_up(labels)
            if steps is not None:
                unknown.append(labels)
                yield from steps
            if position % KNOWN_AT_ONCE == 0:
                yield

    async def find_all(self, alerts: Iterable[Labels]) -> None:
        """Look up all, and again what has changed meanwhile."""
        listed = list(alerts)
        for _ in range(ROUNDS):
            if self.at_once(listed) or await self.find(listed):
                return
