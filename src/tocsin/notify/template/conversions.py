"""Functions of one value: durations as text, decoding of URLs and base64."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Final

from tocsin.gotemplate.gotime import duration
from tocsin.gotemplate.gotime.bindings import Duration
from tocsin.gotemplate.literals import quote
from tocsin.gotemplate.values import GoError, Int64, Uint, Uint64, Value, from_bytes, to_bytes, type_name

_DIGITS = "[0-9](?:_?[0-9])*"
_HEX = "[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL: Final = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?\Z")
_HEXADECIMAL: Final = re.compile(rf"[+-]?0[xX](?:_?{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][+-]?{_DIGITS}\Z")
_NAMED: Final = re.compile(r"[+-]?inf(?:inity)?\Z|nan\Z", re.IGNORECASE)
_SMALLER: Final = ("m", "u", "n", "p", "f", "a", "z", "y")


def parse_float(text: str) -> float:
    """``strconv.ParseFloat(text, 64)``. Raises GoError with its message."""
    plain = text.replace("_", "")
    if _DECIMAL.match(text) or _NAMED.match(text):
        value = float(plain)
    elif _HEXADECIMAL.match(text):
        try:
            value = float.fromhex(plain)
        except OverflowError:
            value = math.inf
    else:
        raise GoError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    if math.isinf(value) and not _NAMED.match(text):
        raise GoError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return value


def _to_float(value: Value) -> float:
    kind = type(value)
    if kind is str:
        return parse_float(value)
    if kind is Duration:
        return duration.seconds(int(value))
    if kind in (int, float, Int64, Uint, Uint64):
        return float(value)
    raise GoError(f"can't convert {type_name(value)} to float")


def humanize_duration(value: Value) -> str:
    """``1d 2h 3m 4s``, ``1.5s``, ``20ms``: Prometheus' way to write a number of seconds. Raises GoError."""
    seconds = _to_float(value)
    if math.isnan(seconds):
        return "NaN"
    if math.isinf(seconds):
        return "+Inf" if seconds > 0 else "-Inf"
    if seconds == 0:
        return f"{seconds:.4g}s"
    if abs(seconds) < 1:
        for prefix in _SMALLER:
            seconds *= 1000
            if abs(seconds) >= 1 or prefix == _SMALLER[-1]:
                return f"{seconds:.4g}{prefix}s"
    sign = "-" if seconds < 0 else ""
    seconds = abs(seconds)
    # A number outside of int64 becomes the lowest int64, as with Go on amd64.
    whole = int(seconds) if seconds < 1 << 63 else -(1 << 63)
    minutes, rest = _divide(whole, 60)
    hours, minutes = _divide(minutes, 60)
    days, hours = _divide(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {rest}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {rest}s"
    if minutes:
        return f"{sign}{minutes}m {rest}s"
    return f"{sign}{seconds:.4g}s"


def _divide(number: int, by: int) -> tuple[int, int]:
    """Integer division towards zero, as in Go."""
    quotient, rest = divmod(abs(number), by)
    return (-quotient, -rest) if number < 0 else (quotient, rest)


_ESCAPE: Final = re.compile(rb"%([0-9a-fA-F]{2})?")


def url_unescape(text: str, spend: Callable[[], None] = lambda: None) -> str:
    """``url.QueryUnescape``. Raises GoError. ``spend`` is called for each escape, and may stop the work by
    raising."""
    raw = to_bytes(text)

    def undo(found: re.Match[bytes]) -> bytes:
        spend()
        if found[1] is None:
            wrong = from_bytes(raw[found.start() : found.start() + 3])
            raise GoError(f"invalid URL escape {quote(wrong)}")
        return bytes([int(found[1], 16)])

    return from_bytes(_ESCAPE.sub(undo, raw.replace(b"+", b" ")))


def base64_encode(text: str) -> str:
    """``base64.URLEncoding``: with padding."""
    return base64.urlsafe_b64encode(to_bytes(text)).decode()


_ALPHABET: Final = re.compile(rb"[A-Za-z0-9_-]*")


def base64_decode(text: str) -> str:
    """``base64.URLEncoding``: line ends are skipped, padding must be complete. Raises GoError."""
    raw = to_bytes(text)
    plain = raw.replace(b"\r", b"").replace(b"\n", b"")
    found = _ALPHABET.match(plain)
    good = found.end() if found is not None else 0
    padding = plain[good:]
    if padding.strip(b"=") or good % 4 == 1 or len(padding) != -good % 4:
        at = good if padding else good - good % 4
        raise GoError(f"illegal base64 data at input byte {at}")
    try:
        return from_bytes(base64.b64decode(plain, altchars=b"-_"))
    except binascii.Error:  # pragma: no cover - all that it refuses was refused above
        raise GoError("illegal base64 data at input byte 0") from None
