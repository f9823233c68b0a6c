"""Number and character constants, and the types that they fit."""

from __future__ import annotations

import re
from typing import Final

from tocsin.gotemplate.literals import quote, unquote_char
from tocsin.gotemplate.nodes import NumberNode

_INTEGER: Final = re.compile(
    r"([+-]?)(?:0[xX](_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|0[oO](_?[0-7]+(?:_[0-7]+)*)|0[bB](_?[01]+(?:_[01]+)*)"
    r"|0(_?[0-7]+(?:_[0-7]+)*)|(0|[1-9][0-9]*(?:_[0-9]+)*))"
)
_FLOAT: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:_[0-9]+)*)?\.?(?:[0-9]+(?:_[0-9]+)*)?)(?:[eE][+-]?[0-9]+(?:_[0-9]+)*)?"
)
_HEX_FLOAT: Final = re.compile(
    r"([+-]?)0[xX]_?((?:[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)?\.?(?:[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)?)"
    r"([pP][+-]?[0-9]+(?:_[0-9]+)*)"
)
_BASES: Final = (16, 8, 2, 8, 10)
_MAX_INT: Final = (1 << 63) - 1
_MAX_UINT: Final = (1 << 64) - 1
_MOST_DIGITS: Final = 400
"""Digits and underscores of a decimal number; one with more is out of any range."""


def _integer(text: str) -> tuple[int | None, int | None]:
    """The constant as int64 and as uint64."""
    match = _INTEGER.fullmatch(text)
    if match is None:
        return None, None
    sign, *parts = match.groups()
    if parts[-1] is not None and len(parts[-1]) > _MOST_DIGITS:  # Python reads no thousands of digits.
        return None, None
    value = next(
        int(part.lstrip("_"), base) for part, base in zip(parts, _BASES, strict=True) if part is not None
    )
    unsigned = value if not sign and value <= _MAX_UINT else None
    if sign == "-":
        value = -value
    signed = value if -_MAX_INT - 1 <= value <= _MAX_INT else None
    if signed == 0:
        unsigned = 0
    return signed, unsigned


def _float(text: str) -> float | None:
    match = _HEX_FLOAT.fullmatch(text)
    if match is not None:
        sign, mantissa, exponent = (part.replace("_", "") for part in match.groups())
        if mantissa in ("", "."):
            return None
        try:
            return float.fromhex(f"{sign}0x{mantissa}{exponent}")
        except OverflowError:
            return None
    if _FLOAT.fullmatch(text) is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return None if value in (float("inf"), float("-inf")) else value


def _whole(value: float) -> tuple[int | None, int | None]:
    if not value.is_integer():
        return None, None
    number = int(value)
    signed = number if -_MAX_INT - 1 <= number <= _MAX_INT else None
    return signed, number if 0 <= number <= _MAX_UINT else None


def _complex(position: int, text: str, value: complex) -> NumberNode:
    node = NumberNode(position, text, as_complex=value)
    if value.imag == 0:
        node.as_float = value.real
        node.as_int, node.as_uint = _whole(value.real)
    return node


def character(position: int, text: str) -> NumberNode:
    """The node of a character constant. Raises ValueError."""
    code = unquote_char(text)
    return NumberNode(position, text, code, code, float(code))


def complex_number(position: int, text: str) -> NumberNode:
    """The node of ``1+2i``. Raises ValueError."""
    signs = [index for index, char in enumerate(text) if char in "+-" and index]
    hexadecimal = "x" in text[:3].lower()
    cut = next((index for index in signs if hexadecimal or text[index - 1] not in "eE"), 0)
    real, imaginary = _loose(text[:cut]), _loose(text[cut:-1])
    if real is None or imaginary is None:
        raise ValueError(f"illegal number syntax: {quote(text)}")
    return _complex(position, text, complex(real, imaginary))


def _loose(text: str) -> float | None:
    value = _float(text)
    if value is None:
        signed, unsigned = _integer(text)
        whole = signed if signed is not None else unsigned
        return None if whole is None else float(whole)
    return value


def number(position: int, text: str) -> NumberNode:
    """The node of any other number. Raises ValueError."""
    if text.endswith("i"):
        imaginary = _float(text[:-1])
        if imaginary is not None:
            return _complex(position, text, complex(0, imaginary))
    node = NumberNode(position, text)
    node.as_int, node.as_uint = _integer(text)
    if node.as_int is not None:
        node.as_float = float(node.as_int)
    elif node.as_uint is not None:
        node.as_float = float(node.as_uint)
    else:
        node.as_float = _float(text)
        if node.as_float is None:
            raise ValueError(f"illegal number syntax: {quote(text)}")
        if not any(char in ".eEpP" for char in text):
            raise ValueError(f"integer overflow: {quote(text)}")
        node.as_int, node.as_uint = _whole(node.as_float)
    return node
