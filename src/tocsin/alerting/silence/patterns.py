"""Regular expressions on one label name, tried many at a time.

They are indexed by the prefixes of the texts that they match. Of those that begin alike, the ones that mean
the same within a larger one as by themselves are joined: a few into a leaf, many leaves into a chunk. What is
new collects in a young chunk, whose leaves go to an older one when it is full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final, TypeAlias

from tocsin.alerting import regex
from tocsin.alerting.regex_prefix import literal_prefix
from tocsin.alerting.silence.silence import MatcherSet
from tocsin.alerting.steps import Steps

_LEAF: Final = 16
"""Patterns joined into one expression, and as many such leaves into the larger one of a chunk. Most values
match none, so one comparison rules out a whole chunk; else one comparison with each leaf rules out most of
them."""
_YOUNG: Final = 4
"""Leaves that a chunk collects before they are put to those of an older one: what is new has few others
compiled anew."""
_OLD: Final = 32
_LEAF_SIZE: Final = 2048
_YOUNG_SIZE: Final = 4096
_OLD_SIZE: Final = 8192
"""Instructions of each: some milliseconds to compile. A larger pattern is tried by itself."""

_REMEMBERED_VALUES: Final = 4096
_REMEMBERED_CHARACTERS: Final = 256
"""Of a value; longer ones are matched each time."""
_REMEMBERED_HITS: Final = 65_536
"""Of all values together."""
Filed: TypeAlias = dict[tuple[str, int], MatcherSet]
"""By the silence's id and the number of the set: the matchers that are left to try."""


class _Leaf:
    """A few patterns that are tried together."""

    __slots__ = ("_joined", "_stale", "filed", "size")

    def __init__(self) -> None:
        self.filed: dict[regex.Regex, Filed] = {}
        self.size = 0
        self._joined: regex.Regex | None = None
        self._stale = False

    def add(self, pattern: regex.Regex, filed: Filed) -> None:
        self.filed[pattern] = filed
        self.size += pattern.cost.size
        self._stale = True

    def remove(self, pattern: regex.Regex) -> None:
        del self.filed[pattern]
        self.size -= pattern.cost.size
        self._stale = True

    def has_room_for(self, pattern: regex.Regex) -> bool:
        return len(self.filed) < _LEAF and self.size + pattern.cost.size <= _LEAF_SIZE

    def hits(self, value: str) -> Steps[list[Filed]]:
        """What is filed under the patterns that match ``value``."""
        if self._stale:
            self._stale = False
            self._joined = _join(self.filed)
            yield
        if self._joined is not None and self._joined.excludes(value):
            return []
        found: list[Filed] = []
        for pattern, filed in list(self.filed.items()):
            if pattern.match(value):
                found.append(filed)
            yield
        return found


class _Chunk:
    """Leaves that are tried together first."""

    __slots__ = ("_joined", "_removed", "_stale", "joins", "leaves", "size")

    def __init__(self, *, joins: bool) -> None:
        """``joins``: others may come to its patterns."""
        self.joins = joins
        self.leaves: list[_Leaf] = []
        self.size = 0
        self._joined: regex.Regex | None = None
        self._stale = False
        self._removed = 0

    def add(self, pattern: regex.Regex, filed: Filed) -> _Leaf | None:
        """Put it into a leaf; None: there is no room."""
        if self.leaves and self.size + pattern.cost.size > _YOUNG_SIZE:
            return None
        if not self.leaves or not self.leaves[-1].has_room_for(pattern):
            if len(self.leaves) >= _YOUNG:
                return None
            self.leaves.append(_Leaf())
        leaf = self.leaves[-1]
        leaf.add(pattern, filed)
        self.size += pattern.cost.size
        self._stale = True
        return leaf

    def remove(self, pattern: regex.Regex, leaf: _Leaf) -> None:
        """Take it out. What is joined goes on to rule out the others, until it is mostly of such as this."""
        leaf.remove(pattern)
        self.size -= pattern.cost.size
        if not leaf.filed:
            self.leaves.remove(leaf)
        self._removed += 1
        if self._removed > sum(len(leaf.filed) for leaf in self.leaves):
            self._stale = True

    def takes(self, other: _Chunk) -> bool:
        """Take over the leaves of a younger one, if there is room."""
        if len(self.leaves) + len(other.leaves) > _OLD or self.size + other.size > _OLD_SIZE:
            return False
        self.leaves += other.leaves
        self.size += other.size
        self._stale = True
        return True

    def hits(self, value: str) -> Steps[list[Filed]]:
        """What is filed under the patterns that match ``value``."""
        if self._stale:
            self._stale = False
            self._removed = 0
            patterns = [pattern for leaf in self.leaves for pattern in leaf.filed]
            self._joined = _join(patterns) if len(self.leaves) > 1 else None
            yield
        if self._joined is not None and self._joined.excludes(value):
            return []
        found: list[Filed] = []
        for leaf in list(self.leaves):
            found += yield from leaf.hits(value)
        return found


def _join(patterns: Collection[regex.Regex]) -> regex.Regex | None:
    return regex.join([each.text for each in patterns]) if len(patterns) > 1 else None


class _Pile:
    """Patterns that begin alike, in chunks."""

    __slots__ = ("_chunks", "_place", "_young")

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []
        self._place: dict[regex.Regex, tuple[_Chunk, _Leaf]] = {}
        self._young: _Chunk | None = None

    def __len__(self) -> int:
        return len(self._place)

    def put(self, pattern: regex.Regex, filed: Filed) -> None:
        chunk = self._young if pattern.stands_alone else None
        leaf = chunk.add(pattern, filed) if chunk is not None else None
        if chunk is None or leaf is None:
            chunk = _Chunk(joins=pattern.stands_alone)
            leaf = chunk.add(pattern, filed)
            assert leaf is not None  # noqa: S101  (a new one takes anything)
            if pattern.stands_alone:
                self._grow_old()
                self._young = chunk
            self._chunks.append(chunk)
        self._place[pattern] = chunk, leaf

    def _grow_old(self) -> None:
        """Put the leaves of the young chunk, which is full, to those of an older one."""
        young = self._young
        if young is None:
            return
        for chunk in self._chunks:
            if chunk is not young and chunk.joins and chunk.takes(young):
                self._chunks.remove(young)
                for leaf in young.leaves:
                    for pattern in leaf.filed:
                        self._place[pattern] = chunk, leaf
                return

    def remove(self, pattern: regex.Regex) -> None:
        chunk, leaf = self._place.pop(pattern)
        chunk.remove(pattern, leaf)
        if not chunk.leaves:
            self._chunks.remove(chunk)
            if self._young is chunk:
                self._young = None

    def hits(self, value: str) -> Steps[list[Filed]]:
        """What is filed under the patterns that match ``value``."""
        found: list[Filed] = []
        for chunk in list(self._chunks):
            found += yield from chunk.hits(value)
            yield
        return found


class PatternGroup:
    """The matcher sets filed under a regular expression on one label name."""

    def __init__(self) -> None:
        self.filed: dict[regex.Regex, Filed] = {}
        self._piles: dict[str, _Pile] = {}
        """By what the texts begin with that they match: of most, a value's beginning says that none does."""
        self._lengths: Counter[int] = Counter()
        self._hits: dict[str, list[Filed]] = {}
        self._hit_count = 0
        self._changes = 0

    def add(self, pattern: regex.Regex, key: tuple[str, int], rest: MatcherSet) -> None:
        filed = self.filed.get(pattern)
        if filed is None:
            filed = self.filed[pattern] = {}
            prefix = _prefix(pattern)
            pile = self._piles.get(prefix)
            if pile is None:
                pile = self._piles[prefix] = _Pile()
                self._lengths[len(prefix)] += 1
            pile.put(pattern, filed)
            self._forget()
        filed[key] = rest

    def remove(self, pattern: regex.Regex, key: tuple[str, int]) -> None:
        filed = self.filed[pattern]
        del filed[key]
        if filed:
            return
        del self.filed[pattern]
        prefix = _prefix(pattern)
        pile = self._piles[prefix]
        pile.remove(pattern)
        if not pile:
            del self._piles[prefix]
            self._lengths[len(prefix)] -= 1
            if not self._lengths[len(prefix)]:
                del self._lengths[len(prefix)]
        self._forget()

    def _forget(self) -> None:
        self._hits.clear()
        self._hit_count = 0
        self._changes += 1

    def find(self, value: str) -> Steps[list[Filed]]:
        """What is filed under the patterns that match ``value``."""
        known = self._hits.get(value)
        if known is not None:
            return known
        changes = self._changes
        hits: list[Filed] = []
        for length in list(self._lengths):
            pile = self._piles.get(value[:length])
            if pile is not None:
                hits += yield from pile.hits(value)
        if len(value) <= _REMEMBERED_CHARACTERS and changes == self._changes:
            if len(self._hits) >= _REMEMBERED_VALUES or self._hit_count + len(hits) > _REMEMBERED_HITS:
                self._hits.clear()
                self._hit_count = 0
            self._hits[value] = hits
            self._hit_count += len(hits)
        return hits

    def find_others(self, value: str) -> Steps[list[Filed]]:
        """What is filed under the patterns that exclude ``value``."""
        matching = set(map(id, (yield from self.find(value))))
        return [
            filed
            for pattern, filed in list(self.filed.items())
            if id(filed) not in matching and pattern.affords(value)
        ]


def _prefix(pattern: regex.Regex) -> str:
    return literal_prefix(pattern.text) if pattern.stands_alone else ""
