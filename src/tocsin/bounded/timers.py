"""Named timers over one heap: what is due, and when to wake up next."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)
Time = TypeVar("Time", int, float)

_STALE_ALLOWED = 64


class Timers(Generic[Name, Time]):
    """At most one timer per name. Times are of the caller's clock: seconds, or integer nanoseconds.

    Each arming gets a fresh token; a heap entry whose token is not its name's current one is stale and is
    skipped. So re-arming and cancelling are cheap, and equal times fire in the order they were armed. Stale
    entries never outnumber live ones by more than a constant: the heap stays as small as the set of names.
    """

    __slots__ = ("_armed", "_heap", "_token")

    def __init__(self) -> None:
        self._heap: list[tuple[Time, int, Name]] = []
        self._armed: dict[Name, tuple[int, Time]] = {}
        self._token = 0

    def __len__(self) -> int:
        return len(self._armed)

    def __contains__(self, name: Name) -> bool:
        return name in self._armed

    @property
    def heap_size(self) -> int:
        """Entries held, stale ones included."""
        return len(self._heap)

    def set(self, name: Name, when: Time) -> None:
        """Arm (or move) the timer ``name``."""
        self._token += 1
        self._armed[name] = self._token, when
        heappush(self._heap, (when, self._token, name))
        if len(self._heap) > 2 * len(self._armed) + _STALE_ALLOWED:
            self._heap = [entry for entry in self._heap if self._is_current(entry)]
            heapify(self._heap)

    def follow(self, name: Name, when: Time | None) -> None:
        """Have the timer ``name`` armed for ``when``, or not at all (None). One that is armed for that time
        keeps its position among equal times."""
        armed = self._armed.get(name)
        if when is None:
            self.cancel(name)
        elif armed is None or armed[1] != when:
            self.set(name, when)

    def cancel(self, name: Name) -> None:
        """Disarm ``name``; nothing happens when it is not armed."""
        self._armed.pop(name, None)

    def next_timeout(self) -> Time | None:
        """When the earliest timer is due, or None when none is armed."""
        heap = self._heap
        while heap:
            if self._is_current(heap[0]):
                return heap[0][0]
            heappop(heap)
        return None

    def pop_due(self, now: Time) -> Name | None:
        """Disarm and return the earliest timer that is due at ``now``, or None."""
        when = self.next_timeout()
        if when is None or when > now:
            return None
        name = heappop(self._heap)[2]
        del self._armed[name]
        return name

    def _is_current(self, entry: tuple[Time, int, Name]) -> bool:
        armed = self._armed.get(entry[2])
        return armed is not None and armed[0] == entry[1]
