"""Instants and their text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting.timestamp import LATEST, SECOND, ZERO, format_milliseconds, format_rfc3339, parse_rfc3339


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00Z", ZERO),
        ("2026-11-24T01:02:03.123456789Z", 1795482123123456789),
        ("2026-11-24T01:02:03.1Z", 1795482123100000000),
        ("2026-11-24T02:02:03.123456789+01:00", 1795482123123456789),
        ("2026-11-23T19:32:03,5-0530", 1795482123500000000),
        ("2026-11-24T01:02:03.1234567899Z", 1795482123123456789),
        ("9999-12-31T23:59:59.999999999Z", LATEST),
    ],
)
def test_reading(text: str, instant: int) -> None:
    assert parse_rfc3339(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "2026-11-24",
        "2026-11-24T01:02:03",
        "2026-11-24 01:02:03Z",
        "2026-02-30T01:02:03Z",
        "2026-11-24T25:02:03Z",
        "2026-11-24T01:02:03.Z",
        "2026-11-24T01:02:03+99:00",
        "٢026-11-24T01:02:03Z",
        "2026-11-24T01:02:03Z\n",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="parsing time"):
        parse_rfc3339(text)


def test_writing() -> None:
    assert format_rfc3339(1795482123123456789) == "2026-11-24T01:02:03.123456789Z"
    assert format_rfc3339(1795482123120000000) == "2026-11-24T01:02:03.12Z"
    assert format_rfc3339(1795482120000000000) == "2026-11-24T01:02:00Z"
    assert format_milliseconds(1795482120000000000) == "2026-11-24T01:02:00.000Z"
    assert format_milliseconds(1795482123123999999) == "2026-11-24T01:02:03.123Z"
    assert format_rfc3339(ZERO) == "0001-01-01T00:00:00Z"


@given(st.integers(ZERO, LATEST))
def test_what_is_written_reads_back(instant: int) -> None:
    assert parse_rfc3339(format_rfc3339(instant)) == instant
    assert parse_rfc3339(format_milliseconds(instant)) == instant - instant % 1_000_000


@given(st.integers(-(1 << 70), 1 << 70))
def test_instants_without_a_text_are_shown_as_the_nearest(instant: int) -> None:
    shown = parse_rfc3339(format_rfc3339(instant))
    assert abs(shown - min(max(instant, ZERO), LATEST)) <= SECOND
