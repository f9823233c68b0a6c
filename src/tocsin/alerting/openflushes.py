"""What is noted of each flush that has not ended, by those who follow the decisions about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from tocsin.alerting.group import Flush

MAX_OPEN: Final = 10_000
"""Flushes that are followed at once; past it the oldest is not followed any more."""


class Note(Protocol):
    """What is noted. It holds its flush, by whose identity it is found."""

    @property
    def flush(self) -> Flush: ...


N = TypeVar("N", bound=Note)


class OpenFlushes(Generic[N]):
    """The notes of at most ``limit`` flushes; ``make`` makes the first note of one."""

    __slots__ = ("_forgotten", "_limit", "_make", "_notes")

    def __init__(self, make: Callable[[Flush], N], limit: int = MAX_OPEN) -> None:
        self._make = make
        self._limit = limit
        self._notes: dict[int, N] = {}  # A note keeps its flush alive, so no other flush has that identity.
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self._notes)

    def get(self, flush: Flush) -> N | None:
        """The note of a flush; None if there is none."""
        return self._notes.get(id(flush))

    def of(self, flush: Flush) -> N:
        """The note of a flush, made if there is none."""
        return self._notes.get(id(flush)) or self._begin(flush)

    def end(self, flush: Flush) -> None:
        """The flush has ended."""
        self._notes.pop(id(flush), None)

    def notes(self) -> Iterable[N]:
        """All, the oldest flush first."""
        return self._notes.values()

    def take_forgotten(self) -> int:
        """How many flushes were forgotten since the last call, as there were too many."""
        forgotten, self._forgotten = self._forgotten, 0
        return forgotten

    def _begin(self, flush: Flush) -> N:
        if len(self._notes) >= self._limit:
            del self._notes[next(iter(self._notes))]
            self._forgotten += 1
        note = self._notes[id(flush)] = self._make(flush)
        return note
