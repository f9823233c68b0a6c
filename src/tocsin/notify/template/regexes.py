"""``match`` and ``reReplaceAll``: Go's ``regexp``, by RE2.

The engines agree on what matches. Differences to Go are handled here: how a replacement is expanded, where
an empty match counts, and bytes that are not UTF-8.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import re2

from tocsin.alerting.regex_cost import PatternCostError, cost_of
from tocsin.alerting.regex_engine import engine, too_large
from tocsin.gotemplate.bounds import Budget
from tocsin.gotemplate.values import GoError, clean, from_bytes, to_bytes

_NAME: Final = re.compile(r"\w+")


@lru_cache(maxsize=32)  # each may hold up to a mebibyte
def _compile(pattern: str) -> Any:
    try:
        return engine(pattern, max_memory=1 << 20)
    finally:
        re2.purge()  # it would hold 128 of its own


def _compiled(pattern: str) -> Any:
    """A pattern may be a label's value, so its cost is checked before the engine compiles it."""
    try:
        cost_of(pattern)
    except PatternCostError as error:
        raise too_large(pattern, str(error)) from None
    try:
        return _compile(pattern)
    except ValueError as error:
        if "too large" not in str(error):
            raise
        try:
            return engine(pattern)
        finally:
            re2.purge()


def match(budget: Budget, pattern: str, text: str) -> bool:
    """``regexp.MatchString``: whether the pattern matches anywhere. Raises GoError."""
    budget.spend(1 + (len(text) + len(pattern) >> 5))
    try:
        compiled = _compiled(pattern)
    except ValueError as error:
        raise GoError(str(error)) from None
    return compiled.search(to_bytes(clean(text))) is not None


def replace_all(budget: Budget, pattern: str, replacement: str, text: str) -> str:
    """``regexp.MustCompile(pattern).ReplaceAllString(text, replacement)``. Raises GoError."""
    budget.spend(1 + (len(text) + len(pattern) >> 5))
    try:
        compiled = _compiled(pattern)
    except ValueError as error:
        raise GoError(f"regexp: Compile(`{pattern}`): {error}") from None
    source = to_bytes(text)
    seen = to_bytes(clean(text))
    original = _offsets(text) if len(seen) != len(source) else None
    pieces = _expansion(replacement, compiled)
    written: list[bytes] = []
    size = 0
    position = end = 0
    while position <= len(seen):
        budget.spend(2 + (len(seen) - position >> 14))
        found = compiled.search(seen, position)
        if found is None:
            break
        start, stop = found.span()
        before = _cut(source, original, end, start)
        # Not for an empty match right after another match: that would replace twice.
        new = _expand(pieces, found, source, original) if stop > end or start == 0 else b""
        size += len(before) + len(new)
        if size > budget.bounds.value_bytes:
            budget.claim(size)
        written += (before, new)
        end = stop
        width = _width(seen, position)
        position = max(stop, position + width)
    if not written:
        return text
    written.append(_cut(source, original, end, len(seen)))
    budget.claim(size + len(written[-1]))
    return from_bytes(b"".join(written))


def _width(raw: bytes, position: int) -> int:
    """How many bytes the character at that place has; 1 at the end."""
    if position >= len(raw) or raw[position] < 0x80:
        return 1
    first = raw[position]
    return 4 if first >= 0xF0 else 3 if first >= 0xE0 else 2


def _offsets(text: str) -> list[int]:
    """For each byte of the cleaned text, its offset in the original, where an invalid byte is one byte and
    not three."""
    table: list[int] = []
    at = 0
    for char in text:
        length = len(clean(char).encode())
        table += [at] * length
        at += 1 if "\udc80" <= char <= "\udcff" else length
    table.append(at)
    return table


def _cut(source: bytes, original: list[int] | None, start: int, stop: int) -> bytes:
    if original is None:
        return source[start:stop]
    return source[original[start] : original[stop]]


def _expansion(replacement: str, compiled: Any) -> list[bytes | int]:
    """The replacement as pieces: text, or the number of a group."""
    pieces: list[bytes | int] = []
    rest = replacement
    while True:
        before, dollar, rest = rest.partition("$")
        pieces.append(to_bytes(before))
        if not dollar:
            return pieces
        if rest.startswith("$"):
            pieces.append(b"$")
            rest = rest[1:]
            continue
        braced = rest.startswith("{")
        name = _NAME.match(rest, int(braced))
        if name is None or (braced and rest[name.end() : name.end() + 1] != "}"):
            pieces.append(b"$")
            continue
        rest = rest[name.end() + int(braced) :]
        group = _group(name[0], compiled)
        if group is not None:
            pieces.append(group)


def _group(name: str, compiled: Any) -> int | None:
    """The number of the group of that name; None if there is none: then it expands to an empty text."""
    if name.isascii() and name.isdigit() and (name == "0" or name[0] != "0"):
        return int(name) if len(name) < 9 and int(name) <= compiled.groups else None
    return dict(compiled.groupindex).get(to_bytes(name))


def _expand(pieces: list[bytes | int], found: Any, source: bytes, original: list[int] | None) -> bytes:
    written = []
    for piece in pieces:
        if isinstance(piece, bytes):
            written.append(piece)
            continue
        start, stop = found.span(piece)
        if start >= 0:
            written.append(_cut(source, original, start, stop))
    return b"".join(written)
