"""How many moments of a set that changes lie before or after a time, without going through all of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final

from tocsin.alerting.timestamp import Nanoseconds

_FEW: Final = 1024


class Moments:
    """A set with repetitions. What is put in or taken out is noted, and sorted with the next question: that
    costs little, as nearly all is in order already."""

    __slots__ = ("_added", "_gone")

    def __init__(self) -> None:
        self._added: list[Nanoseconds] = []
        self._gone: list[Nanoseconds] = []

    def add(self, moment: Nanoseconds) -> None:
        """Put one in."""
        self._added.append(moment)

    def add_all(self, moments: Iterable[Nanoseconds]) -> None:
        """Put several in."""
        self._added += moments

    def remove(self, moment: Nanoseconds) -> None:
        """Take one out that is there."""
        self._gone.append(moment)
        if len(self._gone) > max(_FEW, len(self._added) // 2):
            self._sort()
            self._added = list(_less(self._added, self._gone))
            self._gone = []

    def before(self, now: Nanoseconds) -> int:
        """How many are earlier than ``now``."""
        self._sort()
        return bisect_left(self._added, now) - bisect_left(self._gone, now)

    def after(self, now: Nanoseconds) -> int:
        """How many are later than ``now``."""
        self._sort()
        within = bisect_right(self._added, now) - bisect_right(self._gone, now)
        return len(self._added) - len(self._gone) - within

    def _sort(self) -> None:
        self._added.sort()
        self._gone.sort()


def _less(moments: list[Nanoseconds], gone: list[Nanoseconds]) -> Iterable[Nanoseconds]:
    """What is left of ``moments`` without ``gone``, both sorted."""
    place = 0
    for moment in moments:
        if place < len(gone) and gone[place] == moment:
            place += 1
        else:
            yield moment
