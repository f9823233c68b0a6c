"""Which records stay: the newest, within a number, a size and an age. They themselves lie elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """``entries`` and ``size`` (bytes): 0 keeps nothing. ``age``: nanoseconds; 0 is no bound."""

    entries: int
    size: int
    age: Nanoseconds


class _Position(NamedTuple):
    at: Nanoseconds
    size: int


class Ring:
    """The positions of the records, by number. Numbers only grow: a higher one is a newer record."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._positions: dict[int, _Position] = {}
        self._next = 1
        self.size = 0
        """Bytes of all records that stay."""

    def __len__(self) -> int:
        return len(self._positions)

    def __contains__(self, number: int) -> bool:
        return number in self._positions

    @property
    def oldest(self) -> Nanoseconds | None:
        """When the oldest record was made."""
        return next(iter(self._positions.values())).at if self._positions else None

    def number(self) -> int:
        """A number for a new record."""
        number = self._next
        self._next += 1
        return number

    def restore(self, positions: Iterable[tuple[int, Nanoseconds, int]], now: Nanoseconds) -> list[int]:
        """Take in what a previous run left: number, time and size, numbers rising. Which ones must go."""
        for number, at, size in positions:
            self._positions[number] = _Position(at, size)
            self.size += size
            self._next = max(self._next, number + 1)
        return self.trim(now)

    def put(self, number: int, at: Nanoseconds, size: int, now: Nanoseconds) -> list[int]:
        """A record was made, or grew, keeping its number and position. Which ones must go: maybe itself.

        A number that has gone does not come back.
        """
        known = self._positions.get(number)
        if known is None and self._positions and number < next(reversed(self._positions)):
            return [number]
        self._positions[number] = _Position(at, size)
        self.size += size - (known.size if known is not None else 0)
        return self.trim(now)

    def trim(self, now: Nanoseconds) -> list[int]:
        """Time has passed: which ones must go.

        Only the oldest go, so one whose time lies ahead (the clock was set back) holds up those behind it
        until the other bounds take it.
        """
        bounds, gone = self._bounds, []
        while self._positions:
            number, position = next(iter(self._positions.items()))
            too_old = bounds.age and now - position.at > bounds.age
            if len(self._positions) <= bounds.entries and self.size <= bounds.size and not too_old:
                break
            del self._positions[number]
            self.size -= position.size
            gone.append(number)
        return gone

    def drop(self, number: int) -> None:
        """A record could not be read."""
        position = self._positions.pop(number, None)
        if position is not None:
            self.size -= position.size

    def clear(self) -> None:
        """The records are lost. Numbers go on."""
        self._positions.clear()
        self.size = 0
