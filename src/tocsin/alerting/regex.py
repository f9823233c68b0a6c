"""Regular expressions with Go's syntax, meaning and error texts, matched in linear time.

RE2 is the same engine design as Go's ``regexp``; where the two differ (``\\C``, error wording) this module
makes up the difference. Patterns that are plain text or a choice of plain texts never reach the engine.

Patterns come from anybody who reaches the API or is a member, so all that they can cost is bounded: they are
weighed before anything else (:mod:`~tocsin.alerting.regex_cost`), a large one is only checked for
mistakes and compiled when the first text is to be matched (of our own journal all are, and not checked
before either: they were good when they were kept), RE2 never tracks what groups capture
(its time would grow with their number too), a text that could cost too much with a pattern is not matched,
and compiled programs share :data:`HOT_BYTES`: of more the oldest is dropped, and compiled anew when it is
needed. Nothing is kept of a pattern that nobody holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary, ref

import re2

from tocsin.alerting.regex_cost import (
    MAX_SIZE,
    TEXT,
    Cost,
    PatternCostError,
    cost_of,
    is_choice,
    shortened,
    slow_part,
)
from tocsin.alerting.regex_engine import (
    TooLargeError,
    check,
    compiled_size,
    engines_made,
    program,
    too_large,
)
from tocsin.alerting.regex_spending import Purse, pay, room_for, spending, trusted, trusting, weigh

__all__ = [
    "EAGER_SIZE",
    "HOT_BYTES",
    "LONGEST_WORK",
    "MAX_SIZE",
    "Cost",
    "Purse",
    "Regex",
    "TooLargeError",
    "compile",
    "compiled_size",
    "engines_made",
    "hot_bytes",
    "join",
    "problem",
    "programs_dropped",
    "room_for",
    "spending",
    "trusted",
    "trusting",
]

HOT_BYTES: Final = 48 << 20
"""For all compiled programs and what RE2 remembers of texts, by what each may take at most. All that silences
may have together fit in, so that none is compiled again for each text."""
EAGER_SIZE: Final = 512
"""Up to so many instructions, compiling costs no more than checking for mistakes."""
LONGEST_WORK: Final = 1 << 22
"""Steps of the engine (some nanoseconds each) that one text may cost. One that could cost more is not
tried, and neither matches nor counts as not matching: a costly pattern silences no endless label value."""
REMEMBERED_TEXTS: Final = 512
"""With each slow pattern."""
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_SPECIAL_BUT_CHOICE = re.compile(r"[\\.+*?()\[\]{}^$]")
_ESCAPED_CHOICE = re.compile(r"(?:[^\\.+*?()\[\]{}^$]|\\[!-/:-@\[-`{-~])*+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)")
_NAMED_GROUP = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?+\]?+(?:\[:\^?+[a-z]++:\]|\\.|[^\]\\])*+\]|(?P<named>\(\?P?<[^>]*+>)",
    re.DOTALL,
)


class _Hot:
    """The regexes that have their program at hand, the oldest first."""

    def __init__(self) -> None:
        self.bytes = 0
        self.dropped = 0
        self._held: dict[ref[Regex], int] = {}

    def add(self, regex: Regex, size: int) -> None:
        while self._held and self.bytes + size > HOT_BYTES:
            oldest = next(iter(self._held))
            self._drop(oldest)
            self.dropped += 1
            found = oldest()
            if found is not None:
                found.cool()
        self._held[ref(regex, self._drop)] = size
        self.bytes += size

    def _drop(self, held: ref[Regex]) -> None:
        self.bytes -= self._held.pop(held, 0)


_hot: Final = _Hot()


def hot_bytes() -> int:
    """What compiled programs take now at most, for the metrics."""
    return _hot.bytes


def programs_dropped() -> int:
    """How many programs had to make room for others since the start, for the metrics."""
    return _hot.dropped


class Regex:
    """A pattern; :meth:`match` says whether it matches a whole text."""

    __slots__ = (
        "__weakref__",
        "_alone",
        "_empty",
        "_longest",
        "_plain",
        "_search",
        "_seen",
        "cost",
        "pattern",
        "text",
    )

    def __init__(
        self, pattern: str, cost: Cost, plain: Callable[[str], bool] | None, alone: bool | None
    ) -> None:
        """``alone`` None: it was not read yet (:meth:`check_pattern`)."""
        self.pattern = pattern
        self.text = _without_names(pattern)
        """The same, without names of groups."""
        self.cost = cost
        self._plain = plain
        self._alone = alone
        self._longest = _longest(cost.work)
        self._search: Callable[[bytes], object] | None = None
        self._empty: bool | None = None
        # Whatever else changes, a slow one is not tried again with a text.
        self._seen: dict[str, bool] | None = {} if cost.slow and plain is None else None

    @property
    def matches_empty(self) -> bool:
        """Whether it matches the empty text, found without compiling all of it."""
        if self._empty is None:
            self._empty = self._finds_empty()
        return self._empty

    def _finds_empty(self) -> bool:
        self.check_pattern()
        if self._plain is not None or self._search is not None or self._longest < 0:
            return self.match("")
        if is_choice(self.pattern):
            return "" in self.pattern.split("|")
        text = shortened(self.text)
        search, _ = program(text if self._alone else _anchored(text), self.cost.size)
        return (search.fullmatch(b"") if self._alone else search.search(b"")) is not None

    @property
    def stands_alone(self) -> bool:
        """Whether it can be part of a larger pattern. ``a)|(?:b`` cannot: Go puts ``^(?:`` and ``)$`` around
        it and takes it for a text that begins with ``a`` or ends with ``b``."""
        self.check_pattern()
        return self._alone is True

    def check_pattern(self) -> None:
        """Read it, if it was not read yet. An invalid one matches nothing, and counts as not
        matching nothing: no version of ours has kept such a one."""
        if self._alone is not None:
            return
        try:
            self._alone, work = _read(self.pattern, self.cost)
        except ValueError:
            self._alone, self._longest = False, -1
        else:
            self._longest = _longest(work)

    def match(self, text: str) -> bool:
        """Whether it matches all of ``text``; never one that could cost more than :data:`LONGEST_WORK`."""
        if self._plain is not None:
            return self._plain(text)
        if self._alone is None:
            self.check_pattern()
        encoded = text.encode("utf-8", "surrogatepass")
        if len(encoded) > self._longest:
            return False
        if self._seen is not None:
            return self._slowly(text, encoded)
        return (self._search or self._heat())(encoded) is not None

    def excludes(self, text: str) -> bool:
        """Whether it does not match ``text``; nor this of one that could cost too much."""
        if self._plain is not None:
            return not self._plain(text)
        if self._alone is None:
            self.check_pattern()
        encoded = text.encode("utf-8", "surrogatepass")
        if len(encoded) > self._longest:
            return False
        if self._seen is not None:
            return not self._slowly(text, encoded)
        return (self._search or self._heat())(encoded) is None

    def _slowly(self, text: str, encoded: bytes) -> bool:
        seen = self._seen
        assert seen is not None  # noqa: S101  (for the type checker)
        known = seen.get(text)
        if known is None:
            known = (self._search or self._heat())(encoded) is not None
            if len(seen) >= REMEMBERED_TEXTS:
                seen.clear()
            if len(text) <= TEXT:
                seen[text] = known
        return known

    def affords(self, text: str) -> bool:
        """Whether ``text`` is matched at all."""
        self.check_pattern()
        return self._plain is not None or len(text.encode("utf-8", "surrogatepass")) <= self._longest

    def cool(self) -> None:
        """Forget the program."""
        self._search = None

    def keep(self, engine: re2._Regexp, alone: bool, kept: int) -> None:
        """Have a program at hand."""
        self._search = engine.fullmatch if alone else engine.search
        _hot.add(self, kept)

    def _heat(self) -> Callable[[bytes], object]:
        text = self.text if self._alone else _anchored(self.text)
        engine, kept = program(text, self.cost.size)
        self.keep(engine, self._alone is True, kept)
        assert self._search is not None  # noqa: S101  (for the type checker)
        return self._search

    def __repr__(self) -> str:
        return f"Regex({self.pattern!r})"


def _longest(work: int) -> int:
    return max(LONGEST_WORK * TEXT // max(work, 1), 1)


def _anchored(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _without_names(pattern: str) -> str:
    """``(?P<name>...)`` captures whatever the options say."""
    if "<" not in pattern:
        return pattern
    return _NAMED_GROUP.sub(lambda found: "(?:" if found["named"] else found[0], pattern)


def problem(pattern: str) -> str:
    """What is wrong with ``pattern`` as it stands, not anchored, as Go words it; empty if nothing is."""
    try:
        check(pattern, cost_of(pattern).effort)
    except PatternCostError:
        return ""
    except ValueError as error:
        return str(error)
    return ""


_known: Final[WeakValueDictionary[str, Regex]] = WeakValueDictionary()
"""Those that somebody holds."""


def compile(pattern: str) -> Regex:  # noqa: A001
    """``^(?:pattern)$`` compiled.

    Raises ValueError whose text is that of Go's ``regexp.Compile``:
    ``error parsing regexp: missing closing ]: `[a)$` ``; or ``expression too large`` where Go would take it.
    """
    found = _known.get(pattern)
    if found is not None:
        pay(pattern, found.cost)
        return found
    made = _known[pattern] = _compile(pattern, weigh(pattern))
    return made


def join(patterns: list[str]) -> Regex | None:
    """One regex for a choice of texts (:attr:`Regex.text`) of regexes that stand alone; None: too large."""
    pattern = "|".join([f"(?:{pattern})" for pattern in patterns])
    try:
        return _compile(pattern, cost_of(pattern))
    except ValueError:  # too large together
        return None


def _compile(pattern: str, cost: Cost) -> Regex:
    plain = _plain(pattern)
    if plain is not None:
        return Regex(pattern, cost, plain, alone=True)
    if trusted():
        return Regex(pattern, cost, None, alone=None)
    if cost.size > EAGER_SIZE and "<" not in pattern:
        alone, work = _read(pattern, cost)
        return Regex(pattern, Cost(cost.size, work, cost.parts, slow_part(work)), None, alone)
    alone = True
    try:
        engine, kept = program(pattern, cost.size)
        if "\\Q" in pattern:  # If it is not closed, it takes in what is put behind the pattern.
            program(_anchored(pattern), cost.size)
    except TooLargeError:
        raise
    except ValueError:
        alone = False
        work = max(cost.work, TEXT * cost.size)  # it is tried at each position
        cost = Cost(cost.size, work, cost.parts, slow_part(work))
        engine, kept = program(_anchored(pattern), cost.size)
    regex = Regex(pattern, cost, None, alone)
    if regex.text != pattern:  # The names were good; they are of no use to anybody.
        text = regex.text
        engine, kept = program(text if alone else _anchored(text), cost.size)
    if engine.groups:
        raise too_large(pattern, "its groups cannot be counted")
    regex.keep(engine, alone, kept)
    return regex


def _read(pattern: str, cost: Cost) -> tuple[bool, int]:
    """Check a pattern that is compiled later: whether it stands alone, and its work then."""
    try:
        check(pattern, cost.effort)
        if "\\Q" in pattern:
            check(_anchored(pattern), 0)
    except ValueError:
        check(_anchored(pattern), 0)
        return False, max(cost.work, TEXT * cost.size)
    return True, cost.work


def _plain(pattern: str) -> Callable[[str], bool] | None:
    """What matches a pattern that needs no engine."""
    if not _SPECIAL.search(pattern):
        return pattern.__eq__
    if not _SPECIAL_BUT_CHOICE.search(pattern):
        return frozenset(pattern.split("|")).__contains__
    if pattern == ".*":
        return _has_no_line_feed
    if pattern == ".+":
        return _is_one_line
    if _ESCAPED_CHOICE.fullmatch(pattern) and "\\|" not in pattern and "\\_" not in pattern:
        return frozenset([_ESCAPE.sub(r"\1", part) for part in pattern.split("|")]).__contains__
    return None


def _has_no_line_feed(text: str) -> bool:
    return "\n" not in text


def _is_one_line(text: str) -> bool:
    return text != "" and "\n" not in text
