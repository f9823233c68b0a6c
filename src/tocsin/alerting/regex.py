"""Regular expressions with Go's syntax, meaning and error texts, matched in linear time.

RE2 is the same engine design as Go's ``regexp``; where the two differ (``\\C``, error wording) this module
makes up the difference. Patterns that are plain text or a choice of plain texts never reach the engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # otherwise RE2 writes to stderr

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_SPECIAL_BUT_CHOICE = re.compile(r"[\\.+*?()\[\]{}^$]")
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


class Regex:
    """A compiled pattern; :meth:`match` says whether it matches a whole text."""

    __slots__ = ("match", "pattern")

    pattern: str
    match: Callable[[str], bool]

    def __init__(self, pattern: str, match: Callable[[str], bool]) -> None:
        self.pattern = pattern
        self.match = match

    def __repr__(self) -> str:
        return f"Regex({self.pattern!r})"


def _go_error(error: re2.error, pattern: str) -> ValueError:
    raw = error.args[0] if error.args else b""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    if text.startswith("pattern too large"):  # an engine's limit: it has no place in the pattern
        return ValueError(f"error parsing regexp: expression too large: `{pattern}`")
    what, _, where = text.partition(": ")
    return ValueError(f"error parsing regexp: {_WORDING.get(what, what)}: `{where}`")


def _engine(pattern: str) -> Callable[[bytes], object]:
    for found in _ANY_CHARACTER_ESCAPE.finditer(pattern):
        if found[1] == "C":  # a single byte: RE2 has it, Go has not
            raise ValueError("error parsing regexp: invalid escape sequence: `\\C`")
    try:
        encoded = pattern.encode()
    except UnicodeEncodeError:
        raise ValueError("error parsing regexp: invalid UTF-8") from None
    try:
        compiled = re2.compile(encoded, _OPTIONS)
    except re2.error as error:
        raise _go_error(error, pattern) from None
    return compiled.search  # type: ignore[no-any-return]


def problem(pattern: str) -> str:
    """What is wrong with ``pattern`` as it stands, not anchored, in Go's words; empty if nothing is."""
    try:
        _engine(pattern)
    except ValueError as error:
        return str(error)
    return ""


def compile_uncached(pattern: str) -> Regex:
    """As :func:`compile`, for a pattern that is not worth remembering."""
    return compile.__wrapped__(pattern)


@lru_cache(maxsize=4096)
def compile(pattern: str) -> Regex:  # noqa: A001
    """``^(?:pattern)$`` compiled.

    Raises ValueError whose text is that of Go's ``regexp.Compile``:
    ``error parsing regexp: missing closing ]: `[a)$` ``.
    """
    if not _SPECIAL.search(pattern):
        return Regex(pattern, pattern.__eq__)
    if not _SPECIAL_BUT_CHOICE.search(pattern):
        return Regex(pattern, frozenset(pattern.split("|")).__contains__)
    engine = _engine(f"^(?:{pattern})$")
    if pattern == ".*":
        return Regex(pattern, _has_no_line_feed)
    if pattern == ".+":
        return Regex(pattern, _is_one_line)
    return Regex(pattern, lambda text: engine(text.encode("utf-8", "surrogatepass")) is not None)


def _has_no_line_feed(text: str) -> bool:
    return "\n" not in text


def _is_one_line(text: str) -> bool:
    return text != "" and "\n" not in text
