"""Finds the matcher sets that a label set fulfils without trying them all.

Each matcher set is filed once, under the matcher of it that is likely to rule out most: an equality (by name
and value), else a positive regular expression (by name), else a negative one (by name), else with the rest.
A label set is tried only against what is filed under one of its labels. Regular expressions of one name are
tried many at a time, joined into one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tocsin.alerting import regex
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType, matches_all
from tocsin.alerting.silence.silence import MatcherSet, Silence

_CHUNK: Final = 64
"""Patterns joined into one expression. Most values match none, so one look rules out a chunk."""

_REMEMBERED_VALUES: Final = 4096

_Filed = dict[tuple[str, int], MatcherSet]  # (silence id, number of the set) -> the matchers left to try


class _PatternGroup:
    """The matcher sets filed under a regular expression on one label name."""

    def __init__(self) -> None:
        self.by_pattern: dict[str, _Filed] = {}
        self._chunks: list[tuple[regex.Regex | None, list[tuple[Matcher, _Filed]]]] | None = None
        self._hits: dict[str, list[_Filed]] = {}

    def add(self, matcher: Matcher, key: tuple[str, int], rest: MatcherSet) -> None:
        filed = self.by_pattern.get(matcher.value)
        if filed is None:
            filed = self.by_pattern[matcher.value] = {}
            self._chunks = None
        filed[key] = rest

    def remove(self, matcher: Matcher, key: tuple[str, int]) -> None:
        filed = self.by_pattern[matcher.value]
        del filed[key]
        if not filed:
            del self.by_pattern[matcher.value]
            self._chunks = None

    def find(self, value: str) -> list[_Filed]:
        """What is filed under the patterns that match ``value``."""
        if self._chunks is None:
            self._chunks = self._join()
            self._hits.clear()
        hits = self._hits.get(value)
        if hits is None:
            hits = [
                filed
                for joined, members in self._chunks
                if joined is None or joined.match(value)
                for matcher, filed in members
                if matcher.matches(value)
            ]
            if len(self._hits) >= _REMEMBERED_VALUES:
                self._hits.clear()
            self._hits[value] = hits
        return hits

    def find_others(self, value: str) -> list[_Filed]:
        """What is filed under the patterns that do not match ``value``."""
        matching = set(map(id, self.find(value)))
        return [filed for filed in self.by_pattern.values() if id(filed) not in matching]

    def _join(self) -> list[tuple[regex.Regex | None, list[tuple[Matcher, _Filed]]]]:
        patterns = list(self.by_pattern)
        chunks: list[tuple[regex.Regex | None, list[tuple[Matcher, _Filed]]]] = []
        for start in range(0, len(patterns), _CHUNK):
            chunk = patterns[start : start + _CHUNK]
            members = [
                (Matcher(MatchType.REGEXP, "", pattern), self.by_pattern[pattern]) for pattern in chunk
            ]
            joined: regex.Regex | None = None
            if len(chunk) > 1:
                try:
                    joined = regex.compile_uncached("|".join(f"(?:{pattern})" for pattern in chunk))
                except ValueError:  # together too large, or the same group name twice: try one by one
                    joined = None
            chunks.append((joined, members))
        return chunks


class SilenceIndex:
    """The matcher sets of all silences, by what they ask for."""

    def __init__(self) -> None:
        self._by_pair: dict[tuple[str, str], _Filed] = {}
        self._by_name: dict[str, _PatternGroup] = {}
        self._by_absence: dict[str, _PatternGroup] = {}
        self._rest: _Filed = {}

    def add(self, silence: Silence) -> None:
        """File every matcher set of ``silence``."""
        for number, matchers in enumerate(silence.matcher_sets):
            key = (silence.id, number)
            chosen = _choose(matchers)
            if chosen is None:
                self._rest[key] = matchers
                continue
            rest = tuple(matcher for matcher in matchers if matcher is not chosen)
            if chosen.type is MatchType.EQUAL:
                self._by_pair.setdefault((chosen.name, chosen.value), {})[key] = rest
            else:
                self._groups(chosen).setdefault(chosen.name, _PatternGroup()).add(chosen, key, rest)

    def remove(self, silence: Silence) -> None:
        """Take out what :meth:`add` filed for an equal silence."""
        for number, matchers in enumerate(silence.matcher_sets):
            key = (silence.id, number)
            chosen = _choose(matchers)
            if chosen is None:
                del self._rest[key]
            elif chosen.type is MatchType.EQUAL:
                filed = self._by_pair[chosen.name, chosen.value]
                del filed[key]
                if not filed:
                    del self._by_pair[chosen.name, chosen.value]
            else:
                groups = self._groups(chosen)
                groups[chosen.name].remove(chosen, key)
                if not groups[chosen.name].by_pattern:
                    del groups[chosen.name]

    def _groups(self, chosen: Matcher) -> dict[str, _PatternGroup]:
        return self._by_name if chosen.type is MatchType.REGEXP else self._by_absence

    def find(self, labels: Labels) -> set[str]:
        """The ids of the silences that match, whatever the time."""
        return {
            key[0]
            for filed in self._filed_under(labels)
            for key, rest in filed.items()
            if matches_all(rest, labels)
        }

    def _filed_under(self, labels: Labels) -> Iterator[_Filed]:
        by_pair = self._by_pair
        by_name = self._by_name
        for pair in labels.items():
            filed = by_pair.get(pair)
            if filed is not None:
                yield filed
            if by_name:
                group = by_name.get(pair[0])
                if group is not None:
                    yield from group.find(pair[1])
        for name, group in self._by_absence.items():
            yield from group.find_others(labels.value(name))
        if self._rest:
            yield self._rest


def _choose(matchers: MatcherSet) -> Matcher | None:
    """The matcher to file a set under, None for one that can be under anything."""
    best: Matcher | None = None
    for matcher in matchers:
        if matcher.type is MatchType.EQUAL and matcher.value:
            # The alert's name is shared by many alerts and silences: any other label rules out more.
            if matcher.name != "alertname":
                return matcher
            best = matcher
        elif matcher.type is MatchType.REGEXP and not matcher.matches(""):  # needs its label to be there
            if best is None or best.type is MatchType.NOT_REGEXP:
                best = matcher
        elif matcher.type is MatchType.NOT_REGEXP and best is None:
            best = matcher
    return best
