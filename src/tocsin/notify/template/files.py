"""Template files: which ones a pattern names, by the rules of Go's ``filepath.Glob``.

``*`` and ``?`` do not cross a ``/``, ``[a-z]`` and ``[^a-z]`` are classes, a backslash takes the next
character as it is, and nothing is special about a leading dot. Names come sorted within each folder.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

_SPECIAL: Final = re.compile(r"[*?\[\\]")


class BadPatternError(ValueError):
    """The pattern is malformed. The text is Go's."""

    def __init__(self) -> None:
        super().__init__("syntax error in pattern")


def glob(pattern: str) -> list[str]:
    """The files and folders that the pattern names; none is not an error. Raises BadPatternError."""
    _compile(pattern)
    if not _SPECIAL.search(pattern):
        return [pattern] if os.path.lexists(pattern) else []
    folder, name = _split(pattern)
    if _SPECIAL.search(folder):
        if folder == pattern:
            raise BadPatternError
        folders = glob(folder)
    else:
        folders = [folder]
    return [found for each in folders for found in _within(each, name)]


def _split(pattern: str) -> tuple[str, str]:
    at = pattern.rfind("/") + 1
    folder = pattern[:at]
    if folder not in ("", "/"):
        folder = folder[:-1]
    return folder or ".", pattern[at:]


def _within(folder: str, name: str) -> list[str]:
    if not os.path.isdir(folder):  # noqa: PTH112 - as Go: one that cannot be looked at is none
        return []
    try:
        names = sorted((each.name for each in Path(folder).iterdir()), key=os.fsencode)
    except OSError:
        return []
    matches = _compile(name)
    found = [each for each in names if matches.fullmatch(each)]
    return found if folder == "." else [f"{folder.rstrip('/')}/{each}" for each in found]


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    """The pattern as an expression. Raises BadPatternError."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "[":
            part, position = _klass(pattern, position)
            parts.append(part)
        else:
            if char == "\\":
                char, position = _one(pattern, position - 1)
            parts.append(re.escape(char))
    return re.compile("".join(parts), re.DOTALL)


def _klass(pattern: str, position: int) -> tuple[str, int]:
    negated = pattern[position : position + 1] == "^"
    position += negated
    ranges: list[str] = []
    while True:
        if pattern[position : position + 1] == "]" and ranges:
            break
        first, position = _one(pattern, position)
        last = first
        if pattern[position : position + 1] == "-":
            last, position = _one(pattern, position + 1)
        if first <= last:
            ranges.append(f"{re.escape(first)}-{re.escape(last)}")
        else:
            ranges.append("(?!)")  # an empty range matches nothing
    ranges = [each for each in ranges if each != "(?!)"]
    if not ranges:
        return ("." if negated else "(?!)"), position + 1
    return f"[{'^' if negated else ''}{''.join(ranges)}]", position + 1


def _one(pattern: str, position: int) -> tuple[str, int]:
    """One character of a class, or after a backslash."""
    char = pattern[position : position + 1]
    if not char or char in "-]":
        raise BadPatternError
    if char == "\\":
        position += 1
        char = pattern[position : position + 1]
        if not char:
            raise BadPatternError
    if position + 1 > len(pattern):
        raise BadPatternError
    return char, position + 1
