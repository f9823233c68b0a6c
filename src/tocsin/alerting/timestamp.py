"""Instants as whole nanoseconds since the Unix epoch, and their text forms.

Nanoseconds, not floats, because the merge rules of the cluster compare them exactly.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

Nanoseconds: TypeAlias = int
"""An instant: nanoseconds since 1970-01-01T00:00:00Z. A span: nanoseconds."""

SECOND: Final = 1_000_000_000
MILLISECOND: Final = 1_000_000
MICROSECOND: Final = 1_000

ZERO: Final = -62_135_596_800 * SECOND
"""Go's zero time, the first instant of year 1: "not set"."""

LATEST: Final = 253_402_300_800 * SECOND - 1
"""The last nanosecond of year 9999: later ones have no RFC 3339 text and no protobuf Timestamp."""

_REMEMBERED: Final = 64
"""Characters; what is longer is nobody's usual time, and could fill the memory of those that were read."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]+))?(?:(Z)|([+-])([0-9]{2}):?([0-9]{2}))\Z"
)


def in_seconds(duration: Nanoseconds) -> float:
    """A duration in seconds: for the event loop, the network, people."""
    return duration / 1e9


def parse_rfc3339(text: str) -> Nanoseconds:
    """The instant that ``text`` (``2026-11-24T01:02:03.123456789+01:00``) names.

    Digits past the ninth of the fraction are dropped. The colon of the offset may be missing, as go-openapi
    allows. Raises ValueError, also for a day that does not exist.
    """
    return _parse(text) if len(text) > _REMEMBERED else _remembered(text)


@lru_cache(maxsize=4096)  # the alerts of one request mostly share their instants
def _remembered(text: str) -> Nanoseconds:
    return _parse(text)


def _parse(text: str) -> Nanoseconds:
    found = _RFC3339.match(text)
    if found is None:
        raise ValueError(f'parsing time "{text}": not an RFC 3339 time like 2006-01-02T15:04:05Z')
    seconds_text, fraction, _, sign, hours, minutes = found.groups()
    try:
        elapsed = datetime.fromisoformat(seconds_text).replace(tzinfo=UTC) - _EPOCH
    except ValueError as error:
        raise ValueError(f'parsing time "{text}": {error}') from None
    seconds = elapsed.days * 86_400 + elapsed.seconds
    if sign is not None:
        if int(hours) > 24 or int(minutes) > 59:
            raise ValueError(f'parsing time "{text}": time zone offset out of range')
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
    nanoseconds = int(fraction[:9].ljust(9, "0")) if fraction else 0
    return seconds * SECOND + nanoseconds


@lru_cache(maxsize=4096)
def _seconds_text(seconds: int) -> str:
    # A peer's clock, or Go's zero time moved by a retention, may be outside what datetime can hold.
    clamped = min(max(seconds, ZERO // SECOND), LATEST // SECOND)
    days, rest = divmod(clamped, 86_400)
    day = datetime.fromordinal(days + _EPOCH.toordinal())
    date = f"{day.year:04d}-{day.month:02d}-{day.day:02d}"
    return f"{date}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def format_rfc3339(instant: Nanoseconds) -> str:
    """UTC text as Go's RFC3339Nano: trailing zeros of the fraction, and then a last point, are trimmed.

    Instants outside years 1 to 9999 are shown as the nearest second inside.
    """
    seconds, nanoseconds = divmod(instant, SECOND)
    if nanoseconds == 0:
        return _seconds_text(seconds) + "Z"
    return f"{_seconds_text(seconds)}.{nanoseconds:09d}".rstrip("0") + "Z"


def format_milliseconds(instant: Nanoseconds) -> str:
    """UTC text with exactly three digits of fraction (cut, not rounded): the API's form."""
    seconds, nanoseconds = divmod(instant, SECOND)
    return f"{_seconds_text(seconds)}.{nanoseconds // MILLISECOND:03d}Z"
