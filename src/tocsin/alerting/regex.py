"""Regular expressions with Go's syntax, meaning and error texts, matched in linear time.

RE2 is the same engine design as Go's ``regexp``; where the two differ (``\\C``, error wording) this module
makes up the difference. Patterns that are plain text or a choice of plain texts never reach the engine.

Patterns come from anybody who reaches the API or is a member, so all that they can cost is bounded: they are
weighed before they are compiled (:mod:`~tocsin.alerting.regex_cost`), RE2 never tracks what groups capture
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

from tocsin.alerting.regex_cost import MAX_SIZE, MAX_WORK, TEXT, Cost, PatternCostError, cost_of

__all__ = [
    "HOT_BYTES",
    "LONGEST_WORK",
    "Cost",
    "Purse",
    "Regex",
    "TooLargeError",
    "compile",
    "compiled_size",
    "hot_bytes",
    "join",
    "problem",
    "room_for",
    "spending",
]

HOT_BYTES: Final = 32 << 20
"""For all compiled programs and what RE2 remembers of texts, by what each may take at most."""
LONGEST_WORK: Final = 1 << 22
"""Steps of the engine (some nanoseconds each) that one text may cost. One that could cost more is not looked
at, and neither matches nor counts as not matching: a costly pattern silences no endless label value."""
_SHOWN: Final = 256
"""Characters of a pattern that an error shows."""
_ROOM: Final = 64 * 1024
"""Bytes that a small pattern gets of RE2 for what it remembers of texts, and with it gets on faster."""
_MEM_FOR_INSTRUCTION: Final = 96
"""RE2 compiles if ``max_mem`` has so much for each: a program gets two thirds, its instructions (of 16 bytes)
a quarter of that."""
_ENGINE_BYTES: Final = 2048

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_SPECIAL_BUT_CHOICE = re.compile(r"[\\.+*?()\[\]{}^$]")
_ESCAPED_CHOICE = re.compile(r"(?:[^\\.+*?()\[\]{}^$]|\\[!-/:-@\[-`{-~])*+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)")
_NAMED_GROUP = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?+\]?+(?:\[:\^?+[a-z]++:\]|\\.|[^\]\\])*+\]|(?P<named>\(\?P?<[^>]*+>)",
    re.DOTALL,
)
_ANY_CHARACTER_ESCAPE = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(.)", re.DOTALL)

# RE2's words -> Go's words
_WORDING: Final = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "trailing \\": "trailing backslash at end of expression",
}


class TooLargeError(ValueError):
    """The pattern costs too much; it may be a good one."""


class Purse:
    """What patterns may cost together: of one silence, or of one request."""

    def __init__(self, size: int = MAX_SIZE, work: int = MAX_WORK) -> None:
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


class _Compiled:
    """How much has been compiled since the start, for whoever works in slices."""

    size = 0


def compiled_size() -> int:
    """Instructions that were compiled since the start, as they were weighed."""
    return _Compiled.size


class _Hot:
    """The regexes that have their program at hand, the oldest first."""

    def __init__(self) -> None:
        self.bytes = 0
        self._held: dict[ref[Regex], int] = {}

    def add(self, regex: Regex, size: int) -> None:
        while self._held and self.bytes + size > HOT_BYTES:
            oldest = next(iter(self._held))
            self._drop(oldest)
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


class Regex:
    """A pattern; :meth:`match` says whether it matches a whole text."""

    __slots__ = ("__weakref__", "_alone", "_longest", "_plain", "_search", "cost", "pattern", "text")

    def __init__(self, pattern: str, cost: Cost, plain: Callable[[str], bool] | None, alone: bool) -> None:
        self.pattern = pattern
        self.text = _without_names(pattern)
        """The same, without names of groups."""
        self.cost = cost
        self._plain = plain
        self._alone = alone
        self._longest = max(LONGEST_WORK * TEXT // max(cost.work, 1), 1)
        self._search: Callable[[bytes], object] | None = None

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
        engine, kept = _engine(text, self.cost.size)
        self.keep(engine, self._alone, kept)
        assert self._search is not None  # noqa: S101  (for the type checker)
        return self._search

    def __repr__(self) -> str:
        return f"Regex({self.pattern!r})"


def _anchored(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _go_error(error: re2.error, pattern: str) -> ValueError:
    raw = error.args[0] if error.args else b""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    if text.startswith("pattern too large"):  # an engine's limit: it has no place in the pattern
        return _too_large(pattern, "")
    what, _, where = text.partition(": ")
    return ValueError(f"error parsing regexp: {_WORDING.get(what, what)}: `{where}`")


def _too_large(pattern: str, why: str) -> TooLargeError:
    shown = pattern if len(pattern) <= _SHOWN else f"{pattern[:_SHOWN]}..."
    return TooLargeError(f"error parsing regexp: expression too large{why and f' ({why})'}: `{shown}`")


def _engine(pattern: str, size: int) -> tuple[re2._Regexp, int]:
    """The program of a pattern that was weighed, and the bytes that it may take."""
    options = re2.Options()
    options.never_capture = True  # else its time grows with the number of groups; not for those with names
    options.max_mem = _ROOM + _MEM_FOR_INSTRUCTION * (size + 64)
    _Compiled.size += size
    compiled = _program(pattern, options)
    return compiled, options.max_mem // 3 + 16 * compiled.programsize + _ENGINE_BYTES


def _program(pattern: str, options: re2.Options) -> re2._Regexp:
    for found in _ANY_CHARACTER_ESCAPE.finditer(pattern):
        if found[1] == "C":  # a single byte: RE2 has it, Go has not
            raise ValueError("error parsing regexp: invalid escape sequence: `\\C`")
    try:
        encoded = pattern.encode()
    except UnicodeEncodeError:
        raise ValueError("error parsing regexp: invalid UTF-8") from None
    options.log_errors = False  # otherwise RE2 writes to stderr
    try:
        return re2.compile(encoded, options)
    except re2.error as error:
        raise _go_error(error, pattern) from None
    finally:
        re2.purge()  # it would keep the last 128


def engine(pattern: str, max_memory: int = 8 << 20) -> re2._Regexp:
    """RE2's object for ``pattern`` as it stands, not anchored, which takes bytes and captures.

    It holds at most ``max_memory`` bytes. Raises ValueError in Go's words, as :func:`compile` does.
    """
    options = re2.Options()
    options.max_mem = max_memory
    return _program(pattern, options)


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
        raise _too_large(pattern, str(error)) from None
    return cost


def problem(pattern: str) -> str:
    """What is wrong with ``pattern`` as it stands, not anchored, in Go's words; empty if nothing is."""
    try:
        _engine(pattern, cost_of(pattern).size)
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
                raise _too_large(pattern, str(error)) from None
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
    alone = True
    try:
        engine, kept = _engine(pattern, cost.size)
        if "\\Q" in pattern:  # If it is not closed, it takes in what is put behind the pattern.
            _engine(_anchored(pattern), cost.size)
    except TooLargeError:
        raise
    except ValueError:
        alone = False
        cost = Cost(cost.size, max(cost.work, TEXT * cost.size))  # tried at each place
        engine, kept = _engine(_anchored(pattern), cost.size)
    regex = Regex(pattern, cost, None, alone)
    if regex.text != pattern:  # The names were good; they are of no use to anybody.
        text = regex.text
        engine, kept = _engine(text if alone else _anchored(text), cost.size)
    if engine.groups:
        raise _too_large(pattern, "its groups cannot be told")
    regex.keep(engine, alone, kept)
    return regex


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
