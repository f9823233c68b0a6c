"""Time intervals: when a route is muted or active. Behaves as Alertmanager's ``time_intervals``.

Every part of an interval that is given must contain the instant; a part that is ``None`` allows all. The
parsers take the text of ``alertmanager.yml`` and raise ``ValueError`` with Alertmanager's wording.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from tocsin.alerting.timestamp import LATEST, SECOND, ZERO
from tocsin.dataclass import dataclass

_FIRST = ZERO // SECOND + 86_400
_LAST = LATEST // SECOND - 86_400
_TIME = re.compile(r"((?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Minutes of a day: ``start_minute`` belongs to it, ``end_minute`` (at most 1440) does not."""

    start_minute: int
    end_minute: int


@dataclass(frozen=True, slots=True)
class InclusiveRange:
    """Both ends belong to it. Weekdays count from Sunday = 0, months from January = 1; a negative day of the
    month counts from its end, the last day being -1."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInterval:
    """One entry of ``time_intervals[].time_intervals``. ``location`` ``None`` is UTC."""

    times: tuple[TimeRange, ...] | None = None
    weekdays: tuple[InclusiveRange, ...] | None = None
    days_of_month: tuple[InclusiveRange, ...] | None = None
    months: tuple[InclusiveRange, ...] | None = None
    years: tuple[InclusiveRange, ...] | None = None
    location: tzinfo | None = None

    def contains(self, now: int) -> bool:
        """Whether the instant ``now`` (nanoseconds since the epoch) lies in the interval."""
        # Whole seconds: a float would round the last nanoseconds of a minute into the next one. A day from
        # both ends of time, as every zone has a local time there.
        seconds = min(max(now // SECOND, _FIRST), _LAST)
        local = datetime.fromtimestamp(seconds, self.location or UTC)
        if self.times is not None:
            minute = local.hour * 60 + local.minute
            if not any(span.start_minute <= minute < span.end_minute for span in self.times):
                return False
        if self.days_of_month is not None:
            length = monthrange(local.year, local.month)[1]
            if not any(_contains_day(span, local.day, length) for span in self.days_of_month):
                return False
        weekday = local.isoweekday() % 7
        return (
            _contains(self.months, local.month)
            and _contains(self.weekdays, weekday)
            and _contains(self.years, local.year)
        )


def _contains(ranges: tuple[InclusiveRange, ...] | None, value: int) -> bool:
    return ranges is None or any(span.begin <= value <= span.end for span in ranges)


def _contains_day(span: InclusiveRange, day: int, length: int) -> bool:
    begin = span.begin if span.begin > 0 else length + span.begin + 1
    end = span.end if span.end > 0 else length + span.end + 1
    return begin <= day <= end


class TimeIntervals:
    """The named intervals of a configuration."""

    __slots__ = ("_intervals",)

    def __init__(self, intervals: Mapping[str, Sequence[TimeInterval]]) -> None:
        self._intervals = intervals

    def containing(self, names: Sequence[str], now: int) -> tuple[str, ...]:
        """Those of ``names`` with an interval that contains ``now``, in the order given.

        Raises ``KeyError`` for a name that is not configured; the configuration's parser refuses such a name.
        """
        return tuple(name for name in names if any(span.contains(now) for span in self._intervals[name]))


def parse_time_range(start_time: str, end_time: str) -> TimeRange:
    """``"HH:MM"`` twice; the end may be ``"24:00"``."""
    if not start_time or not end_time:
        raise ValueError("both start and end times must be provided")
    start, end = _parse_time(start_time), _parse_time(end_time)
    if start >= end:
        raise ValueError("start time cannot be equal or greater than end time")
    return TimeRange(start, end)


def parse_weekday_range(text: str) -> InclusiveRange:
    """``"monday"`` or ``"monday:friday"``."""
    span = _parse_range(text, _weekday)
    if span.begin > span.end:
        raise ValueError("start day cannot be before end day")
    return span


def parse_day_of_month_range(text: str) -> InclusiveRange:
    """``"1:15"``, ``"-3:-1"``, ``"5:-5"`` or one day."""
    span = _parse_range(text, _integer)
    for day in (span.begin, span.end):
        if day == 0 or not -31 <= day <= 31:
            raise ValueError(f"{day} is not a valid day of the month: out of range")
    if span.begin < 0 < span.end:
        raise ValueError("end day must be negative if start day is negative")
    # A month has at least 28 days: a range that is empty then is empty or surprising always.
    begin = span.begin if span.begin > 0 else 28 + span.begin
    end = span.end if span.end > 0 else 28 + span.end
    if begin > end:
        raise ValueError(f"end day {span.end} is always before start day {span.begin}")
    return span


def parse_month_range(text: str) -> InclusiveRange:
    """Months by name or number: ``"may:august"``, ``"5:8"``, ``"december"``."""
    span = _parse_range(text, _month)
    if span.begin > span.end:
        raise ValueError(f"end month {_month_name(span.end)} is before start month {_month_name(span.begin)}")
    return span


def parse_year_range(text: str) -> InclusiveRange:
    """``"2026"`` or ``"2026:2030"``."""
    span = _parse_range(text, _integer)
    if span.begin > span.end:
        raise ValueError(f"end year {span.end} is before start year {span.begin}")
    return span


def parse_location(name: str) -> tzinfo:
    """A name of the IANA time zone database. Empty is UTC; ``Local`` is the machine's own."""
    if name in {"", "UTC"}:
        return UTC
    if name == "Local":
        return _MachineZone()
    from zoneinfo import ZoneInfo  # with the build's settings of Python, which most nodes do not need

    try:
        return ZoneInfo(name)
    except (OSError, KeyError, ValueError):  # absent, a directory, or an unsafe path
        raise ValueError(f"unknown time zone {name}") from None


class _MachineZone(tzinfo):
    """The zone that the machine is set to, read at each use as the C library does."""

    def fromutc(self, dt: datetime) -> datetime:
        return dt.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return dt.replace(tzinfo=None).astimezone().utcoffset() if dt is not None else None

    def dst(self, _dt: datetime | None) -> timedelta | None:
        return None

    def tzname(self, _dt: datetime | None) -> str:
        return "Local"


def _parse_time(text: str) -> int:
    if not _TIME.fullmatch(text):
        raise ValueError(f"couldn't parse timestamp {text}, invalid format")
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _parse_range(text: str, member: Callable[[str], int]) -> InclusiveRange:
    text = text.lower()
    ends = text.split(":")
    if len(ends) > 2:
        raise ValueError(f"couldn't parse range {text}, invalid format")
    return InclusiveRange(member(ends[0]), member(ends[-1]))


def _integer(text: str) -> int:
    # The bound: a 64-bit integer with its sign, and no work for a text of any length.
    if len(text) > 19 or not _INTEGER.fullmatch(text):
        raise ValueError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _weekday(text: str) -> int:
    if text not in WEEKDAYS:
        raise ValueError(f"{text} is not a valid weekday")
    return WEEKDAYS.index(text)


def _month(text: str) -> int:
    if text in MONTHS:
        return MONTHS.index(text) + 1
    try:
        return _integer(text)
    except ValueError:
        raise ValueError(f"{text} is not a valid month") from None


def _month_name(number: int) -> str:
    return MONTHS[number - 1] if 1 <= number <= 12 else ""
