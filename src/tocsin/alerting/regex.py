"""Regular expressions with Go's syntax, meaning and error texts, matched in linear time.

RE2 is the same engine design as Go's ``regexp``; where the two differ (``\\C``, error wording) this module
makes up the difference. Patterns that are plain text or a choice of plain texts never reach the engine.

Patterns come from anybody who reaches the API or is a member, so all that they can cost is bounded: they are
weighed before anything else (:mod:`~tocsin.alerting.regex_cost`), a large one is only looked through for
mistakes and compiled when the first text is to be matched, RE2 never tracks what groups capture
(its time would grow with their number too), a text that could cost too much with a pattern is not looked at,
and compiled programs share :data:`HOT_BYTES`: of more the oldest is dropped, and compiled anew when it is
needed. Nothing is kept of a pattern that nobody holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from weakref import WeakValueDictionary, ref

import re2

from tocsin.alerting.regex_cost import (
    MAX_SIZE,
    MAX_TOGETHER,
    MAX_WORK,
    TEXT,
    Cost,
    PatternCostError,
    cost_of,
    is_choice,
    shortened,
)
from tocsin.alerting.regex_engine import (
    Spent,
    TooLargeError,
    check,
    compiled_size,
    program,
    too_large,
)

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
    "hot_bytes",
    "join",
    "problem",
    "programs_dropped",
    "room_for",
    "spending",
]

HOT_BYTES: Final = 48 << 20
"""For all compiled programs and what RE2 remembers of texts, by what each may take at most. All that silences
may have together fit in, so that none is compiled again for each text."""
EAGER_SIZE: Final = 512
"""Up to so many instructions, compiling costs no more than looking for mistakes."""
LONGEST_WORK: Final = 1 << 22
"""Steps of the engine (some nanoseconds each) that one text may cost. One that could cost more is not looked
at, and neither matches nor counts as not matching: a costly pattern silences no endless label value."""
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_SPECIAL_BUT_CHOICE = re.compile(r"[\\.+*?()\[\]{}^$]")
_ESCAPED_CHOICE = re.compile(r"(?:[^\\.+*?()\[\]{}^$]|\\[!-/:-@\[-`{-~])*+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)")
_NAMED_GROUP = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?+\]?+(?:\[:\^?+[a-z]++:\]|\\.|[^\]\\])*+\]|(?P<named>\(\?P?<[^>]*+>)",
    re.DOTALL,
)


class Purse:
    """What patterns may cost together: of one silence, or of one request."""

    def __init__(self, size: int = MAX_TOGETHER, work: int = 2 * MAX_WORK) -> None:
        self._size = size
        self._work = work
        self._paid: set[str] = set()

    def pay(self, pattern: str, cost: Cost) -> None:
        """Raises PatternCostError if it is too much. The same pattern costs once."""
        if pattern in self._paid:
            return
        if cost.size > self._size or cost.work > self._work:
            raise PatternCostError("the regular expressions are too large together")
        self._paid.add(pattern)
        self._size -= cost.size
        self._work -= cost.work


_room: ContextVar[tuple[int, int] | None] = ContextVar("_room", default=None)


@contextmanager
def room_for(size: int, work: int) -> Iterator[None]:
    """Of patterns that nobody holds yet none is compiled within that is larger, or may take more steps."""
    token = _room.set((size, work))
    try:
        yield
    finally:
        _room.reset(token)


_purse: ContextVar[Purse | None] = ContextVar("_purse", default=None)


@contextmanager
def spending(purse: Purse | None = None) -> Iterator[Purse]:
    """All patterns that are compiled within are paid from one purse, each before it is compiled."""
    given = purse or Purse()
    token = _purse.set(given)
    try:
        yield given
    finally:
        _purse.reset(token)


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
        "cost",
        "pattern",
        "text",
    )

    def __init__(self, pattern: str, cost: Cost, plain: Callable[[str], bool] | None, alone: bool) -> None:
        self.pattern = pattern
        self.text = _without_names(pattern)
        """The same, without names of groups."""
        self.cost = cost
        self._plain = plain
        self._alone = alone
        self._longest = max(LONGEST_WORK * TEXT // max(cost.work, 1), 1)
        self._search: Callable[[bytes], object] | None = None
        self._empty: bool | None = None

    @property
    def matches_empty(self) -> bool:
        """Whether it matches the empty text, found without compiling all of it."""
        if self._empty is None:
            self._empty = self._finds_empty()
        return self._empty

    def _finds_empty(self) -> bool:
        if self._plain is not None or self._search is not None:
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
        return self._alone

    def match(self, text: str) -> bool:
        """Whether it matches all of ``text``; never one that could cost more than :data:`LONGEST_WORK`."""
        if self._plain is not None:
            return self._plain(text)
        encoded = text.encode("utf-8", "surrogatepass")
        if len(encoded) > self._longest:
            return False
        return (self._search or self._heat())(encoded) is not None

    def excludes(self, text: str) -> bool:
        """Whether it does not match ``text``; nor this of one that could cost too much."""
        if self._plain is not None:
            return not self._plain(text)
        encoded = text.encode("utf-8", "surrogatepass")
        if len(encoded) > self._longest:
            return False
        return (self._search or self._heat())(encoded) is None

    def affords(self, text: str) -> bool:
        """Whether ``text`` is looked at at all."""
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
        self.keep(engine, self._alone, kept)
        assert self._search is not None  # noqa: S101  (for the type checker)
        return self._search

    def __repr__(self) -> str:
        return f"Regex({self.pattern!r})"


def _anchored(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _without_names(pattern: str) -> str:
    """``(?P<name>...)`` captures whatever the options say."""
    if "<" not in pattern:
        return pattern
    return _NAMED_GROUP.sub(lambda found: "(?:" if found["named"] else found[0], pattern)


def _weigh(pattern: str) -> Cost:
    try:
        cost = cost_of(pattern)
        room = _room.get()
        if room is not None and (cost.size > room[0] or cost.work > room[1]):
            raise PatternCostError("all regular expressions together would be too large")
        purse = _purse.get()
        if purse is not None:
            purse.pay(pattern, cost)
    except PatternCostError as error:
        Spent.size += len(pattern)
        raise too_large(pattern, str(error)) from None
    return cost


def problem(pattern: str) -> str:
    """What is wrong with ``pattern`` as it stands, not anchored, in Go's words; empty if nothing is."""
    try:
        check(pattern, cost_of(pattern).size)
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
        purse = _purse.get()
        if purse is not None:
            try:
                purse.pay(pattern, found.cost)
            except PatternCostError as error:
                raise too_large(pattern, str(error)) from None
        return found
    made = _known[pattern] = _compile(pattern, _weigh(pattern))
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
    if cost.size > EAGER_SIZE and "<" not in pattern:
        return _read(pattern, cost)
    alone = True
    try:
        engine, kept = program(pattern, cost.size)
        if "\\Q" in pattern:  # If it is not closed, it takes in what is put behind the pattern.
            program(_anchored(pattern), cost.size)
    except TooLargeError:
        raise
    except ValueError:
        alone = False
        cost = Cost(cost.size, max(cost.work, TEXT * cost.size))  # tried at each place
        engine, kept = program(_anchored(pattern), cost.size)
    regex = Regex(pattern, cost, None, alone)
    if regex.text != pattern:  # The names were good; they are of no use to anybody.
        text = regex.text
        engine, kept = program(text if alone else _anchored(text), cost.size)
    if engine.groups:
        raise too_large(pattern, "its groups cannot be told")
    regex.keep(engine, alone, kept)
    return regex


def _read(pattern: str, cost: Cost) -> Regex:
    """Look a pattern through that is compiled later; one without groups that have names."""
    alone = True
    try:
        check(pattern, cost.size)
        if "\\Q" in pattern:
            check(_anchored(pattern), 0)
    except ValueError:
        alone = False
        cost = Cost(cost.size, max(cost.work, TEXT * cost.size))
        check(_anchored(pattern), 0)
    return Regex(pattern, cost, None, alone)


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
