"""``time.Time``: an instant with nanoseconds, seen in a location."""

from __future__ import annotations

from typing import NamedTuple

from tocsin.gotemplate.gotime import calendar, duration
from tocsin.gotemplate.gotime.errors import TimeError
from tocsin.gotemplate.gotime.zones import LOCAL, UTC, Location, ZoneInfo

_ZERO_UNIX = -62_135_596_800  # 0001-01-01 00:00:00 UTC, Go's zero time
_DAY = 86_400


class Civil(NamedTuple):
    """A wall clock's reading."""

    year: int
    month: int  # 1 to 12
    day: int
    hour: int
    minute: int
    second: int
    nanosecond: int
    weekday: int  # 0 is Sunday
    year_day: int  # from 1
    zone: ZoneInfo


class Time:
    """An instant: Unix seconds (any sign), nanoseconds 0 to 999,999,999, and the location it is shown in.

    Immutable. Durations are integers of nanoseconds.
    """

    __slots__ = ("_civil", "location", "nanosecond", "unix")

    def __init__(self, unix: int, nanosecond: int = 0, location: Location = UTC) -> None:
        carry, self.nanosecond = divmod(nanosecond, duration.SECOND)
        self.unix = duration.wrap64(unix + carry - _ZERO_UNIX) + _ZERO_UNIX
        self.location = location
        self._civil: Civil | None = None

    @classmethod
    def from_date(
        cls,
        year: int,
        month: int,
        day: int,
        hour: int = 0,
        minute: int = 0,
        second: int = 0,
        nanosecond: int = 0,
        location: Location = UTC,
    ) -> Time:
        """Go's ``time.Date``: fields out of range carry over; a wall clock that exists twice is the first."""
        carry, month0 = divmod(month - 1, 12)
        days = calendar.days_from_civil(year + carry, month0 + 1, 1) + day - 1
        wall = days * _DAY + hour * 3_600 + minute * 60 + second
        offset = location.lookup(wall).offset
        if offset:
            offset = location.lookup(wall - offset).offset
        return cls(wall - offset, nanosecond, location)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self.instant == other.instant and self.location is other.location

    def __hash__(self) -> int:
        return hash(self.instant)

    def __repr__(self) -> str:
        return f"<Time {self.text()}>"

    @property
    def instant(self) -> tuple[int, int]:
        """Sorts as instants do, whatever the location."""
        return self.unix, self.nanosecond

    @property
    def since_zero(self) -> int:
        """Seconds since Go's zero time, year 1."""
        return self.unix - _ZERO_UNIX

    @property
    def civil(self) -> Civil:
        """The wall clock in the location."""
        if self._civil is None:
            zone = self.location.lookup(self.unix)
            days, rest = divmod(self.unix + zone.offset, _DAY)
            year, month, day = calendar.civil_from_days(days)
            self._civil = Civil(
                year,
                month,
                day,
                rest // 3_600,
                rest // 60 % 60,
                rest % 60,
                self.nanosecond,
                calendar.weekday(days),
                calendar.year_day(year, month, day),
                zone,
            )
        return self._civil

    @property
    def is_zero(self) -> bool:
        """Whether this is 0001-01-01 00:00:00 UTC."""
        return self.unix == _ZERO_UNIX and self.nanosecond == 0

    def iso_week(self) -> tuple[int, int]:
        """ISO 8601 year and week in the location."""
        return calendar.iso_week((self.unix + self.civil.zone.offset) // _DAY)

    def unix_in(self, unit: int) -> int:
        """Whole units of that many nanoseconds since 1970, in 64 bits that wrap as Go's do."""
        return duration.wrap64(self.unix * (duration.SECOND // unit) + self.nanosecond // unit)

    def add(self, nanoseconds: int) -> Time:
        """That much later."""
        return Time(self.unix, self.nanosecond + nanoseconds, self.location)

    def add_date(self, years: int, months: int, days: int) -> Time:
        """Later by the calendar; a day that the month has not becomes one of the next month."""
        now = self.civil
        return Time.from_date(
            now.year + years,
            now.month + months,
            now.day + days,
            now.hour,
            now.minute,
            now.second,
            now.nanosecond,
            self.location,
        )

    def sub(self, other: Time) -> int:
        """The duration since the other; saturates at the ends of a duration's range."""
        seconds = self.unix - other.unix
        return duration.saturate(seconds * duration.SECOND + self.nanosecond - other.nanosecond)

    def truncate(self, unit: int) -> Time:
        """Back to a multiple of the unit since the zero time."""
        return self if unit <= 0 else self.add(-self._above(unit))

    def round(self, unit: int) -> Time:
        """To the nearest multiple of the unit since the zero time, halves up."""
        if unit <= 0:
            return self
        rest = self._above(unit)
        return self.add(-rest if rest + rest < unit else unit - rest)

    def _above(self, unit: int) -> int:
        return (self.since_zero * duration.SECOND + self.nanosecond) % unit

    def within(self, location: Location) -> Time:
        """The same instant, shown in that location."""
        return Time(self.unix, self.nanosecond, location)

    def format(self, layout: str) -> str:
        """Go's ``Time.Format``."""
        from tocsin.gotemplate.gotime.format import format_time

        return format_time(self, layout)

    def text(self) -> str:
        """Go's ``Time.String``, without a monotonic reading."""
        return self.format("2006-01-02 15:04:05.999999999 -0700 MST")

    def go_text(self) -> str:
        """Go's ``Time.GoString``."""
        now = self.civil
        month = calendar.MONTHS[now.month - 1]
        if self.location.kind == "utc":
            place = "time.UTC"
        elif self.location.kind == "local":
            place = "time.Local"
        else:
            place = f'time.Location("{self.location.name}")'
        return (
            f"time.Date({now.year}, time.{month}, {now.day}, {now.hour}, {now.minute}, {now.second}, "
            f"{now.nanosecond}, {place})"
        )

    def rfc3339(self, method: str) -> str:
        """RFC 3339 with nanoseconds, as ``MarshalJSON`` and ``MarshalText`` write it. Raises TimeError."""
        now = self.civil
        if not 0 <= now.year <= 9999:
            raise TimeError(f"Time.{method}: year outside of range [0,9999]")
        if not -24 * 3_600 < now.zone.offset < 24 * 3_600:
            raise TimeError(f"Time.{method}: timezone hour outside of range [0,23]")
        return self.format("2006-01-02T15:04:05.999999999Z07:00")


ZERO_TIME = Time(_ZERO_UNIX)

__all__ = ["LOCAL", "UTC", "ZERO_TIME", "Civil", "Time"]
