"""JSON as Go's encoder writes it: compact, safe within HTML and JavaScript, with a newline at the end."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any

_ESCAPES = (
    ("&", "\\u0026"),
    ("<", "\\u003c"),
    (">", "\\u003e"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
)
_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode
_decoder = json.JSONDecoder(parse_constant=lambda name: _no_constant(name))


def encode(value: Any) -> bytes:
    """``value`` as bytes. Maps keep their order: use the order of the fields for a Go struct,
    :func:`sorted_maps` for a Go map."""
    return escape(_encode(value)).encode("utf-8", "replace") + b"\n"


def members(body: bytes, *, whole: bool = True) -> dict[str, Any]:
    """The object in ``body`` as Go's decoder sees it: names in any case, which are in lower case here, and a
    null is as if it were not there. ``whole=False``: anything may follow it. ValueError for anything else."""
    text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    try:
        found, end = _decoder.raw_decode(text)
        if whole and text[end:].strip(" \t\r\n"):
            raise ValueError("more than one value")
        folded = _folded(found)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(folded, dict | None):
        raise ValueError("not a JSON object")
    return folded or {}


def _folded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.lower(): _folded(each) for name, each in value.items() if each is not None}
    return [_folded(each) for each in value] if isinstance(value, list) else value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def escape(text: str) -> str:
    """JSON, safe within HTML and JavaScript."""
    # Outside its texts JSON has none of these characters, so the whole can be escaped at once.
    for character, escaped in _ESCAPES:
        text = text.replace(character, escaped)
    return text


def sorted_maps(value: Any) -> Any:
    """``value`` with the names of every map in order, as Go writes a map."""
    if isinstance(value, dict):
        return {name: sorted_maps(value[name]) for name in sorted(value)}
    return [sorted_maps(item) for item in value] if isinstance(value, list | tuple) else value


def without_empty(fields: Mapping[str, Any], *, always: Container[str] = ()) -> dict[str, Any]:
    """The fields of a Go struct that are written: those with a value, and ``always``, which have no
    ``omitempty``."""
    return {name: value for name, value in fields.items() if value or name in always}
