"""Resolves plain YAML scalars as gopkg.in/yaml.v2 does, which follows neither YAML 1.2 nor all of YAML 1.1.

Source: the package's documentation, and what Alertmanager 0.33.1 sends.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import yaml

_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_POINT_FLOAT: Final = re.compile(r"\.[0-9](_?[0-9])*([eE][-+]?[0-9](_?[0-9])*)?\Z")
_INTEGER: Final = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]{0,19}))\Z"
)
"""A decimal number of more digits is out of range, and Python's ``int`` refuses thousands of them."""
_DATE: Final = re.compile(r"[0-9]{4}-")
_DATES: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt]\d{1,2}:\d{1,2}:\d{1,2}([.,]\d+)?(Z|[+-]\d\d:\d\d)"
    r"| \d{1,2}:\d{1,2}:\d{1,2}([.,]\d+)?)?\Z",
    re.ASCII,
)
_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 64) - 1
_TAG: Final = "tag:yaml.org,2002:"
_KNOWN_TAGS: Final = frozenset({"bool", "int", "float", "null"})
_LARGEST_TREE: Final = 100_000
_DEEPEST: Final = 200
_WORDS_ALONE: Final = re.compile(
    r"[0-9A-Za-z_](?:[0-9A-Za-z_./+@=%~?&()-]|:(?=[0-9A-Za-z_/])| (?=[0-9A-Za-z_./+@=%~()]))*", re.ASCII
)
"""Texts, most URLs among them, without any character that is special where it stands, so that the whole is a
plain scalar."""
_UNLIKE_JSON: Final = re.compile(r"""[^ -~]|\\(?:/|u0000|u[dD])""", re.ASCII)
"""Outside ASCII not every character may stand in YAML; escapes of surrogates may not."""
_QUICK_LENGTH: Final = 64 << 10
_LONGEST_KEY: Final = 500
_LOADER: Final[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class NotYamlError(ValueError):
    """The text is not YAML, or is larger than a bound."""


def read(text: str) -> Any:
    """The first document of ``text``: None, bool, int, float, str, lists, and dicts. Raises NotYamlError.

    Keys that are no texts are kept as they are. A document that repeats itself by aliases beyond measure, or
    is nested deeper than anybody writes, is refused.
    """
    if not text or _WORDS_ALONE.fullmatch(text):  # As most texts within a list of alerts are.
        return scalar(text)
    if text[:1] in ("{", "[") and len(text) <= _QUICK_LENGTH and not _UNLIKE_JSON.search(text):
        try:
            return _as_json(text)
        except ValueError:
            pass
    try:
        return _Reader(yaml.parse(text, Loader=_LOADER)).document()
    except (yaml.YAMLError, UnicodeError) as error:
        raise NotYamlError(str(error)) from None


def _as_json(text: str) -> Any:
    """Read the output of ``toJson``, which means the same as YAML, in a tenth of the time. ValueError: it is
    not JSON, or YAML would read it differently."""
    if text.count("{") + text.count("[") > _DEEPEST:  # It may be nested too deeply.
        raise ValueError
    return _json().decode(text)


@cache
def _json() -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_map_of, parse_int=scalar, parse_float=scalar, parse_constant=_no_json
    )


def _map_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if any(len(key) > _LONGEST_KEY for key, _ in pairs):
        raise ValueError
    return dict(pairs)


def _no_json(text: str) -> Any:
    raise ValueError(text)


def scalar(text: str) -> Any:
    """The value of a plain scalar without a tag."""
    first = text[:1]
    if first and first not in "+-0123456789yYnNtTfFoO~.":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if first == ".":
        return _float(text.replace("_", ""), text) if _POINT_FLOAT.match(text) else text
    if not first or first not in "+-0123456789":
        return text
    if _DATE.match(text) and _DATES.match(text):
        return text
    plain = text.replace("_", "")
    found = _INTEGER.match(plain)
    if found is not None:
        sign, *digits = found.groups()
        value = next(
            int(part, base) for part, base in zip(digits, (16, 2, 8, 10), strict=True) if part is not None
        )
        value = -value if sign == "-" else value
        if _LEAST <= value < 1 << 63 or (not sign and value <= _MOST):
            return value
    if _FLOAT.match(plain):
        return _float(plain, text)
    return text


def _float(plain: str, text: str) -> Any:
    """The number; ``text`` if it is out of range."""
    number = float(plain)
    return text if math.isinf(number) else number


class _Reader:
    """Makes values of events, and counts them."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._made = 0

    def document(self) -> Any:
        for event in self._events:
            if isinstance(event, yaml.StreamEndEvent):
                return None
            if isinstance(event, yaml.DocumentStartEvent):
                return self._value(next(self._events), 0)
        return None

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise NotYamlError(f"unknown anchor '{event.anchor}' referenced")
            value, size = self._anchors[event.anchor]
            self._count(size, depth)
            return value
        before = self._made
        self._count(1, depth)
        if isinstance(event, yaml.ScalarEvent):
            value = _tagged(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                value.append(self._value(item, depth + 1))
        else:
            value = self._map(depth)
        if event.anchor:
            self._anchors[event.anchor] = value, self._made - before
        return value

    def _count(self, made: int, depth: int) -> None:
        self._made += made
        if self._made > _LARGEST_TREE or depth > _DEEPEST:
            raise NotYamlError("document contains excessive aliasing")

    def _map(self, depth: int) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        merged: list[Any] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key = self._value(event, depth + 1)
            value = self._value(next(self._events), depth + 1)
            if merge:
                merged.extend(value if isinstance(value, list) else [value])
            elif isinstance(key, (list, dict)):
                raise NotYamlError(f"invalid map key: {key!r}")
            else:
                made[key] = value
        for part in merged:
            if not isinstance(part, dict):
                raise NotYamlError("map merge requires map or sequence of maps as the value")
            made = {**part, **made}
        return made


def _tagged(event: Any) -> Any:
    text: str = event.value
    if event.tag is None:
        return scalar(text) if event.implicit[0] else text
    kind = event.tag.removeprefix(_TAG)
    if kind == "binary":
        return _binary(text)
    if kind not in _KNOWN_TAGS:
        return text
    value = scalar(text)
    if kind == "float" and type(value) is int:
        return float(value)
    if {bool: "bool", int: "int", float: "float", type(None): "null"}.get(type(value)) != kind:
        raise NotYamlError(f"cannot decode `{text}` as a !!{kind}")
    return value


def _binary(text: str) -> str:
    try:
        raw = base64.b64decode(text.replace("\n", "").replace(" ", ""), validate=True)
    except binascii.Error:
        raise NotYamlError("!!binary value contains invalid base64 data") from None
    return raw.decode("utf-8", "surrogateescape")
