"""Finds the matcher sets that a label set fulfils without trying them all.

Each matcher set is filed once, under the matcher of it that is likely to rule out most: an equality (by name
and value), else a positive regular expression (by name), else a negative one (by name), else with the rest.
A label set is tried only against what is filed under one of its labels. Regular expressions of one name are
tried many at a time, joined into one; only those that mean the same within a larger one as by themselves.

A look-up can be done in steps (:meth:`SilenceIndex.steps`), as patterns that others have written may be slow.
What is added is filed by the next one, for the same reason.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final

from tocsin.alerting import regex
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.silence.silence import MatcherSet, Silence
from tocsin.alerting.steps import Steps, finish

_CHUNK: Final = 64
"""Patterns joined into one expression. Most values match none, so one look rules out a chunk."""
_CHUNK_SIZE: Final = 4096
"""Instructions of a chunk: a large pattern is tried by itself, and a new one has few others compiled anew."""

_REMEMBERED_VALUES: Final = 4096
_REMEMBERED_CHARACTERS: Final = 256
"""Of a value; longer ones are looked at each time."""
_REMEMBERED_HITS: Final = 65_536
"""Of all values together."""
_AT_ONCE: Final = 64
"""Matcher sets that are tried in one step."""

_Filed = dict[tuple[str, int], MatcherSet]  # (silence id, number of the set) -> the matchers left to try


class _Chunk:
    """Patterns that are tried together."""

    __slots__ = ("_joined", "_stale", "filed", "size")

    def __init__(self) -> None:
        self.filed: dict[regex.Regex, _Filed] = {}
        self.size = 0
        self._joined: regex.Regex | None = None
        self._stale = False

    def add(self, pattern: regex.Regex, filed: _Filed) -> None:
        self.filed[pattern] = filed
        self.size += pattern.cost.size
        self._stale = True

    def remove(self, pattern: regex.Regex) -> None:
        del self.filed[pattern]
        self.size -= pattern.cost.size
        self._stale = True

    def has_room_for(self, pattern: regex.Regex) -> bool:
        return len(self.filed) < _CHUNK and self.size + pattern.cost.size <= _CHUNK_SIZE

    def hits(self, value: str) -> Steps[list[_Filed]]:
        """What is filed under the patterns that match ``value``."""
        if self._stale:
            self._stale = False
            self._joined = regex.join([each.text for each in self.filed]) if len(self.filed) > 1 else None
            yield
        joined = self._joined
        if joined is not None and joined.affords(value) and not joined.match(value):
            return []
        found: list[_Filed] = []
        for pattern, filed in list(self.filed.items()):
            if pattern.match(value):
                found.append(filed)
            yield
        return found


class _PatternGroup:
    """The matcher sets filed under a regular expression on one label name."""

    def __init__(self) -> None:
        self.filed: dict[regex.Regex, _Filed] = {}
        self._chunks: list[_Chunk] = []
        self._chunk_of: dict[regex.Regex, _Chunk] = {}
        self._open: _Chunk | None = None
        self._hits: dict[str, list[_Filed]] = {}
        self._hit_count = 0
        self._changes = 0

    def add(self, pattern: regex.Regex, key: tuple[str, int], rest: MatcherSet) -> None:
        filed = self.filed.get(pattern)
        if filed is None:
            filed = self.filed[pattern] = {}
            self._put(pattern, filed)
            self._forget()
        filed[key] = rest

    def _put(self, pattern: regex.Regex, filed: _Filed) -> None:
        if not pattern.stands_alone:
            chunk = _Chunk()
            self._chunks.append(chunk)
        else:
            if self._open is None or not self._open.has_room_for(pattern):
                self._open = _Chunk()
                self._chunks.append(self._open)
            chunk = self._open
        chunk.add(pattern, filed)
        self._chunk_of[pattern] = chunk

    def remove(self, pattern: regex.Regex, key: tuple[str, int]) -> None:
        filed = self.filed[pattern]
        del filed[key]
        if filed:
            return
        del self.filed[pattern]
        chunk = self._chunk_of.pop(pattern)
        chunk.remove(pattern)
        if not chunk.filed:
            self._chunks.remove(chunk)
        if self._open is not chunk and chunk.filed and pattern.stands_alone:
            self._open = chunk  # it has room now
        elif self._open is chunk and not chunk.filed:
            self._open = None
        self._forget()

    def _forget(self) -> None:
        self._hits.clear()
        self._hit_count = 0
        self._changes += 1

    def find(self, value: str) -> Steps[list[_Filed]]:
        """What is filed under the patterns that match ``value``."""
        known = self._hits.get(value)
        if known is not None:
            return known
        changes = self._changes
        hits: list[_Filed] = []
        for chunk in list(self._chunks):
            hits += yield from chunk.hits(value)
            yield
        if len(value) <= _REMEMBERED_CHARACTERS and changes == self._changes:
            if len(self._hits) >= _REMEMBERED_VALUES or self._hit_count + len(hits) > _REMEMBERED_HITS:
                self._hits.clear()
                self._hit_count = 0
            self._hits[value] = hits
            self._hit_count += len(hits)
        return hits

    def find_others(self, value: str) -> Steps[list[_Filed]]:
        """What is filed under the patterns that exclude ``value``."""
        matching = set(map(id, (yield from self.find(value))))
        return [
            filed
            for pattern, filed in list(self.filed.items())
            if id(filed) not in matching and pattern.affords(value)
        ]


class SilenceIndex:
    """The matcher sets of all silences, by what they ask for."""

    def __init__(self) -> None:
        self._by_pair: dict[tuple[str, str], _Filed] = {}
        self._by_name: dict[str, _PatternGroup] = {}
        self._by_absence: dict[str, _PatternGroup] = {}
        self._rest: _Filed = {}
        self._unfiled: dict[str, Silence] = {}

    def add(self, silence: Silence) -> None:
        """Every matcher set of ``silence`` is filed by the next look-up."""
        self._unfiled[silence.id] = silence

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
            chosen = _choose(matchers)
            if chosen is None:
                self._rest[key] = matchers
                continue
            rest = tuple(matcher for matcher in matchers if matcher is not chosen)
            if chosen.type is MatchType.EQUAL:
                self._by_pair.setdefault((chosen.name, chosen.value), {})[key] = rest
            else:
                group = self._groups(chosen).setdefault(chosen.name, _PatternGroup())
                group.add(_pattern(chosen), key, rest)

    def remove(self, silence: Silence) -> None:
        """Take out an equal silence."""
        if self._unfiled.pop(silence.id, None) is not None:
            return
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
                groups[chosen.name].remove(_pattern(chosen), key)
                if not groups[chosen.name].filed:
                    del groups[chosen.name]

    def _groups(self, chosen: Matcher) -> dict[str, _PatternGroup]:
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
        for name, group in list(self._by_absence.items()):
            for filed in (yield from group.find_others(labels.value(name))):
                yield from _fulfilled(filed, labels, found)
        yield from _fulfilled(self._rest, labels, found)
        return found

    def _equal_to(self, labels: Labels) -> Iterator[_Filed]:
        by_pair = self._by_pair
        for pair in labels.items():
            filed = by_pair.get(pair)
            if filed is not None:
                yield filed


def _fulfilled(filed: _Filed, labels: Labels, found: set[str]) -> Generator[None, None, None]:
    """Add the ids of those of ``filed`` whose other matchers ``labels`` fulfil too."""
    for position, (key, rest) in enumerate(list(filed.items())):
        if not rest or (yield from fulfils(rest, labels)):
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


def _pattern(matcher: Matcher) -> regex.Regex:
    assert matcher.regex is not None  # noqa: S101  (for the type checker)
    return matcher.regex


def _choose(matchers: MatcherSet) -> Matcher | None:
    """The matcher to file a set under, None for one that can be under anything."""
    best: Matcher | None = None
    for matcher in matchers:
        if matcher.type is MatchType.EQUAL and matcher.value:
            # The alert's name is shared by many alerts and silences: any other label rules out more.
            if matcher.name != "alertname":
                return matcher
            best = matcher
        elif matcher.type is MatchType.REGEXP and not _pattern(matcher).matches_empty:  # needs its label
            if best is None or best.type is MatchType.NOT_REGEXP:
                best = matcher
        elif matcher.type is MatchType.NOT_REGEXP and best is None:
            best = matcher
    return best
