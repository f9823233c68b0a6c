"""Go's layouts: a layout is an example, and some spellings in it stand for parts of a time.

:func:`split_layout` cuts a layout into literal texts and :class:`Token` s; formatting and parsing share it.
Source: the documentation of Go's ``time`` package, section "Constants".
"""

from __future__ import annotations

import functools
import re
from enum import Enum, auto

from tocsin.dataclass import dataclass


class Part(Enum):
    """What a token stands for."""

    LONG_MONTH = auto()
    MONTH = auto()
    NUM_MONTH = auto()
    ZERO_MONTH = auto()
    LONG_WEEKDAY = auto()
    WEEKDAY = auto()
    DAY = auto()
    UNDER_DAY = auto()
    ZERO_DAY = auto()
    UNDER_YEAR_DAY = auto()
    ZERO_YEAR_DAY = auto()
    HOUR = auto()
    HOUR12 = auto()
    ZERO_HOUR12 = auto()
    MINUTE = auto()
    ZERO_MINUTE = auto()
    SECOND = auto()
    ZERO_SECOND = auto()
    LONG_YEAR = auto()
    YEAR = auto()
    UPPER_PM = auto()
    LOWER_PM = auto()
    ZONE_NAME = auto()
    OFFSET = auto()
    FRACTION0 = auto()
    FRACTION9 = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One part of a layout, with the text that spells it there.

    For OFFSET: ``zulu`` writes Z for UTC, ``colon`` separates, ``fields`` is 1 (hours) to 3 (seconds).
    For fractions: ``digits`` and the ``separator``.
    """

    part: Part
    text: str
    zulu: bool = False
    colon: bool = False
    fields: int = 0
    digits: int = 0
    separator: str = ""


_SPELLINGS: dict[str, Part] = {
    "January": Part.LONG_MONTH,
    "Jan": Part.MONTH,
    "Monday": Part.LONG_WEEKDAY,
    "Mon": Part.WEEKDAY,
    "MST": Part.ZONE_NAME,
    "2006": Part.LONG_YEAR,
    "__2": Part.UNDER_YEAR_DAY,
    "002": Part.ZERO_YEAR_DAY,
    "01": Part.ZERO_MONTH,
    "02": Part.ZERO_DAY,
    "03": Part.ZERO_HOUR12,
    "04": Part.ZERO_MINUTE,
    "05": Part.ZERO_SECOND,
    "06": Part.YEAR,
    "15": Part.HOUR,
    "_2": Part.UNDER_DAY,
    "PM": Part.UPPER_PM,
    "pm": Part.LOWER_PM,
    "1": Part.NUM_MONTH,
    "2": Part.DAY,
    "3": Part.HOUR12,
    "4": Part.MINUTE,
    "5": Part.SECOND,
}

# The order decides: the longer spelling first. "_2006" is an underscore and a year.
_TOKEN = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|002|0[1-6]|15|_2(?!006)|PM|pm"
    r"|(?P<offset>[-Z]07(?:00(?:00)?|:00(?::00)?)?)"
    r"|(?P<fraction>[.,](?:0+|9+)(?![0-9]))|[1-5]"
)


KEPT_LAYOUT = 256
"""Characters of a layout up to which its parsed form is remembered: a template may compute layouts."""


def split_layout(layout: str) -> tuple[str | Token, ...]:
    """The layout's literal texts and tokens, in order."""
    return _split(layout) if len(layout) <= KEPT_LAYOUT else _split.__wrapped__(layout)


@functools.lru_cache(maxsize=1024)
def _split(layout: str) -> tuple[str | Token, ...]:
    pieces: list[str | Token] = []
    last = 0
    for match in _TOKEN.finditer(layout):
        if match.start() > last:
            pieces.append(layout[last : match.start()])
        pieces.append(_token(match))
        last = match.end()
    if last < len(layout):
        pieces.append(layout[last:])
    return tuple(pieces)


def _token(match: re.Match[str]) -> Token:
    text = match[0]
    if match["offset"] is not None:
        digits = text[1:].replace(":", "")
        return Token(Part.OFFSET, text, zulu=text[0] == "Z", colon=":" in text, fields=len(digits) // 2)
    if match["fraction"] is not None:
        part = Part.FRACTION0 if text[1] == "0" else Part.FRACTION9
        return Token(part, text, digits=len(text) - 1, separator=text[0])
    return Token(_SPELLINGS[text], text)
