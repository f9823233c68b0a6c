"""``GET alerts/worst``: what a list of very many alerts begins with."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.api import rfc3339
from tests.support.api_backend import LoneNode
from tests.support.api_requests import alert, matcher, silence
from tests.support.openapi import PREFIX, check, play
from tocsin.alerting.labels import Labels
from tocsin.alerting.route import Route

ORDER = "page,critical,warning,,info"


async def worst(http: httpx.AsyncClient, **query: str | int) -> Any:
    return await check(http, await http.get(f"{PREFIX}/alerts/worst", params=query))


def named(groups: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    return [(each["labels"]["alertname"], each["active"], len(each["alerts"])) for each in groups]


async def fires(http: httpx.AsyncClient, name: str, count: int = 1, **labels: str) -> None:
    each = [alert({"alertname": name, "pod": f"p{number}", **labels}) for number in range(count)]
    (await http.post("/api/v2/alerts", json=each)).raise_for_status()


def test_the_worst_groups_come_first_of_these_the_fullest_and_no_more_alerts_than_asked_for() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await fires(http, "Info", 3, severity="info")
        await fires(http, "Unknown", 2, severity="odd")
        await fires(http, "Few", 2, severity="Critical", cluster="a")
        await fires(http, "Many", 5, severity="critical", cluster="b")
        await fires(http, "Page", severity="page")
        found = await worst(http, order=ORDER, most=6)
        assert named(found["groups"]) == [("Page", 1, 1), ("Many", 5, 5)]
        assert (found["activeGroups"], found["counts"]["active"]) == (5, 13)
        found = await worst(http, order=ORDER, most=200)
        assert [each[0] for each in named(found["groups"])] == ["Page", "Many", "Few", "Unknown", "Info"]
        assert named((await worst(http, order=ORDER, most=2))["groups"])[1:] == [("Many", 5, 1)]
        many = found["groups"][1]
        assert many["shared"] == {"alertname": "Many", "severity": "critical", "cluster": "b"}
        assert (many["receiver"], many["alerts"][0]["receivers"]) == ("team-x", ["team-x"])

    play(story)


def test_what_is_muted_is_counted_and_not_shown() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await fires(http, "Silenced", 2, severity="warning")
        await fires(http, "Source", severity="critical", cluster="c")
        await fires(http, "Inhibited", 3, severity="warning", cluster="c")
        await fires(http, "Nightly", 4, team="muted")
        now = datetime.now(UTC)
        begins, ends = rfc3339(now), rfc3339(now + timedelta(hours=1))
        body = silence(matcher(value="Silenced"), startsAt=begins, endsAt=ends)
        (await http.post("/api/v2/silences", json=body)).raise_for_status()
        found = await worst(http, order=ORDER)
        assert named(found["groups"]) == [("Source", 1, 1)]
        assert found["counts"] == {"active": 1, "silenced": 2, "inhibited": 3, "muted": 4}

    play(story)


def test_an_alert_of_two_groups_is_counted_once() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await fires(http, "Twice", team="y")
        found = await worst(http)
        assert [each["receiver"] for each in found["groups"]] == ["team-y", "team-z"]
        assert found["counts"]["active"] == 1
        assert found["groups"][0]["alerts"][0]["receivers"] == ["team-y", "team-z"]

    play(story)


def test_what_cannot_be_asked_is_refused() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        for query in ({"most": 201}, {"most": 0}, {"order": "x" * 1001}, {"labels": "severity"}):
            answer = await http.get(f"{PREFIX}/alerts/worst", params=query)
            assert answer.status_code == 400

    play(story)


def test_other_work_runs_between_the_alerts_as_each_is_matched_against_all_routes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = 0
    matched: list[int] = []
    match = Route.match

    def noted(route: Route, labels: Labels) -> Any:
        matched.append(turns)
        return match(route, labels)

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await fires(http, "Many", 30)
        counting = asyncio.create_task(count())
        monkeypatch.setattr(Route, "match", noted)
        found = await worst(http)
        counting.cancel()
        assert len(found["groups"][0]["alerts"]) == 30
        assert len(set(matched)) == len(matched) >= 30

    play(story)
