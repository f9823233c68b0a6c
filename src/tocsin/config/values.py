"""YAML of a free form: what Go's library makes of it when the key takes anything."""

from __future__ import annotations

import re
from typing import Any, Final

from tocsin.config.readers import template
from tocsin.config.scalars import FALSE_WORDS, TRUE_WORDS
from tocsin.config.yaml import Mapping, Node, Scalar, Sequence, describe

_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INTEGER: Final = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|[0-9]+)", re.ASCII)
_LONGEST_NUMBER: Final = 64


def scalar(node: Scalar) -> Any:
    """The value of a scalar: None, a bool, a number or text."""
    if node.is_null:
        return None
    if not node.plain or node.tag == "str":
        return node.text
    written = node.text
    if written in TRUE_WORDS or written in FALSE_WORDS:
        return written in TRUE_WORDS
    digits = written.replace("_", "")
    if len(digits) > _LONGEST_NUMBER:
        return written
    if _INTEGER.fullmatch(digits):
        unsigned = digits.lstrip("+-")
        octal = len(unsigned) > 1 and unsigned[0] == "0" and unsigned.isdigit()
        try:
            value = int(unsigned, 8) if octal else int(unsigned, 0)
        except ValueError:
            return float(digits)
        value = -value if digits[0] == "-" else value
        return value if -(1 << 63) <= value < 1 << 64 else float(digits)
    return float(digits) if _FLOAT.fullmatch(digits) else written


def number(node: Node) -> float:
    """A number, not quoted."""
    value = scalar(node) if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise node.mark.error(f"expected a number, found {describe(node)}", "write it without quotes")
    return value


def any_value(node: Node) -> Any:
    """Maps, lists and scalars."""
    if isinstance(node, Mapping):
        return {name: any_value(value) for name, (_, value) in node.entries.items()}
    if isinstance(node, Sequence):
        return tuple(any_value(item) for item in node.items)
    return scalar(node)


def any_templates(node: Node) -> Any:
    """As :func:`any_value`; every text in it, keys too, is a template."""
    if isinstance(node, Mapping):
        return {template(written): any_templates(value) for written, value in node.entries.values()}
    if isinstance(node, Sequence):
        return tuple(any_templates(item) for item in node.items)
    value = scalar(node)
    return template(node) if isinstance(value, str) else value
