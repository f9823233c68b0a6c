"""Spans of time in Prometheus' and in Go's notation."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting.duration import format_duration, format_go_duration, parse_duration, parse_go_duration

MS = 1_000_000
S = 1_000 * MS


@pytest.mark.parametrize(
    ("text", "span", "written"),
    [
        ("0", 0, "0s"),
        ("0s", 0, "0s"),
        ("30s", 30 * S, "30s"),
        ("1h30m", 5400 * S, "1h30m"),
        ("5m", 300 * S, "5m"),
        ("90d", 90 * 86400 * S, "90d"),
        ("14d", 14 * 86400 * S, "2w"),
        ("1y2w3d4h5m6s7ms", (365 + 14 + 3) * 86400 * S + 14706 * S + 7 * MS, "382d4h5m6s7ms"),
        ("120h", 120 * 3600 * S, "5d"),
        ("3600s", 3600 * S, "1h"),
    ],
)
def test_prometheus_notation(text: str, span: int, written: str) -> None:
    assert parse_duration(text) == span
    assert format_duration(span) == written


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty duration string"),
        ("1", 'not a valid duration string: "1"'),
        ("-1s", 'not a valid duration string: "-1s"'),
        ("1.5s", 'unknown unit "." in duration "1.5s"'),
        ("1s1m", 'not a valid duration string: "1s1m"'),
        ("1s1s", 'not a valid duration string: "1s1s"'),
        ("1q", 'unknown unit "q" in duration "1q"'),
        ("300y", "duration out of range"),
        ("1" + "0" * 5000 + "s", "duration out of range"),
    ],
)
def test_what_prometheus_refuses(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse_duration(text)


@given(st.integers(0, (1 << 62) // MS))
def test_whole_milliseconds_survive_prometheus_notation(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds * MS)) == milliseconds * MS


@pytest.mark.parametrize(
    ("text", "span", "written"),
    [
        ("0", 0, "0s"),
        ("1m0s", 60 * S, "1m0s"),
        ("200ms", 200 * MS, "200ms"),
        ("120h", 432000 * S, "120h0m0s"),
        ("1.5h", 5400 * S, "1h30m0s"),
        (".5s", 500 * MS, "500ms"),
        ("-3s", -3 * S, "-3s"),
        ("1500ms", 1500 * MS, "1.5s"),
        ("15us", 15_000, "15µs"),
        ("1ns", 1, "1ns"),
        ("1s1m", 61 * S, "1m1s"),
    ],
)
def test_go_notation(text: str, span: int, written: str) -> None:
    assert parse_go_duration(text) == span
    assert format_go_duration(span) == written


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("5", 'time: missing unit in duration "5"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("x", 'time: invalid duration "x"'),
        (".s", 'time: invalid duration ".s"'),
        ("9999999999h", 'time: invalid duration "9999999999h"'),
    ],
)
def test_what_go_refuses(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse_go_duration(text)


@given(st.integers(-(1 << 62), 1 << 62))
def test_go_notation_reads_back(span: int) -> None:
    assert parse_go_duration(format_go_duration(span)) == span


@given(st.text())
def test_no_text_breaks_the_readers(text: str) -> None:
    for read in (parse_duration, parse_go_duration):
        try:
            assert isinstance(read(text), int)
        except ValueError:
            pass


def test_flags_of_kingpin_have_days_and_weeks_too() -> None:
    assert parse_go_duration("1d", days=True) == 24 * 3600 * S
    assert parse_go_duration("1h1.5w", days=True) == (1 + 252) * 3600 * S
    with pytest.raises(ValueError, match='unknown unit "y"'):
        parse_go_duration("1y", days=True)
