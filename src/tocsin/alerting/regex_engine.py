"""RE2 as Go's ``regexp``: its objects made with bounded memory, its errors as Go words them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

import re2

_SHOWN: Final = 256
"""Characters of a pattern that an error shows."""
_ROOM: Final = 64 * 1024
"""Bytes that a small pattern gets of RE2 for what it remembers of texts, and with it gets on faster."""
_MEM_FOR_INSTRUCTION: Final = 96
"""RE2 compiles if ``max_mem`` has so much for each: a program gets two thirds, its instructions (of 16 bytes)
a quarter of that."""
_ENGINE_BYTES: Final = 2048
_MEM_TO_READ: Final = 8192

_ANY_CHARACTER_ESCAPE = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(.)", re.DOTALL)

# RE2's messages -> Go's messages
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


class Spent:
    """How much work patterns have made since the start, for callers that work in slices."""

    size = 0
    made = 0


def engines_made() -> int:
    """How often the engine has read a pattern since the start, whether it compiled it or not."""
    return Spent.made


def compiled_size() -> int:
    """Instructions that were compiled, or checked to be compiled later, as they were weighed, and the
    characters of patterns that were refused: about a microsecond each."""
    return Spent.size


def _go_error(error: re2.error, pattern: str) -> ValueError:
    raw = error.args[0] if error.args else b""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    if text.startswith("pattern too large"):  # an engine's limit: it has no position in the pattern
        return too_large(pattern, "")
    what, _, where = text.partition(": ")
    return ValueError(f"error parsing regexp: {_WORDING.get(what, what)}: `{where}`")


def too_large(pattern: str, why: str) -> TooLargeError:
    shown = pattern if len(pattern) <= _SHOWN else f"{pattern[:_SHOWN]}..."
    return TooLargeError(f"error parsing regexp: expression too large{why and f' ({why})'}: `{shown}`")


def check(pattern: str, size: int) -> None:
    """Raise ValueError if it does not compile, without compiling what is large: RE2 reads it and gives up."""
    options = re2.Options()
    options.never_capture = True
    options.max_mem = _MEM_TO_READ
    Spent.size += size
    with suppress(TooLargeError):
        _made(pattern, options)


def program(pattern: str, size: int) -> tuple[re2._Regexp, int]:
    """The program of a pattern that was weighed, and the bytes that it may take."""
    options = re2.Options()
    options.never_capture = True  # else its time grows with the number of groups; not for those with names
    options.max_mem = _ROOM + _MEM_FOR_INSTRUCTION * (size + 64)
    Spent.size += size
    compiled = _made(pattern, options)
    return compiled, options.max_mem // 3 + 16 * compiled.programsize + _ENGINE_BYTES


def _made(pattern: str, options: re2.Options) -> re2._Regexp:
    for found in _ANY_CHARACTER_ESCAPE.finditer(pattern):
        if found[1] == "C":  # a single byte: RE2 has it, Go has not
            raise ValueError("error parsing regexp: invalid escape sequence: `\\C`")
    try:
        encoded = pattern.encode()
    except UnicodeEncodeError:
        raise ValueError("error parsing regexp: invalid UTF-8") from None
    options.log_errors = False  # otherwise RE2 writes to stderr
    Spent.made += 1
    try:
        return re2.compile(encoded, options)
    except re2.error as error:
        raise _go_error(error, pattern) from None
    finally:
        re2.purge()  # it would keep the last 128


def engine(pattern: str, max_memory: int = 8 << 20) -> re2._Regexp:
    """RE2's object for ``pattern`` as it stands, not anchored, which takes bytes and captures.

    It holds at most ``max_memory`` bytes. Raises ValueError with Go's message, as :func:`compile` does.
    """
    options = re2.Options()
    options.max_mem = max_memory
    return _made(pattern, options)
