"""``acknowledge``: the silence that it makes, and its end."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.api_backend import LoneNode
from tests.support.api_requests import alert
from tests.support.openapi import PREFIX, check, play
from tocsin.alerting.acknowledge import ANNOTATION, HOLD
from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_milliseconds
from tocsin.node.acknowledging import Acknowledging
from tocsin.node.clock import Clock
from tocsin.node.log import Logger

PATH = f"{PREFIX}/acknowledge"


class SetClock(Clock):
    def __init__(self) -> None:
        self.ahead: Nanoseconds = 0

    def now(self) -> Nanoseconds:
        return super().now() + self.ahead


def test_a_group_is_silenced_until_its_alerts_have_ended() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        clock = node.clock = SetClock()
        acknowledging = Acknowledging(
            node.alerts,
            node.silences,
            node.look_ups,
            expire=node.expire_silence,
            wait=lambda: 0,
            clock=clock,
            log=Logger("tests"),
        )

        async def report(name: str, *, ended: bool = False) -> None:
            labels = {"alertname": name, "team": "none", "instance": "i"}
            ends = {"endsAt": format_milliseconds(node.now())} if ended else {}
            await http.post("/api/v2/alerts", json=[alert(labels, **ends)])

        async def evaluate(after: Nanoseconds = 0) -> str:
            clock.ahead += after
            await acknowledging.evaluate()
            [silence] = (await http.get("/api/v2/silences")).json()
            return str(silence["status"]["state"])

        await report("A")
        await report("B")
        asked = {"createdBy": "me", "receiver": "team-x", "group": {"alertname": "A"}, "duration": 7200}
        made = await check(http, await http.post(PATH, json=asked))
        assert made["matchers"] == ['alertname="A"', 'cluster=""']
        assert made["alerts"] == 1
        [silence] = (await http.get("/api/v2/silences")).json()
        assert (silence["id"], silence["createdBy"]) == (made["silenceId"], "me")
        assert silence["annotations"] == {ANNOTATION: "true"}
        assert (silence["comment"], silence["endsAt"]) == ("acknowledged", made["endsAt"])
        [silenced] = [
            each for each in (await http.get("/api/v2/alerts")).json() if each["status"]["silencedBy"]
        ]
        assert silenced["labels"]["alertname"] == "A"
        assert await evaluate() == "active"
        assert await evaluate(HOLD) == "active"
        await report("A", ended=True)
        assert await evaluate() == "active"
        assert await evaluate(HOLD - SECOND) == "active"
        assert await evaluate(SECOND) == "expired"
        assert (acknowledging.statistics.active, acknowledging.statistics.ended) == (1, 1)
        assert await evaluate(SECOND) == "expired"
        assert (acknowledging.statistics.active, acknowledging.statistics.ended) == (0, 1)

    play(story)


def test_an_alert_is_acknowledged_by_its_fingerprint_or_by_matchers() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        for instance in ("i", "j"):
            await http.post("/api/v2/alerts", json=[alert({"alertname": "A", "instance": instance})])
        fingerprint = node.alerts.all()[0].labels.fingerprint_text
        made = await check(http, await http.post(PATH, json={"createdBy": "me", "alert": fingerprint}))
        assert made["matchers"] == ['alertname="A"', 'instance="i"']
        asked = {"createdBy": "me", "matchers": ['alertname="A"', "instance=~i|j"]}
        made = await check(http, await http.post(PATH, json=asked))
        assert (made["matchers"], made["alerts"]) == (['alertname="A"', 'instance=~"i|j"'], 2)

    play(story)


@pytest.mark.parametrize(
    ("asked", "status", "place"),
    [
        ({}, 400, "body"),
        ({"alert": "1", "matchers": ["a=b"]}, 400, "body"),
        ({"alert": "x"}, 404, "body alert"),
        ({"alert": "00"}, 404, "body alert"),
        ({"group": {"alertname": "A"}, "receiver": "no"}, 404, "body group"),
        ({"matchers": ["="]}, 400, "body matchers"),
        ({"matchers": ["alertname=B"]}, 404, "body"),
        ({"matchers": ["alertname=~.*"], "duration": 1}, 400, "body duration"),
        ({"matchers": ["alertname=~.*"]}, 400, ""),
        ({"createdBy": "", "alert": "1"}, 400, "body createdBy"),
    ],
)
def test_what_cannot_be_acknowledged_is_refused(asked: Any, status: int, place: str) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await http.post("/api/v2/alerts", json=[alert({"alertname": "A"})])
        problem = await check(http, await http.post(PATH, json={"createdBy": "me", **asked}))
        assert (problem["status"], problem["place"]) == (status, place), problem
        assert not node.silences.query(node.now())

    play(story)
