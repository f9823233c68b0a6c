"""Named timers over one heap: what is due, and when to wake up next."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)

_STALE_ALLOWED = 64


class Timers(Generic[Name]):
    """At most one timer per name. Times are seconds of the caller's clock.

    Each arming gets a fresh token; a heap entry whose token is not its name's current one is stale and is
    skipped. So re-arming and cancelling are cheap, and equal times fire in the order they were armed. Stale
    entries never outnumber live ones by more than a constant: the heap stays as small as the set of names.
    """

    __slots__ = ("_armed", "_heap", "_token")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Name]] = []
        self._armed: dict[Name, int] = {}
        self._token = 0

    def __len__(self) -> int:
        return len(self._armed)

    def __contains__(self, name: Name) -> bool:
        return name in self._armed

    @property
    def heap_size(self) -> int:
        """Entries held, stale ones included."""
        return len(self._heap)

    def set(self, name: Name, when: float) -> None:
        """Arm (or move) the timer ``name``."""
        self._token += 1
        self._armed[name] = self._token
        heappush(self._heap, (when, self._token, name))
        if len(self._heap) > 2 * len(self._armed) + _STALE_ALLOWED:
            self._heap = [entry for entry in self._heap if self._armed.get(entry[2]) == entry[1]]
            heapify(self._heap)

    def cancel(self, name: Name) -> None:
        """Disarm ``name``; nothing happens when it is not armed."""
        self._armed.pop(name, None)

    def next_timeout(self) -> float | None:
        """When the earliest timer is due, or None when none is armed."""
        heap = self._heap
        while heap:
            when, token, name = heap[0]
            if self._armed.get(name) == token:
                return when
            heappop(heap)
        return None

    def pop_due(self, now: float) -> Name | None:
        """Disarm and return the earliest timer that is due at ``now``, or None."""
        when = self.next_timeout()
        if when is None or when > now:
            return None
        name = heappop(self._heap)[2]
        del self._armed[name]
        return name
