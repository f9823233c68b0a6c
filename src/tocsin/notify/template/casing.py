"""Title case as x/text's ``cases.Title``, and the space around a text.

x/text's title case maps one character to several and knows the final sigma. Words are separated by an
approximation of Unicode's Annex 29 that x/text documents.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

from tocsin.gotemplate.casing import NEW_LOWER, NEW_UPPER
from tocsin.notify.template.wordrunes import of_word

_MIDDLE: Final = frozenset(
    "'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"
)
"""MidLetter, MidNumLet and Single_Quote: one of them does not separate words, two in a row do."""
_IGNORABLE: Final = frozenset({"Mn", "Me", "Cf", "Lm", "Sk"})
_LOOK_AHEAD: Final = 31
STRIDE: Final = 2048
_SPACES: Final = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def trim_space(text: str) -> str:
    """``strings.TrimSpace``."""
    return text.strip(_SPACES)


def title(text: str, spend: Callable[[], None] = lambda: None) -> str:
    """``cases.Title(language.AmericanEnglish)``: the first letter of each word in title case, the others in
    lower case. ``spend`` is called once for each `STRIDE` characters, and may stop the work by raising.
    """
    written: list[str] = []
    within = False
    after_middle = False
    for index, char in enumerate(text):
        if index % STRIDE == 0 and index:
            spend()
        middle = char in _MIDDLE
        if after_middle and middle:
            within = False
        if _cased(char):
            written.append(_lower(text, index) if within else NEW_UPPER.get(char) or char.title())
            within = True
        else:
            written.append(char)
            if not middle and not _joins(char):
                within = False
        after_middle = middle
    return "".join(written)


def _cased(char: str) -> bool:
    return char.islower() or char.isupper() or char.istitle() or char in NEW_UPPER or char in NEW_LOWER


def _joins(char: str) -> bool:
    return char.isalnum() or char == "_" if char < "\x80" else of_word(char)


def _lower(text: str, index: int) -> str:
    char = text[index]
    if char != "\u03a3":
        return NEW_LOWER.get(char) or char.lower()
    # A sigma is final unless a letter follows it, case-ignorable characters in between not counted.
    for after in text[index + 1 : index + 1 + _LOOK_AHEAD]:
        if after in _MIDDLE or unicodedata.category(after) in _IGNORABLE:
            continue
        return "\u03c3" if _cased(after) else "\u03c2"
    return "\u03c2"
