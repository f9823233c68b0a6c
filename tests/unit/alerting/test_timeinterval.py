"""Time intervals contain the instants that Alertmanager says they do, and refuse what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tocsin.alerting.timeinterval import (
    InclusiveRange,
    TimeInterval,
    TimeIntervals,
    parse_day_of_month_range,
    parse_location,
    parse_month_range,
    parse_time_range,
    parse_weekday_range,
    parse_year_range,
)
from tocsin.alerting.timestamp import parse_rfc3339


def _contains(interval: TimeInterval, text: str) -> bool:
    return interval.contains(parse_rfc3339(text))


def test_an_empty_interval_contains_every_instant() -> None:
    assert _contains(TimeInterval(), "2026-11-24T02:00:00Z")


def test_office_hours_begin_with_the_first_minute_and_end_before_the_last() -> None:
    office = TimeInterval(
        times=(parse_time_range("09:00", "17:30"),), weekdays=(parse_weekday_range("Monday:friday"),)
    )
    assert _contains(office, "2026-11-23T09:00:00Z")
    assert _contains(office, "2026-11-27T17:29:59.999999999Z")
    assert not _contains(office, "2026-11-27T17:30:00Z")
    assert not _contains(office, "2026-11-23T08:59:59.999999999Z")
    assert not _contains(office, "2026-11-28T12:00:00Z"), "a Saturday"


def test_a_day_ends_at_24_00() -> None:
    evening = TimeInterval(times=(parse_time_range("23:00", "24:00"),))
    assert _contains(evening, "2026-11-24T23:59:59Z")
    assert not _contains(evening, "2026-11-25T00:00:00Z")


@pytest.mark.parametrize(
    ("days", "instant", "inside"),
    [
        ("-1", "2026-02-28T00:00:00Z", True),
        ("-1", "2028-02-28T00:00:00Z", False),
        ("-1", "2028-02-29T00:00:00Z", True),
        ("-3:-1", "2026-11-28T00:00:00Z", True),
        ("-3:-1", "2026-11-27T00:00:00Z", False),
        ("5:-5", "2026-11-05T00:00:00Z", True),
        ("5:-5", "2026-11-27T00:00:00Z", False),
        ("31", "2026-11-30T00:00:00Z", False),
        ("30:31", "2026-02-28T00:00:00Z", False),
        ("-31:-30", "2026-02-01T00:00:00Z", False),
        ("1:31", "2026-02-28T00:00:00Z", True),
    ],
)
def test_days_of_the_month_count_from_either_end(days: str, instant: str, inside: bool) -> None:
    assert _contains(TimeInterval(days_of_month=(parse_day_of_month_range(days),)), instant) is inside


def test_months_go_by_name_or_number_and_years_by_number() -> None:
    summer = TimeInterval(months=(parse_month_range("june:8"),), years=(parse_year_range("2026:2027"),))
    assert _contains(summer, "2026-08-31T23:59:59Z")
    assert not _contains(summer, "2026-09-01T00:00:00Z")
    assert not _contains(summer, "2028-07-01T00:00:00Z")


def test_all_parts_are_seen_in_the_location() -> None:
    sydney = TimeInterval(
        times=(parse_time_range("09:00", "17:00"),),
        weekdays=(parse_weekday_range("tuesday"),),
        location=parse_location("Australia/Sydney"),
    )
    assert _contains(sydney, "2026-11-23T22:00:00Z"), "nine on Tuesday morning there"
    assert not _contains(sydney, "2026-11-23T21:59:59Z")


def test_the_last_day_of_a_month_is_right_when_the_clocks_change_in_it() -> None:
    last = TimeInterval(
        days_of_month=(parse_day_of_month_range("-1"),), location=parse_location("Europe/Berlin")
    )
    assert _contains(last, "2026-03-31T12:00:00Z")
    assert not _contains(last, "2026-03-30T12:00:00Z")


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati", "UTC"])
def test_the_ends_of_time_are_instants_too(zone: str) -> None:
    """Anybody may ask where an alert would have gone then."""
    years = TimeInterval(years=(InclusiveRange(1, 9999),), location=parse_location(zone))
    for text in ("0001-01-01T00:00:00+24:00", "9999-12-31T23:59:59.999999999-24:00"):
        assert _contains(years, text)


def test_locations() -> None:
    assert parse_location("") is UTC
    local = TimeInterval(years=(InclusiveRange(2026, 2026),), location=parse_location("Local"))
    assert _contains(local, "2026-06-01T00:00:00Z")
    for name in ("Mars/Olympus", "../etc/passwd", "Europe", "/etc/localtime"):
        with pytest.raises(ValueError, match=r"^unknown time zone "):
            parse_location(name)


@pytest.mark.parametrize(
    ("parse", "text", "problem"),
    [
        (parse_weekday_range, "friday:monday", "start day cannot be before end day"),
        (parse_weekday_range, "5", "5 is not a valid weekday"),
        (parse_weekday_range, "a:b:c", "couldn't parse range a:b:c, invalid format"),
        (parse_weekday_range, "", " is not a valid weekday"),
        (parse_day_of_month_range, "0", "0 is not a valid day of the month: out of range"),
        (parse_day_of_month_range, "1:32", "32 is not a valid day of the month: out of range"),
        (parse_day_of_month_range, "-3:1", "end day must be negative if start day is negative"),
        (parse_day_of_month_range, "10:5", "end day 5 is always before start day 10"),
        (parse_day_of_month_range, "28:-1", "end day -1 is always before start day 28"),
        (parse_day_of_month_range, "x", 'strconv.Atoi: parsing "x": invalid syntax'),
        (parse_day_of_month_range, "9" * 5000, 'strconv.Atoi: parsing "9+": invalid syntax'),
        (parse_month_range, "may:april", "end month april is before start month may"),
        (parse_month_range, "mai", "mai is not a valid month"),
        (parse_year_range, "2027:2026", "end year 2026 is before start year 2027"),
    ],
)
def test_bad_ranges_are_refused_in_alertmanagers_words(
    parse: Callable[[str], InclusiveRange], text: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        parse(text)


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        ("", "10:00", "both start and end times must be provided"),
        ("10:00", "10:00", "start time cannot be equal or greater than end time"),
        ("9:00", "10:00", "couldn't parse timestamp 9:00, invalid format"),
        ("09:00", "24:01", "couldn't parse timestamp 24:01, invalid format"),
        ("09:00\n", "10:00", "couldn't parse timestamp 09:00\n, invalid format"),
    ],
)
def test_bad_times_are_refused_in_alertmanagers_words(start: str, end: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        parse_time_range(start, end)


def test_of_several_names_those_that_contain_the_instant_are_told_in_order() -> None:
    intervals = TimeIntervals(
        {
            "never": (TimeInterval(years=(parse_year_range("1999"),)),),
            "odd": (TimeInterval(years=(parse_year_range("1999"),)), TimeInterval()),
            "always": (TimeInterval(),),
        }
    )
    assert intervals.containing(("always", "never", "odd"), 0) == ("always", "odd")


@settings(max_examples=many(200))
@given(st.dates(min_value=date(1971, 1, 1), max_value=date(2200, 1, 1)), st.integers(-31, -1))
def test_a_negative_day_is_so_many_days_before_the_end_of_the_month(day: date, number: int) -> None:
    interval = TimeInterval(days_of_month=(InclusiveRange(number, number),))
    now = parse_rfc3339(f"{day.isoformat()}T12:00:00Z")
    left = 0
    while (day + timedelta(days=left + 1)).month == day.month:
        left += 1
    assert interval.contains(now) is (left == -number - 1)
