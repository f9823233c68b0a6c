"""Upper and lower case, as Go's ``strings`` maps it: each character to one, whatever stands beside it.

``ß`` stays, the small letter of ``İ`` is ``i`` alone, and a sigma is never a final one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tocsin.gotemplate.values import clean

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
NEW_UPPER: Final = {chr(a + i): chr(b + i) for a, b, count in _NEW for i in range(count)}
NEW_LOWER: Final = {upper: lower for lower, upper in NEW_UPPER.items()}


def simple_upper(char: str) -> str:
    for mapped in (NEW_UPPER.get(char, ""), char.upper(), char.title()):
        if len(mapped) == 1:
            return mapped
    return char


def simple_lower(char: str) -> str:
    return NEW_LOWER.get(char) or char.lower()[:1]


class _Mapping(dict[int, str]):
    """Mappings of single characters, computed on demand; only characters that change are stored."""

    def __init__(self, work_out: Callable[[str], str]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, code: int) -> str:
        char = chr(code)
        mapped = self._work_out(char)
        if mapped != char:
            self[code] = mapped
        return mapped


_UPPER: Final = _Mapping(simple_upper)
_LOWER: Final = _Mapping(simple_lower)


def to_upper(text: str) -> str:
    """``strings.ToUpper``."""
    return text.upper() if text.isascii() else clean(text).translate(_UPPER)


def to_lower(text: str) -> str:
    """``strings.ToLower``."""
    return text.lower() if text.isascii() else clean(text).translate(_LOWER)
