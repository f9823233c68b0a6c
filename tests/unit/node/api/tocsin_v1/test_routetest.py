"""``routes/test``: the way of an alert through the tree."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.support.api_backend import LoneNode
from tests.support.api_requests import alert, matcher, silence
from tests.support.openapi import PREFIX, check, play
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import SECOND, format_milliseconds


def test_the_way_of_an_alert_is_told_with_what_mutes_it() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        asked = {"label": ["team=y", "cluster=c", "severity=warning"]}
        told = await check(http, await http.get(f"{PREFIX}/routes/test", params=asked))
        assert told["labels"] == {"cluster": "c", "severity": "warning", "team": "y"}
        assert [(each["receiver"], each["taken"]) for each in told["way"]] == [
            ("team-x", False),
            ("team-y", True),
            ("team-z", True),
            ("muted", False),
        ]
        assert [(each["receiver"], each["muted"]) for each in told["destinations"]] == [
            ("team-y", ""),
            ("team-z", ""),
        ]
        assert told["destinations"][0]["groupLabels"] == {"cluster": "c"}
        assert told["destinations"][0]["groupKey"] == '{}/{team="y"}:{cluster="c"}'
        critical = alert({"alertname": "A", "cluster": "c", "severity": "critical"})
        await http.post("/api/v2/alerts", json=[critical])
        told = await check(http, await http.get(f"{PREFIX}/routes/test", params=asked))
        assert len(told["inhibitedBy"]) == 1
        assert told["destinations"][0]["muted"] == "inhibited"

    play(story)


def test_time_intervals_and_silences_are_those_of_the_time_asked_for() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        muted = await http.get(f"{PREFIX}/routes/test", params={"label": "team=muted"})
        [destination] = (await check(http, muted))["destinations"]
        assert (destination["intervals"], destination["muted"]) == (["always"], "time interval")
        start = node.now() + 3600 * SECOND
        body = {
            **silence(matcher("team", "y")),
            "startsAt": format_milliseconds(start),
            "endsAt": format_milliseconds(start + 60 * SECOND),
        }
        made = (await http.post("/api/v2/silences", json=body)).json()["silenceID"]
        now = {"label": "team=y"}
        assert (await http.get(f"{PREFIX}/routes/test", params=now)).json()["silencedBy"] == []
        then = {"label": "team=y", "at": format_milliseconds(start + 30 * SECOND)}
        told = await check(http, await http.get(f"{PREFIX}/routes/test", params=then))
        assert (told["silencedBy"], told["destinations"][0]["muted"]) == ([made], "silenced")

    play(story)


def test_a_question_about_another_time_changes_nothing() -> None:
    """Anybody may ask for any time: alerts go on to inhibit, and silences that have ended go on to rest."""

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        began = node.now()
        ended = Silence("", (parse_matchers('team=~"y|z"'),), began, began + 10 * SECOND, comment="x")
        identifier = await node.set_silence(ended)
        node.clock.now = lambda: time.time_ns() + 60 * SECOND  # type: ignore[method-assign]
        node.silences.gc(node.now())
        before = node.silences.pattern_statistics()
        assert before.resting_silences == 1
        critical = alert({"alertname": "A", "cluster": "c", "severity": "critical"})
        await http.post("/api/v2/alerts", json=[critical])
        asked = {"label": ["team=y", "cluster=c", "severity=warning"]}
        then = format_milliseconds(began + 5 * SECOND)
        for at, silenced in (("2099-01-01T00:00:00Z", []), (then, [identifier])):
            answer = await http.get(f"{PREFIX}/routes/test", params={**asked, "at": at})
            assert (await check(http, answer))["silencedBy"] == silenced
        told = await check(http, await http.get(f"{PREFIX}/routes/test", params=asked))
        assert len(told["inhibitedBy"]) == 1
        assert told["silencedBy"] == []
        assert node.silences.pattern_statistics() == before

    play(story)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("label=team", "query label"),
        ("label==x", "query label"),
        ("label=a=b&label=a=c", "query label"),
        ("at=yesterday", "query at"),
    ],
)
def test_what_is_no_label_and_no_time_is_refused(query: str, place: str) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        problem = await check(http, await http.get(f"{PREFIX}/routes/test?{query}"))
        assert (problem["status"], problem["place"]) == (400, place)

    play(story)
