"""What every text begins with that a pattern matches as a whole."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 32
"""Characters that are compared."""
_META: Final = frozenset("\\.+*?()|[]{}^$")
_OPTIONAL: Final = frozenset("*?{")
"""What stands behind a character that may be missing."""
_CHOICE: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|\[:|[^\]\\])*\]|(?P<open>\()|(?P<close>\))|(?P<choice>\|)", re.DOTALL
)
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z-]+\)")
"""By themselves: what repeats behind them repeats what stands before them."""


def literal_prefix(pattern: str) -> str:
    """The beginning that all texts have which match all of ``pattern`` (well formed, in RE2's syntax).

    Empty if there is none, or it is not plain to see: of ``a|ab``, of ``(?i)a``, of ``ab(?i)*`` (which is
    ``ab*``), of what quotes with ``\\Q``.
    """
    if "\\Q" in pattern or _FLAGS.search(pattern) or ("|" in pattern and _has_choice(pattern)):
        return ""
    found: list[str] = []
    position = 1 if pattern.startswith("^") else 0
    while position < len(pattern) and len(found) < LONGEST:
        char = pattern[position]
        if char == "\\":
            char = pattern[position + 1 : position + 2]
            if not char or char.isalnum() or not char.isascii():
                break
            position += 1
        elif char in _META:
            if char in _OPTIONAL and found:
                found.pop()
            break
        found.append(char)
        position += 1
    else:
        if pattern[position : position + 1] in _OPTIONAL and found:
            found.pop()
    return "".join(found)


def _has_choice(pattern: str) -> bool:
    """Whether there is an alternative to the whole of it, or it is hard to say."""
    depth = 0
    for match in _CHOICE.finditer(pattern):
        depth += (match["open"] is not None) - (match["close"] is not None)
        if match["choice"] and depth <= 0:
            return True
    return False
