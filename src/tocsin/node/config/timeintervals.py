"""``time_intervals`` of the file, and ``mute_time_intervals``, their deprecated name."""

from __future__ import annotations

from collections.abc import Callable

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
from tocsin.config.readers import list_of, parsed, text
from tocsin.config.schema import Section, option
from tocsin.config.texts import Inline
from tocsin.config.yaml import Node, Reader

Ranges = tuple[InclusiveRange, ...]


def _show(name: Callable[[int], str]) -> Callable[[Ranges | None], Inline]:
    def show(ranges: Ranges | None) -> Inline:
        return Inline(
            name(span.begin) if span.begin == span.end else f"{name(span.begin)}:{name(span.end)}"
            for span in ranges or ()
        )

    return show


def _ranges(parse: Callable[[str], InclusiveRange], hint: str) -> Reader[Ranges | None]:
    return list_of(parsed(parse, hint=hint))


def _location(written: str) -> str:
    parse_location(written)
    return written or "UTC"


class TimeRangeSection(Section):
    """One of ``times``."""

    start_time: str = option(text, default="")
    end_time: str = option(text, default="")

    def check(self) -> None:
        """Start and end are given, in this order."""
        try:
            parse_time_range(self.start_time, self.end_time)
        except ValueError as error:
            raise self.mark.error(str(error), "give start_time and end_time as 09:00 and 17:30") from None


class TimeIntervalSection(Section):
    """One entry below a name."""

    times: tuple[TimeRangeSection, ...] | None = option(list_of(TimeRangeSection.read), default=None)
    weekdays: Ranges | None = option(
        _ranges(parse_weekday_range, "as in monday or monday:friday"),
        default=None,
        show=_show(WEEKDAYS.__getitem__),
    )
    days_of_month: Ranges | None = option(
        _ranges(parse_day_of_month_range, "as in 1:5, or -3:-1 from the end"), default=None, show=_show(str)
    )
    months: Ranges | None = option(
        _ranges(parse_month_range, "as in january:march, 1:3 or may"), default=None, show=_show(str)
    )
    years: Ranges | None = option(
        _ranges(parse_year_range, "as in 2026 or 2026:2030"), default=None, show=_show(str)
    )
    location: str = option(
        parsed(_location, hint="a name of the time zone database, as in Europe/Paris"), default=""
    )

    def build(self) -> TimeInterval:
        """The domain's time interval."""
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


class NamedIntervalsSection(Section):
    """A name and its entries."""

    name: str = option(text, default="", always=True)
    time_intervals: tuple[TimeIntervalSection, ...] = option(
        list_of(TimeIntervalSection.read), default=(), always=True
    )


def named_intervals(what: str) -> Reader[tuple[NamedIntervalsSection, ...]]:
    """A reader of a list of named intervals; ``what``: their name in errors."""

    def read(node: Node) -> NamedIntervalsSection:
        named = NamedIntervalsSection.read(node)
        if not named.name:
            raise named.mark.error(f"missing name in {what}", "add name:")
        return named

    return list_of(read)
