"""Arithmetic and text of ``time.Duration``: a signed 64-bit count of nanoseconds.

Everything here takes and returns plain integers (nanoseconds). Sums saturate where Go's do.
"""

from __future__ import annotations

import re

from tocsin.gotemplate.gotime.errors import TimeError

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
MAX_DURATION = (1 << 63) - 1
MIN_DURATION = -(1 << 63)

_UNITS = {
    "ns": NANOSECOND,
    "us": MICROSECOND,
    "µs": MICROSECOND,
    "μs": MICROSECOND,
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
_DIGITS = 19
"""Digits of the largest number of nanoseconds."""
_FRACTION = 18
"""Digits of a fraction that count, as in Go."""


def wrap64(number: int) -> int:
    """The number as a signed 64-bit integer that overflowed would hold it."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def saturate(number: int) -> int:
    """The nearest duration: an overflow stays at the end of the range."""
    return max(MIN_DURATION, min(MAX_DURATION, number))


def _remainder(number: int, modulus: int) -> int:
    """The remainder with the sign of the number, as Go's ``%``."""
    rest = abs(number) % modulus
    return -rest if number < 0 else rest


def truncate(duration: int, unit: int) -> int:
    """The duration towards zero to a multiple of the unit; unchanged if the unit is not positive."""
    return duration if unit <= 0 else duration - _remainder(duration, unit)


def round_half_away(duration: int, unit: int) -> int:
    """The nearest multiple of the unit, halves away from zero; saturates."""
    if unit <= 0:
        return duration
    rest = abs(_remainder(duration, unit))
    away = rest + rest >= unit
    step = unit - rest if away else -rest
    return saturate(duration + (-step if duration < 0 else step))


def absolute(duration: int) -> int:
    """The duration without its sign; the least one becomes the greatest."""
    return saturate(abs(duration))


def hours(duration: int) -> float:
    """The duration as a floating-point number of hours."""
    return _fraction(duration, HOUR)


def minutes(duration: int) -> float:
    """The duration as a floating-point number of minutes."""
    return _fraction(duration, MINUTE)


def seconds(duration: int) -> float:
    """The duration as a floating-point number of seconds."""
    return _fraction(duration, SECOND)


def _fraction(duration: int, unit: int) -> float:
    rest = _remainder(duration, unit)
    return float((duration - rest) // unit) + float(rest) / float(unit)


def whole(duration: int, unit: int) -> int:
    """How many whole units there are, towards zero (``Milliseconds`` and the like)."""
    return (duration - _remainder(duration, unit)) // unit


def text(duration: int) -> str:
    """Go's ``Duration.String``: ``1h2m3.5s``, ``250ms``, ``0s``."""
    if duration == 0:
        return "0s"
    sign = "-" if duration < 0 else ""
    rest = abs(duration)
    if rest < SECOND:
        for name, unit in (("ns", NANOSECOND), ("µs", MICROSECOND), ("ms", MILLISECOND)):
            if rest < unit * 1000:
                return sign + _decimal(rest, unit) + name
    whole_minutes, below = divmod(rest, MINUTE)
    parts = [sign]
    if whole_minutes >= 60:
        parts.append(f"{whole_minutes // 60}h")
    if whole_minutes:
        parts.append(f"{whole_minutes % 60}m")
    parts.append(_decimal(below, SECOND) + "s")
    return "".join(parts)


def _decimal(number: int, unit: int) -> str:
    """number/unit as a decimal without trailing zeros; the unit is a power of ten."""
    front, fraction = divmod(number, unit)
    if not fraction:
        return str(front)
    digits = str(fraction).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{front}.{digits}"


def parse(string: str) -> int:
    """Go's ``time.ParseDuration``. Raises TimeError."""
    invalid = TimeError(f'time: invalid duration "{string}"')
    rest = string.lstrip("+-") if len(string) > 0 and string[0] in "+-" else string
    if len(string) - len(rest) > 1:
        raise invalid
    negative = string.startswith("-")
    if rest == "0":
        return 0
    if not rest:
        raise invalid
    total = 0
    while rest:
        match = _PART.match(rest)
        front, fraction, unit = match.groups() if match else ("", "", "")
        if match is None or (not front and not fraction):
            raise invalid
        rest = rest[match.end() :]
        if not unit:
            raise TimeError(f'time: missing unit in duration "{string}"')
        if unit not in _UNITS:
            raise TimeError(f'time: unknown unit "{unit}" in duration "{string}"')
        front, fraction = front.lstrip("0"), (fraction or "")[:_FRACTION]
        if len(front) > _DIGITS:
            raise invalid
        total += int(front or "0") * _UNITS[unit]
        total += int(fraction or "0") * _UNITS[unit] // 10 ** len(fraction)
        if total > 1 << 63:
            raise invalid
    if not negative and total > MAX_DURATION:
        raise invalid
    return -total if negative else total
