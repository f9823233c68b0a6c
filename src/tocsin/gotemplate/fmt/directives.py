"""Cuts a format into its directives. What a directive means is decided when its arguments are at hand."""

from __future__ import annotations

import functools

from tocsin.dataclass import dataclass
from tocsin.gotemplate.values import clean

_TOO_LARGE = 1_000_000
_KEPT = 256
"""Characters of a format up to which its parsed form is remembered: a template may compute formats."""
_FLAGS = frozenset("#0+- ")


@dataclass(frozen=True, slots=True)
class Index:
    """``[3]``: the argument to go on with, from 0; ``valid`` is false if there is no number in it."""

    argument: int
    valid: bool


@dataclass(frozen=True, slots=True)
class Size:
    """A width or precision: a number, ``*``, or None if there is none."""

    number: int | None = None
    star: bool = False


_NO_SIZE = Size()


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive and the text before it: flags, ``first`` width ``.`` ``second`` precision ``third`` verb.

    ``verb`` is empty if the format ends first.
    """

    before: str
    flags: frozenset[str]
    first: Index | None
    width: Size
    point: bool
    second: Index | None
    precision: Size
    third: Index | None
    verb: str
    bare: bool
    """Whether there is nothing between ``%`` and the verb."""


@dataclass(frozen=True, slots=True)
class Format:
    """A whole format: its directives, and the text behind the last one."""

    directives: tuple[Directive, ...]
    after: str
    indexed: bool


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.indexed = False

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def index(self) -> Index | None:
        """An argument index, if one comes next. Without a closing bracket only the opening one is read."""
        if self.peek() != "[":
            return None
        self.indexed = True
        end = self.text.find("]", self.at)
        if end < 0 or len(self.text) - self.at < 3:
            self.at += 1
            return Index(0, False)
        digits = self.text[self.at + 1 : end]
        self.at = end + 1
        plain = digits.lstrip("0")  # Python reads no thousands of digits.
        valid = digits.isascii() and digits.isdigit() and len(plain) < 8
        return Index(int(plain or "0") - 1, True) if valid else Index(0, False)

    def number(self) -> int | None:
        """A number; one that is too large consumes the rest of the format, as in Go."""
        start = self.at
        value = 0
        while self.peek() and self.peek() in "0123456789":
            if value > _TOO_LARGE:
                self.at = len(self.text)
                return None
            value = value * 10 + int(self.peek())
            self.at += 1
        return value if self.at > start else None

    def size(self) -> Size:
        if self.peek() == "*":
            self.at += 1
            return Size(star=True)
        return Size(self.number())

    def directive(self, before: str) -> Directive:
        start = self.at
        while self.peek() and self.peek() in _FLAGS:
            self.at += 1
        flags = frozenset(self.text[start : self.at])
        last = first = self.index()
        width = self.size()
        if width.star:
            last = None
        point, second, precision = False, None, _NO_SIZE
        if self.peek() == "." and self.at + 1 < len(self.text):
            self.at += 1
            point = True
            last = second = self.index()
            precision = self.size()
            if precision.star:
                last = None
        third = None if last is not None and last.valid else self.index()
        verb = clean(self.peek())
        self.at += 1
        bare = self.at == start + 1
        return Directive(before, flags, first, width, point, second, precision, third, verb, bare)


def parse_format(text: str) -> Format:
    """The directives of the format."""
    return _parse(text) if len(text) <= _KEPT else _parse.__wrapped__(text)


@functools.lru_cache(maxsize=1024)
def _parse(text: str) -> Format:
    scanner = _Scanner(text)
    directives: list[Directive] = []
    while True:
        percent = text.find("%", scanner.at)
        if percent < 0:
            return Format(tuple(directives), text[scanner.at :], scanner.indexed)
        before = text[scanner.at : percent]
        scanner.at = percent + 1
        directives.append(scanner.directive(before))
