"""Dates in Go's layouts."""

import pytest

from tocsin.client import dates


@pytest.mark.parametrize(
    ("text", "layout", "shown"),
    [
        ("2026-01-02T03:04:05.678Z", dates.DEFAULT_LAYOUT, "2026-01-02 03:04:05 UTC"),
        ("2026-01-02T03:04:05.678+02:00", dates.DEFAULT_LAYOUT, "2026-01-02 03:04:05 +0200"),
        ("2026-01-02T03:04:05.678-03:30", dates.DEFAULT_LAYOUT, "2026-01-02 03:04:05 -0330"),
        ("0001-01-01T00:00:00.000Z", dates.DEFAULT_LAYOUT, "0001-01-01 00:00:00 UTC"),
        ("2026-01-02T03:04:05.678Z", "Mon Jan _2 15:04:05.000 MST 2006", "Fri Jan  2 03:04:05.678 UTC 2026"),
        ("2026-01-02T03:04:05.678+02:00", "15:04 -07:00", "03:04 +02:00"),
        ("1960-01-02T03:04:05.250Z", "2006 15:04:05.00", "1960 03:04:05.25"),
        ("rubbish", dates.DEFAULT_LAYOUT, "rubbish"),
    ],
)
def test_shown(text: str, layout: str, shown: str) -> None:
    assert dates.shown(text, layout) == shown


def test_the_quick_way_and_the_long_one_agree() -> None:
    for text in ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678+02:00", "0001-01-01T00:00:00.000Z"):
        assert f"{dates.shown(text)} " == dates.shown(text, f"{dates.DEFAULT_LAYOUT} ")


def test_what_a_person_writes_goes_out_in_its_own_zone() -> None:
    assert dates.written(dates.parse("2026-01-01T00:00:00+02:00")) == "2026-01-01T00:00:00.000+02:00"
    assert dates.written(dates.parse("2026-01-01T00:00:00.5Z")) == "2026-01-01T00:00:00.500Z"
    for text in ("foo", "2026", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", ""):
        with pytest.raises(ValueError, match="parsing time"):
            dates.parse(text)


def test_a_time_after_all_times_is_the_last() -> None:
    assert dates.after(dates.now(), 10**21).year == 9999
