"""Spans of time in Alertmanager's two notations: Prometheus' (configuration files) and Go's (flags)."""

from __future__ import annotations

import re
from typing import Final

from tocsin.alerting.quote import go_quote
from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds

_LONGEST: Final = (1 << 63) - 1

_PROMETHEUS_UNITS: Final = {
    "y": 365 * 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
    "d": 86_400 * SECOND,
    "h": 3_600 * SECOND,
    "m": 60 * SECOND,
    "s": SECOND,
    "ms": MILLISECOND,
}
_PROMETHEUS_ORDER: Final = {unit: place for place, unit in enumerate(_PROMETHEUS_UNITS)}
_PROMETHEUS_PART = re.compile(r"([0-9]+)([^0-9]+)")

_GO_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": MILLISECOND,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3_600 * SECOND,
}
_KINGPIN_UNITS: Final = {"d": 86_400 * SECOND, "w": 7 * 86_400 * SECOND}
_GO_PART = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?([^0-9.]*)")


def parse_duration(text: str) -> Nanoseconds:
    """Prometheus' notation: ``1h30m``, ``5d``, ``0``; whole numbers, units from large to small, each once.

    Raises ValueError with Go's message.
    """
    if text == "0":
        return 0
    if not text:
        raise ValueError("empty duration string")
    total = 0
    position = 0
    last_place = -1
    while position < len(text):
        found = _PROMETHEUS_PART.match(text, position)
        if found is None:
            raise ValueError(f"not a valid duration string: {go_quote(text)}")
        number, unit = found.groups()
        if unit not in _PROMETHEUS_UNITS:
            raise ValueError(f"unknown unit {go_quote(unit)} in duration {go_quote(text)}")
        if _PROMETHEUS_ORDER[unit] <= last_place:
            raise ValueError(f"not a valid duration string: {go_quote(text)}")
        last_place = _PROMETHEUS_ORDER[unit]
        position = found.end()
        # More than 19 digits are past 64 bits already; int() of millions of digits would take long.
        if len(number.lstrip("0")) > 19:
            raise ValueError("duration out of range")
        total += int(number) * _PROMETHEUS_UNITS[unit]
    if total > _LONGEST:
        raise ValueError("duration out of range")
    return total


def format_duration(span: Nanoseconds) -> str:
    """Prometheus' notation of ``span``, cut to whole milliseconds: ``1h30m``, ``90d``, ``0s``.

    Years and weeks are used only where nothing is left over.
    """
    rest = abs(span) // MILLISECOND
    if rest == 0:
        return "0s"
    parts = ["-"] if span < 0 else []
    for unit, length in _PROMETHEUS_UNITS.items():
        milliseconds = length // MILLISECOND
        if unit in ("y", "w") and rest % milliseconds:
            continue
        count, remainder = divmod(rest, milliseconds)
        if count:
            parts.append(f"{count}{unit}")
            rest = remainder
    return "".join(parts)


def parse_go_duration(text: str, *, days: bool = False) -> Nanoseconds:
    """Go's notation: ``1m0s``, ``200ms``, ``1.5h``, ``-3s``, ``0``; any order of units.

    ``days``: also ``d`` and ``w``, as kingpin's flags take them. Raises ValueError with the message of Go's
    ``time.ParseDuration``.
    """
    units = {**_GO_UNITS, **_KINGPIN_UNITS} if days else _GO_UNITS
    quoted = go_quote(text)
    sign = -1 if text.startswith("-") else 1
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return 0
    if not body:
        raise ValueError(f"time: invalid duration {quoted}")
    total = 0
    position = 0
    while position < len(body):
        found = _GO_PART.match(body, position)
        whole, fraction, unit = (found[1], found[3] or "", found[4]) if found else ("", "", "")
        if found is None or not (whole or fraction) or len(whole) + len(fraction) > 100:
            raise ValueError(f"time: invalid duration {quoted}")
        if not unit:
            raise ValueError(f"time: missing unit in duration {quoted}")
        if unit not in units:
            raise ValueError(f"time: unknown unit {go_quote(unit)} in duration {quoted}")
        length = units[unit]
        total += int(whole or "0") * length + int(fraction or "0") * length // 10 ** len(fraction)
        if total > _LONGEST:
            raise ValueError(f"time: invalid duration {quoted}")
        position = found.end()
    return sign * total


def format_go_duration(span: Nanoseconds) -> str:
    """Go's notation of ``span`` as ``time.Duration.String``: ``1m0s``, ``1.5s``, ``200ms``, ``0s``."""
    if span == 0:
        return "0s"
    sign = "-" if span < 0 else ""
    size = abs(span)
    if size < SECOND:
        for unit, length in (("ms", MILLISECOND), ("µs", 1_000), ("ns", 1)):
            if size >= length:
                return f"{sign}{_decimal(size, length)}{unit}"
    minutes, rest = divmod(size, 60 * SECOND)
    text = f"{_decimal(rest, SECOND)}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
    return sign + text


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    if rest == 0:
        return str(whole)
    digits = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}"
