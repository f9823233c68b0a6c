"""``intervals``: time intervals as a week."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx

from tests.support.api_backend import LoneNode
from tests.support.openapi import PREFIX, check, play
from tocsin.alerting.timeinterval import InclusiveRange, TimeInterval, TimeRange
from tocsin.node.api.tocsin_v1.intervals import day_of, monday_of, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = TimeInterval(times=(TimeRange(1080, 1440), TimeRange(0, 487)), location=BERLIN)
WEEKEND = TimeInterval(weekdays=(InclusiveRange(6, 6), InclusiveRange(0, 0)), location=BERLIN)


def test_intervals_are_told_as_the_spans_of_this_week() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        page = await check(http, await http.get(f"{PREFIX}/intervals"))
        (always,) = page["items"]
        assert (always["name"], always["inside"], always["zone"]) == ("always", True, "UTC")
        assert (always["mutes"], always["activates"]) == (1, 0)
        assert always["week"] == [[[0, 1440]]] * 7
        assert datetime.fromisoformat(always["monday"]).weekday() == 0

    play(story)


def test_a_day_has_the_spans_of_all_entries_joined() -> None:
    monday = datetime(2026, 3, 2, tzinfo=BERLIN)
    assert day_of((NIGHT, WEEKEND), monday) == ((0, 487), (1080, 1440))
    assert day_of((NIGHT, WEEKEND), datetime(2026, 3, 7, tzinfo=BERLIN)) == ((0, 1440),)
    assert day_of((), monday) == ()
    hours = (TimeInterval(times=(TimeRange(60, 120),)), TimeInterval(times=(TimeRange(90, 180),)))
    assert day_of(hours, datetime(2026, 3, 2, tzinfo=UTC)) == ((60, 180),)


def test_each_minute_is_as_the_interval_itself_says() -> None:
    far = TimeInterval(times=(TimeRange(1080, 1320),), location=ZoneInfo("Asia/Kathmandu"))  # +05:45
    for spans in ((NIGHT,), (far, WEEKEND), (far,)):
        zone = zone_of(spans)
        monday = monday_of(1_780_000_000_000_000_000, zone)
        found = day_of(spans, monday)
        for minute in range(1440):
            at = int(monday.timestamp() + minute * 60) * 1_000_000_000
            inside = any(start <= minute < end for start, end in found)
            assert inside == any(span.contains(at) for span in spans), (spans, minute)


def test_several_zones_are_told_in_utc() -> None:
    assert zone_of((NIGHT, WEEKEND)) is BERLIN
    assert zone_of((NIGHT, TimeInterval())) is UTC
    assert zone_of(()) is UTC
