"""Upper, lower and title case, as ``strings.ToUpper``, ``strings.ToLower`` and x/text's ``cases.Title``.

Go's ``strings`` maps one character to one (``ß`` stays). x/text's title case maps one to several and knows
the final sigma. Words are parted by an approximation of Unicode's Annex 29 that x/text documents.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

from tocsin.gotemplate.values import clean
from tocsin.notify.template.wordrunes import of_word

_MIDDLE: Final = frozenset(
    "'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"
)
"""MidLetter, MidNumLet and Single_Quote: one of them parts no word, two in a row do."""
_IGNORABLE: Final = frozenset({"Mn", "Me", "Cf", "Lm", "Sk"})
_LOOK_AHEAD: Final = 31
STRIDE: Final = 2048
_SPACES: Final = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)

# Unicode 15 to 17, for a Python that does not have them yet: small letter, capital letter, how many.
_NEW: Final = (
    (0x19B, 0xA7DC, 1),
    (0x264, 0xA7CB, 1),
    (0x1C8A, 0x1C89, 1),
    (0xA7CD, 0xA7CC, 1),
    (0xA7CF, 0xA7CE, 1),
    (0xA7D3, 0xA7D2, 1),
    (0xA7D5, 0xA7D4, 1),
    (0xA7DB, 0xA7DA, 1),
    (0x10D70, 0x10D50, 22),
    (0x16EBB, 0x16EA0, 25),
)
_NEW_UPPER: Final = {chr(a + i): chr(b + i) for a, b, count in _NEW for i in range(count)}
_NEW_LOWER: Final = {upper: lower for lower, upper in _NEW_UPPER.items()}


def _simple_upper(char: str) -> str:
    for mapped in (_NEW_UPPER.get(char, ""), char.upper(), char.title()):
        if len(mapped) == 1:
            return mapped
    return char


def _simple_lower(char: str) -> str:
    return _NEW_LOWER.get(char) or char.lower()[:1]


class _Mapping(dict[int, str]):
    """Mappings of single characters, worked out when first asked for; only what changes is kept."""

    def __init__(self, work_out: Callable[[str], str]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, code: int) -> str:
        char = chr(code)
        mapped = self._work_out(char)
        if mapped != char:
            self[code] = mapped
        return mapped


_UPPER: Final = _Mapping(_simple_upper)
_LOWER: Final = _Mapping(_simple_lower)


def to_upper(text: str) -> str:
    """``strings.ToUpper``."""
    return text.upper() if text.isascii() else clean(text).translate(_UPPER)


def to_lower(text: str) -> str:
    """``strings.ToLower``."""
    return text.lower() if text.isascii() else clean(text).translate(_LOWER)


def trim_space(text: str) -> str:
    """``strings.TrimSpace``."""
    return text.strip(_SPACES)


def title(text: str, spend: Callable[[], None] = lambda: None) -> str:
    """``cases.Title(language.AmericanEnglish)``: the first letter of each word large, the others small.

    ``spend`` is called once for each `STRIDE` characters, and may end it all by raising.
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
            written.append(_lower(text, index) if within else _NEW_UPPER.get(char) or char.title())
            within = True
        else:
            written.append(char)
            if not middle and not _joins(char):
                within = False
        after_middle = middle
    return "".join(written)


def _cased(char: str) -> bool:
    return char.islower() or char.isupper() or char.istitle() or char in _NEW_UPPER or char in _NEW_LOWER


def _joins(char: str) -> bool:
    return char.isalnum() or char == "_" if char < "\x80" else of_word(char)


def _lower(text: str, index: int) -> str:
    char = text[index]
    if char != "\u03a3":
        return _NEW_LOWER.get(char) or char.lower()
    # A sigma ends its word unless a letter comes after it, whatever can be ignored between them.
    for after in text[index + 1 : index + 1 + _LOOK_AHEAD]:
        if after in _MIDDLE or unicodedata.category(after) in _IGNORABLE:
            continue
        return "\u03c3" if _cased(after) else "\u03c2"
    return "\u03c2"
