"""Which of many lists of matchers a label set fulfils, remembered by the values that they look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, matches_all
from tocsin.bounded import Memo

MAX_REMEMBERED: Final = 8192
MAX_CHARACTERS: Final = 512
"""Of all values together, up to which they are remembered."""


class Fulfilled:
    """Alerts are many, and the values of the few labels that rules look at are not: 10,000 alerts of 20 teams
    and 3 severities are tried against 200 rules on ``team`` and ``severity`` 60 times."""

    __slots__ = ("_groups", "_remembered")

    def __init__(self, lists: Sequence[Sequence[Matcher]]) -> None:
        groups: dict[tuple[str, ...], list[tuple[int, Sequence[Matcher]]]] = {}
        for number, matchers in enumerate(lists):
            names = tuple(sorted({matcher.name for matcher in matchers}))
            groups.setdefault(names, []).append((number, matchers))
        self._groups = list(groups.items())
        self._remembered: Memo[tuple[int, tuple[str, ...]], tuple[int, ...]] = Memo(MAX_REMEMBERED)

    def numbers(self, labels: Labels) -> Sequence[int]:
        """The numbers, from 0 and rising, of the lists of which ``labels`` fulfil every matcher."""
        if len(self._groups) == 1:
            return self._of_group(0, labels)
        found: list[int] = []
        for group in range(len(self._groups)):
            found += self._of_group(group, labels)
        found.sort()
        return found

    def _of_group(self, group: int, labels: Labels) -> tuple[int, ...]:
        names, lists = self._groups[group]
        values = tuple([labels.value(name) for name in names])
        found = self._remembered.get((group, values))
        if found is None:
            found = tuple([number for number, matchers in lists if matches_all(matchers, labels)])
            if sum(map(len, values)) <= MAX_CHARACTERS:
                self._remembered.put((group, values), found)
        return found
