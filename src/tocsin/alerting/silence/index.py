"""Finds the matcher sets that a label set fulfils without trying them all.

Each matcher set is filed once, under the matcher of it that is likely to rule out most: the equality (by name
and value) under which fewest are filed already, else a positive regular expression (by name), else an
inequality (by name and value), else a negative regular expression (by name), else with the rest. So a label
that all silences share has few under it, and a label set is tried only against what is filed under one of its
labels. What rules out a value is the better the more silences share it: they are ruled out together. So all
inequalities that a set shares with many others are what it is filed under.

Regular expressions of one name are tried many at a time, joined into one, and so are preferred to an equality
that many share; only those that mean the same within a larger one as by themselves.

A lookup can be done in steps (:meth:`SilenceIndex.steps`), as patterns that others have written may be slow.
What is added is filed by the next one, for the same reason.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import Final, TypeVar

from tocsin.alerting import regex
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.silence.patterns import Filed, PatternGroup
from tocsin.alerting.silence.silence import MatcherSet, Silence
from tocsin.alerting.steps import Steps, finish

_AT_ONCE: Final = 64
"""Matcher sets that are tried in one step."""

_CROWDED: Final = 16
"""Matcher sets under an equality, from which on a regular expression of the set rules out more."""


class SilenceIndex:
    """The matcher sets of all silences, by what they ask for."""

    def __init__(self) -> None:
        self._by_pair: dict[tuple[str, str], Filed] = {}
        self._by_name: dict[str, PatternGroup] = {}
        self._by_unequal: dict[tuple[tuple[str, str], ...], Filed] = {}
        """By names, each with the value that it must not have."""
        self._by_absence: dict[str, PatternGroup] = {}
        self._rest: Filed = {}
        self._negatives: Counter[tuple[MatchType, str, str]] = Counter()
        """How many matcher sets share each negative matcher."""
        self._chosen: dict[tuple[str, int], tuple[Matcher, ...]] = {}
        """What each matcher set is filed under."""
        self._unfiled: dict[str, Silence] = {}

    def add(self, silence: Silence) -> None:
        """Every matcher set of ``silence`` is filed by the next look-up."""
        self._unfiled[silence.id] = silence

    def add_all(self, silences: Iterable[tuple[str, Silence]]) -> None:
        """:meth:`add` for some, by their ids."""
        self._unfiled.update(silences)

    def _filing(self) -> Steps[None]:
        while self._unfiled:
            silence = next(iter(self._unfiled.values()))
            for matchers in silence.matcher_sets:
                for matcher in matchers:
                    if matcher.regex is not None and not matcher.regex.matches_empty:
                        yield
            if self._unfiled.get(silence.id) is silence:  # Others may have been here meanwhile.
                del self._unfiled[silence.id]
                self._file(silence)
            if len(self._unfiled) % _AT_ONCE == 0:
                yield

    def _file(self, silence: Silence) -> None:
        for number, matchers in enumerate(silence.matcher_sets):
            key = (silence.id, number)
            self._negatives.update(_negative(matchers))
            chosen = self._chosen[key] = self._choose(matchers)
            if not chosen:
                self._rest[key] = matchers
                continue
            rest = tuple([matcher for matcher in matchers if all(matcher is not each for each in chosen)])
            first = chosen[0]
            if first.type is MatchType.EQUAL:
                self._by_pair.setdefault((first.name, first.value), {})[key] = rest
            elif first.type is MatchType.NOT_EQUAL:
                self._by_unequal.setdefault(_pairs(chosen), {})[key] = rest
            else:
                group = self._groups(first).setdefault(first.name, PatternGroup())
                group.add(_pattern(first), key, rest)

    def remove(self, silence: Silence) -> None:
        """Take out an equal silence."""
        if self._unfiled.pop(silence.id, None) is not None:
            return
        for number, matchers in enumerate(silence.matcher_sets):
            key = (silence.id, number)
            for each in _negative(matchers):
                self._negatives[each] -= 1
                if not self._negatives[each]:
                    del self._negatives[each]
            chosen = self._chosen.pop(key)
            if not chosen:
                del self._rest[key]
                continue
            first = chosen[0]
            if first.type is MatchType.EQUAL:
                _take_out(self._by_pair, (first.name, first.value), key)
            elif first.type is MatchType.NOT_EQUAL:
                _take_out(self._by_unequal, _pairs(chosen), key)
            else:
                groups = self._groups(first)
                groups[first.name].remove(_pattern(first), key)
                if not groups[first.name].filed:
                    del groups[first.name]

    def _choose(self, matchers: MatcherSet) -> tuple[Matcher, ...]:
        """The matcher to file a set under, or several inequalities; none for a set that can be under
        anything."""
        fewest: tuple[int, bool] = (sys.maxsize, True)
        fewest_of_pattern = sys.maxsize
        equality = positive = None
        for matcher in matchers:
            if matcher.type is MatchType.EQUAL and matcher.value:
                # The alert's name is shared by many alerts: of two that as few silences have, take the other.
                count = len(self._by_pair.get((matcher.name, matcher.value), ())), matcher.name == "alertname"
                if count < fewest:
                    fewest, equality = count, matcher
            elif matcher.type is MatchType.REGEXP:
                group = self._by_name.get(matcher.name)
                filed = len(group.filed.get(_pattern(matcher), ())) if group is not None else 0
                if filed < fewest_of_pattern and not _pattern(matcher).matches_empty:  # It needs its label.
                    fewest_of_pattern, positive = filed, matcher
        if positive is not None and fewest[0] >= _CROWDED:
            return (positive,)
        found = equality or positive
        return (found,) if found is not None else self._choose_negative(matchers)

    def _choose_negative(self, matchers: MatcherSet) -> tuple[Matcher, ...]:
        """What many share rules them out together."""
        unequal = [each for each in matchers if each.type is MatchType.NOT_EQUAL]
        if unequal:
            counts = [self._negatives[_of(each)] for each in unequal]
            least = max(2, max(counts) // _CROWDED)  # Few share it: a place for each.
            shared = tuple([each for each, count in zip(unequal, counts, strict=True) if count >= least])
            return shared or (unequal[0],)
        negative = [each for each in matchers if each.type is MatchType.NOT_REGEXP]
        return (max(negative, key=lambda each: self._negatives[_of(each)]),) if negative else ()

    def _groups(self, chosen: Matcher) -> dict[str, PatternGroup]:
        return self._by_name if chosen.type is MatchType.REGEXP else self._by_absence

    def find(self, labels: Labels) -> set[str]:
        """The ids of the silences that match, whatever the time."""
        return finish(self.steps(labels))

    def steps(self, labels: Labels) -> Steps[set[str]]:
        """:meth:`find` in steps. What changes meanwhile may be among what is found or not."""
        yield from self._filing()
        found: set[str] = set()
        for filed in self._equal_to(labels):
            yield from _fulfilled(filed, labels, found)
        for group, value in [
            (group, value) for name, value in labels.items() if (group := self._by_name.get(name)) is not None
        ]:
            for filed in (yield from group.find(value)):
                yield from _fulfilled(filed, labels, found)
        for position, (pairs, filed) in enumerate(list(self._by_unequal.items())):
            for name, value in pairs:
                if labels.value(name) == value:
                    break
            else:
                yield from _fulfilled(filed, labels, found)
            if position % _AT_ONCE == 0:
                yield
        for name, group in list(self._by_absence.items()):
            for filed in (yield from group.find_others(labels.value(name))):
                yield from _fulfilled(filed, labels, found)
        yield from _fulfilled(self._rest, labels, found)
        return found

    def _equal_to(self, labels: Labels) -> Iterator[Filed]:
        by_pair = self._by_pair
        for pair in labels.items():
            filed = by_pair.get(pair)
            if filed is not None:
                yield filed


def _fulfilled(filed: Filed, labels: Labels, found: set[str]) -> Generator[None, None, None]:
    """Add the ids of those of ``filed`` whose other matchers ``labels`` fulfil too."""
    for position, (key, rest) in enumerate(list(filed.items())):
        for matcher in rest:  # As in fulfils(), which would be a generator for each.
            if not matcher.matches(labels.value(matcher.name)):
                break
            if matcher.regex is not None:
                yield
        else:
            found.add(key[0])
        if position % _AT_ONCE == 0:
            yield


def fulfils(matchers: MatcherSet, labels: Labels) -> Steps[bool]:
    """Whether ``labels`` fulfil all of ``matchers``; one step for each pattern, which may be costly."""
    for matcher in matchers:
        if not matcher.matches(labels.value(matcher.name)):
            return False
        if matcher.regex is not None:
            yield
    return True


Key = TypeVar("Key")


def _take_out(places: dict[Key, Filed], place: Key, key: tuple[str, int]) -> None:
    filed = places[place]
    del filed[key]
    if not filed:
        del places[place]


def _pairs(chosen: Iterable[Matcher]) -> tuple[tuple[str, str], ...]:
    """In one order, and each once."""
    return tuple(sorted({(each.name, each.value) for each in chosen}))


def _negative(matchers: MatcherSet) -> Iterator[tuple[MatchType, str, str]]:
    return (_of(each) for each in matchers if each.type in (MatchType.NOT_EQUAL, MatchType.NOT_REGEXP))


def _of(matcher: Matcher) -> tuple[MatchType, str, str]:
    return matcher.type, matcher.name, matcher.value


def _pattern(matcher: Matcher) -> regex.Regex:
    assert matcher.regex is not None  # noqa: S101  (for the type checker)
    return matcher.regex
