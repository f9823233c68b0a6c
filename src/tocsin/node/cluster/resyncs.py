"""When to exchange states with a member that lacks something: soon, but never in a storm. Pure policy."""

from __future__ import annotations

from random import Random
from typing import Final

from tocsin.dataclass import dataclass

MAX_RUNNING: Final = 4
"""Exchanges at the same time; more wait."""
MINIMUM_PAUSE: Final = 1.0
MAXIMUM_PAUSE: Final = 30.0
PAUSE_OF_ALL: Final = 0.1
"""After a failed exchange no other begins for so long, times the thousands of members that need one:
otherwise our list of members would be sent to each member that somebody invents."""
CALM: Final = 60.0
"""A member that needed no exchange for so many seconds starts again with the shortest pause."""


@dataclass(slots=True)
class ResyncStatistics:
    """Exchanges of states because a member lacked something."""

    wanted: int = 0
    started: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Need:
    wanted: bool = False
    running: bool = False
    pause: float = MINIMUM_PAUSE
    not_before: float = 0.0


class Resyncs:
    """The first exchange with a member begins at once; each next one after a pause that doubles, with jitter.

    A failed one is tried again after the pause. If another is wanted while one runs, one more follows it.
    """

    def __init__(self, random: Random) -> None:
        self.statistics = ResyncStatistics()
        self._random = random
        self._needs: dict[str, _Need] = {}
        self._running = 0
        self._not_before = 0.0

    def want(self, member: str, now: float) -> None:
        """``member`` lacks something."""
        need = self._needs.setdefault(member, _Need())
        if not need.wanted:
            need.wanted = True
            self.statistics.wanted += 1
            if now > need.not_before + CALM:
                need.pause = MINIMUM_PAUSE

    def due(self, now: float) -> list[str]:
        """With whom to begin now; each is to be reported with :meth:`finished`."""
        found: list[str] = []
        if now < self._not_before:
            return found
        for member, need in self._needs.items():
            if self._running >= MAX_RUNNING:
                break
            if need.wanted and not need.running and need.not_before <= now:
                need.wanted, need.running = False, True
                self._running += 1
                self.statistics.started += 1
                found.append(member)
        return found

    def finished(self, member: str, *, success: bool, now: float) -> None:
        """An exchange is over."""
        self._running -= 1
        self.statistics.failed += not success
        if not success:
            self._not_before = now + PAUSE_OF_ALL * (len(self._needs) // 1000 + 1)
        need = self._needs.get(member)
        if need is None or not need.running:
            return
        need.running = False
        need.wanted = need.wanted or not success
        need.not_before = now + need.pause * self._random.uniform(0.75, 1.25)
        need.pause = min(2 * need.pause, MAXIMUM_PAUSE)

    def forget(self, member: str) -> None:
        """The member is gone; one that runs ends by itself."""
        self._needs.pop(member, None)

    def next_timeout(self) -> float | None:
        """When :meth:`due` has something, or None."""
        if self._running >= MAX_RUNNING:
            return None
        waiting = [need.not_before for need in self._needs.values() if need.wanted and not need.running]
        return max(min(waiting), self._not_before) if waiting else None
