"""``time_intervals`` of the file, and ``mute_time_intervals``, their deprecated name."""

# ruff: noqa: RUF009 - an option is a field, as dataclasses.field() is

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tocsin.alerting.timeinterval import (
    WEEKDAYS,
    InclusiveRange,
    TimeInterval,
    parse_day_of_month_range,
    parse_location,
    parse_month_range,
    parse_time_range,
    parse_weekday_range,
    parse_year_range,
)
from tocsin.node.config.schema import Inline, Reader, Section, list_of, option, parsed, section, text

Ranges = tuple[InclusiveRange, ...]


def _show(name: Callable[[int], str]) -> Callable[[Ranges | None], Inline]:
    def show(ranges: Ranges | None) -> Inline:
        return Inline(
            name(span.begin) if span.begin == span.end else f"{name(span.begin)}:{name(span.end)}"
            for span in ranges or ()
        )

    return show


def _ranges(parse: Callable[[str], InclusiveRange], mend: str) -> Reader[Ranges | None]:
    return list_of(parsed(parse, mend=mend))


def _location(written: str) -> str:
    parse_location(written)
    return written or "UTC"


@dataclass(kw_only=True)
class TimeRangeSection(Section):
    """One of ``times``."""

    start_time: str = option(text, "")
    end_time: str = option(text, "")


def _check_times(times: TimeRangeSection) -> None:
    try:
        parse_time_range(times.start_time, times.end_time)
    except ValueError as error:
        raise times.mark.error(str(error), "give start_time and end_time as 09:00 and 17:30") from None


@dataclass(kw_only=True)
class TimeIntervalSection(Section):
    """One entry below a name."""

    times: tuple[TimeRangeSection, ...] | None = option(
        list_of(section(TimeRangeSection, _check_times)), None
    )
    weekdays: Ranges | None = option(
        _ranges(parse_weekday_range, "as in monday or monday:friday"), None, show=_show(WEEKDAYS.__getitem__)
    )
    days_of_month: Ranges | None = option(
        _ranges(parse_day_of_month_range, "as in 1:5, or -3:-1 from the end"), None, show=_show(str)
    )
    months: Ranges | None = option(
        _ranges(parse_month_range, "as in january:march, 1:3 or may"), None, show=_show(str)
    )
    years: Ranges | None = option(_ranges(parse_year_range, "as in 2026 or 2026:2030"), None, show=_show(str))
    location: str = option(parsed(_location, mend="a name of the time zone database, as in Europe/Paris"), "")

    def build(self) -> TimeInterval:
        """What the domain gets."""
        return TimeInterval(
            times=None
            if self.times is None
            else tuple(parse_time_range(each.start_time, each.end_time) for each in self.times),
            weekdays=self.weekdays,
            days_of_month=self.days_of_month,
            months=self.months,
            years=self.years,
            location=parse_location(self.location) if self.location else None,
        )


@dataclass(kw_only=True)
class NamedIntervalsSection(Section):
    """A name and its entries."""

    name: str = option(text, "", always=True)
    time_intervals: tuple[TimeIntervalSection, ...] = option(
        list_of(section(TimeIntervalSection)), (), always=True
    )


def named_intervals(what: str) -> Reader[tuple[NamedIntervalsSection, ...]]:
    """A list of named intervals; ``what`` they are called in errors."""

    def check(named: NamedIntervalsSection) -> None:
        if not named.name:
            raise named.mark.error(f"missing name in {what}", "add name:")

    return list_of(section(NamedIntervalsSection, check))
