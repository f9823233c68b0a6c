"""Times, durations, zones and layouts are Go's."""

from __future__ import annotations

from datetime import UTC as DATETIME_UTC
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.gotemplate.gotime import (
    LOCAL,
    UTC,
    ZERO_TIME,
    Time,
    TimeError,
    duration,
    fixed_zone,
    load_location,
    parse_time,
)
from tocsin.gotemplate.gotime.format import _prepared
from tocsin.gotemplate.gotime.layout import _split

RFC3339 = "2006-01-02T15:04:05.999999999Z07:00"
MOMENT = parse_time(RFC3339, "2026-03-14T09:26:53.589Z", UTC)

LAYOUTS = [
    ("Monday, 2 January 2006", "Saturday, 14 March 2026"),
    ("Mon Jan _2 15:04:05 MST 2006", "Sat Mar 14 09:26:53 UTC 2026"),
    ("3:04PM 03:04pm", "9:26AM 09:26am"),
    ("06-1-2 002 __2", "26-3-14 073  73"),
    ("_2006 2006", "_2026 2026"),
    ("15h4m5s", "09h26m53s"),
    ("-0700 -07:00 -07 Z0700 Z07:00 Z07", "+0000 +00:00 +00 Z Z Z"),
    ("-070000 -07:00:00 Z070000", "+000000 +00:00:00 Z"),
    (".000 ,000000 .9 .999999", ".589 ,589000 .5 .589"),
    ("05.0005 05.99x", "53.0053 53.58x"),
    ("Janet Mons MSTX", "Janet Mons UTCX"),
    ("", ""),
    ("text", "text"),
]


@pytest.mark.parametrize(("layout", "text"), LAYOUTS)
def test_a_layout_writes(layout: str, text: str) -> None:
    assert MOMENT.format(layout) == text


def test_a_zone_is_written_by_name_or_offset() -> None:
    assert MOMENT.within(load_location("Europe/Berlin")).text() == "2026-03-14 10:26:53.589 +0100 CET"
    assert MOMENT.within(load_location("America/Sao_Paulo")).format("MST") == "-03"
    assert MOMENT.within(fixed_zone("", -34_200)).format("MST -0700 Z07:00") == "-0930 -0930 -09:30"
    assert MOMENT.within(fixed_zone("X", -30)).format("-0700 -07:00:00") == "+0000 +00:00:30"
    old = parse_time("2006", "1900", UTC).within(load_location("Europe/Paris"))
    assert old.format("-070000 MST") == "+000921 PMT"
    assert (
        parse_time("2006-01-02", "2060-07-01", UTC).within(load_location("America/New_York")).civil.hour == 20
    )
    assert load_location("") is UTC
    with pytest.raises(TimeError, match="invalid location name"):
        load_location("../etc/passwd")
    with pytest.raises(TimeError, match=r"unknown time zone \+02:00"):
        load_location("+02:00")


def test_a_year_may_be_any() -> None:
    assert ZERO_TIME.text() == "0001-01-01 00:00:00 +0000 UTC"
    assert Time.from_date(-5, 1, 1).format("2006 06") == "-0005 05"
    assert Time.from_date(12026, 13, 32).text() == "12027-02-01 00:00:00 +0000 UTC"
    assert Time.from_date(30000, 7, 1).within(load_location("Europe/Berlin")).format("MST") == "CEST"


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001
def test_the_calendar_is_that_of_datetime(wall: datetime) -> None:
    at = wall.replace(microsecond=0, tzinfo=DATETIME_UTC)
    time = Time(round((at - datetime(1970, 1, 1, tzinfo=DATETIME_UTC)) / timedelta(seconds=1)))
    civil = time.civil
    assert civil[:6] == (at.year, at.month, at.day, at.hour, at.minute, at.second)
    assert (civil.weekday, civil.year_day) == (at.isoweekday() % 7, at.timetuple().tm_yday)
    assert time.iso_week() == at.isocalendar()[:2]
    assert Time.from_date(*civil[:7]) == time


@given(
    st.integers(-62_135_596_800, 253_402_300_799), st.integers(0, 999_999_999), st.integers(-86_340, 86_340)
)
def test_rfc_3339_reads_back(unix: int, nanosecond: int, offset: int) -> None:
    time = Time(unix, nanosecond, fixed_zone("", offset // 60 * 60))
    if 0 <= time.civil.year <= 9999:
        read = parse_time(RFC3339, time.rfc3339("MarshalJSON"), UTC)
        assert read.instant == time.instant
        assert read.civil[:7] == time.civil[:7]


PARSED = [
    ("2006-01-02", "2026-07-04", "2026-07-04 00:00:00 +0000 UTC"),
    ("2006-01-02 15:04:05", "2026-07-04 10:11:12,345", "2026-07-04 10:11:12.345 +0000 UTC"),
    ("15:04", "07:08", "0000-01-01 07:08:00 +0000 UTC"),
    ("2006-002", "2024-060", "2024-02-29 00:00:00 +0000 UTC"),
    ("02/01/06 03:04:05 PM", "04/07/68 12:00:00 AM", "2068-07-04 00:00:00 +0000 UTC"),
    ("Monday, January 2", "saturday, july 4", "0000-07-04 00:00:00 +0000 UTC"),
    ("_2 Jan 2006", " 4 Jul 2026", "2026-07-04 00:00:00 +0000 UTC"),
    ("2006 MST", "2026 PST", "2026-01-01 00:00:00 +0000 PST"),
    ("2006 MST", "2026 GMT-8", "2025-12-31 16:00:00 -0800 GMT-8"),
    ("2006 MST", "2026 +0530"[:8], "2026-01-01 00:00:00 +0000 +05"),
    ("2006 -0700", "2026 +0530", "2026-01-01 00:00:00 +0530 +0530"),
    ("2006 Z07:00", "2026 Z", "2026-01-01 00:00:00 +0000 UTC"),
    ("2006  x", "2026 x", "2026-01-01 00:00:00 +0000 UTC"),
    ("15:04:05.000", "01:02:03.004", "0000-01-01 01:02:03.004 +0000 UTC"),
]


@pytest.mark.parametrize(("layout", "text", "time"), PARSED)
def test_a_layout_reads(layout: str, text: str, time: str) -> None:
    assert parse_time(layout, text, UTC).text() == time


REFUSED = [
    ("2006-01-02", "2026-7-4", 'as "2006-01-02": cannot parse "7-4" as "01"'),
    ("2006-01-02", "2026-02-29", ": day out of range"),
    ("2006-01-02", "2026-13-01", ": month out of range"),
    ("15:04", "24:00", ": hour out of range"),
    ("15:04", "23:60", ": minute out of range"),
    ("2006", "2026 x", ': extra text: " x"'),
    ("2006 MST", "2026 ab", 'cannot parse "ab" as "MST"'),
    ("2006 Z07:00", "2026 +25:00", ": time zone offset hour out of range"),
    ("2006-002 01", "2026-366 12", ": day-of-year out of range"),
    ("2006-002 01", "2026-001 12", ": day-of-year does not match month"),
    ("15:04:05.000", "01:02:03.04", 'cannot parse ".04" as ".000"'),
    ("Mon", "Xyz", 'cannot parse "Xyz" as "Mon"'),
]


@pytest.mark.parametrize(("layout", "text", "message"), REFUSED)
def test_a_layout_refuses(layout: str, text: str, message: str) -> None:
    with pytest.raises(TimeError) as caught:
        parse_time(layout, text, UTC)
    assert message in str(caught.value)


def test_time_moves_in_both_directions() -> None:
    assert MOMENT.add(-1).nanosecond == 588_999_999
    assert MOMENT.add_date(1, -2, 40).format("2006-01-02") == "2027-02-23"
    assert MOMENT.truncate(24 * duration.HOUR).format("15:04:05.9") == "00:00:00"
    assert MOMENT.round(duration.SECOND).format("05.9") == "54"
    assert MOMENT.round(0) is MOMENT
    assert MOMENT.sub(ZERO_TIME) == duration.MAX_DURATION
    assert ZERO_TIME.sub(MOMENT) == duration.MIN_DURATION
    assert MOMENT.unix_in(duration.MILLISECOND) == 1_773_480_413_589


DURATIONS = [
    (0, "0s"),
    (1, "1ns"),
    (1_100, "1.1µs"),
    (2_200_000, "2.2ms"),
    (-1_500_000_000, "-1.5s"),
    (61_000_000_000, "1m1s"),
    (3_600_000_000_000, "1h0m0s"),
    (duration.MAX_DURATION, "2562047h47m16.854775807s"),
    (duration.MIN_DURATION, "-2562047h47m16.854775808s"),
]


@pytest.mark.parametrize(("nanoseconds", "text"), DURATIONS)
def test_a_duration_prints(nanoseconds: int, text: str) -> None:
    assert duration.text(nanoseconds) == text


@given(st.integers(duration.MIN_DURATION, duration.MAX_DURATION))
def test_a_duration_reads_back(nanoseconds: int) -> None:
    assert duration.parse(duration.text(nanoseconds)) == nanoseconds


def test_durations_saturate() -> None:
    assert duration.absolute(duration.MIN_DURATION) == duration.MAX_DURATION
    assert duration.round_half_away(duration.MAX_DURATION, duration.HOUR) == duration.MAX_DURATION
    assert duration.round_half_away(-1_500_000_000, duration.SECOND) == -2_000_000_000
    assert duration.truncate(-1_500_000_000, duration.SECOND) == -1_000_000_000
    assert duration.whole(-1_500_000_000, duration.SECOND) == -1
    assert duration.hours(5_400_000_000_000) == 1.5


def test_numbers_of_thousands_of_digits() -> None:
    assert duration.parse("0" * 5_000 + "1.5" + "0" * 5_000 + "s") == 1_500_000_000
    assert duration.parse("0." + "3" * 5_000 + "s") == 333_333_333
    assert (
        parse_time("2006 MST", f"2026 GMT-{'0' * 5_000}8", UTC).text().startswith("2025-12-31 16:00:00 -0800")
    )


@pytest.mark.parametrize(
    "text", ["", "1", "x", "1x", "-", ".s", "1.s2", "--1s", "9223372036854775808ns", "1" * 5_000 + "s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(TimeError):
        duration.parse(text)


def test_times_are_equal_only_in_the_same_zone_as_go_compares_where_it_lies_in_memory() -> None:
    berlin = load_location("Europe/Berlin")
    assert MOMENT.within(berlin) == MOMENT.within(berlin)
    assert MOMENT.within(berlin) != MOMENT.within(load_location("Europe/Berlin"))
    assert MOMENT.within(load_location("UTC")) == MOMENT
    for offset, same in (("+02:00", True), ("+05:30", False), ("+15:00", False)):
        text = f"2026-03-14T09:26:53{offset}"
        assert (parse_time(RFC3339, text) == parse_time(RFC3339, text)) is same


def test_signs_are_read_where_go_reads_them() -> None:
    assert parse_time("06 .000", "-5 .+12").text() == "1995-01-01 00:00:00.012 +0000 UTC"
    with pytest.raises(TimeError, match="fractional second out of range"):
        parse_time(".000", ".-12")
    with pytest.raises(TimeError, match="cannot parse"):
        parse_time("2006", "-005")
    with pytest.raises(TimeError, match="cannot parse"):
        parse_time("05x.00", "07.25x.00")  # the fraction comes later: none may stand here


@pytest.mark.parametrize(
    ("told", "name"),
    [("UTC", "UTC"), ("", "UTC"), (":Europe/Berlin", "Europe/Berlin"), ("Nowhere", "UTC"), (None, "Local")],
)
def test_the_local_zone_is_called_as_the_machine_says(
    monkeypatch: pytest.MonkeyPatch, told: str | None, name: str
) -> None:
    if told is None:
        monkeypatch.delenv("TZ", raising=False)
    else:
        monkeypatch.setenv("TZ", told)
    assert str(LOCAL) == name


def test_a_layout_may_hold_percent_signs_and_is_kept_only_if_it_is_short() -> None:
    moment = Time.from_date(-1, 2, 3, 4, 5, 6)
    assert moment.format("%d 15%s 2006 %") == "%d 04%s -0001 %"
    assert moment.format("00% 03") == "00% 04"
    before = _prepared.cache_info().currsize, _split.cache_info().currsize
    assert moment.format("02 " * 2000) == "03 " * 2000
    assert (_prepared.cache_info().currsize, _split.cache_info().currsize) == before
