"""``receivers`` and ``receivers/{name}/test``."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import httpx
import pytest

from tests.support.api_backend import LoneNode, scenes_config
from tests.support.api_requests import alert
from tests.support.eventually import eventually
from tests.support.openapi import PREFIX, check, play
from tests.support.sink import WebhookSink
from tocsin.alerting.decisions import Failed, Sent
from tocsin.alerting.group import Flush
from tocsin.alerting.integration import integrations
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ConfigError
from tocsin.node.api import Limits
from tocsin.node.api.browsers import BrowserRules
from tocsin.node.api.tocsin_v1 import facets
from tocsin.node.config.receivers import ReceiverConfig
from tocsin.node.log import Logger
from tocsin.node.receivertests import MAX_TESTS, ReceiverTests
from tocsin.notify.integrations.sender import Sender, SenderKey
from tocsin.notify.integrations.webhook import WebhookConfig


def test_receivers_come_with_what_is_in_them_and_how_they_do() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await http.post("/api/v2/alerts", json=[alert({"alertname": "A", "team": "none"})])
        [webhook] = integrations(node.config.receivers[0])
        flush = cast("Flush", None)
        node.health.count(Sent(flush, webhook, 1_700_000_003 * SECOND, 1, 1_700_000_000 * SECOND))
        node.health.count(
            Failed(
                flush, webhook, 1_700_000_011 * SECOND, 1, 1_700_000_010 * SECOND, "other", "refused", None
            )
        )
        page = await check(http, await http.get(f"{PREFIX}/receivers"))
        first, *rest = page["items"]
        assert first == {
            "name": "team-x",
            "labels": {"name": "team-x"},
            "used": True,
            "routes": 1,
            "groups": 1,
            "alerts": 1,
            "integrations": [
                {
                    "name": "team-x/webhook[0]",
                    "kind": "webhook",
                    "index": 0,
                    "sendResolved": True,
                    "sent": 1,
                    "failed": 1,
                    "givenUp": 0,
                    "failing": 1,
                    "lastSuccess": "2023-11-14T22:13:23.000Z",
                    "lastFailure": "2023-11-14T22:13:31.000Z",
                    "reason": "other",
                    "error": "refused",
                    "latency": 2.0,
                    "slowest": 3.0,
                }
            ],
        }
        assert [each["alerts"] for each in rest] == [0, 0, 0]

    play(story)


def node_with(*urls: str) -> LoneNode:
    config = scenes_config()
    team = ReceiverConfig.of("team-x", tuple(WebhookConfig(url=url) for url in urls))
    config.amend(receivers=(team, *config.receivers[1:]))
    return LoneNode(config)


def test_a_receiver_is_tried_and_its_outcome_told() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.post(f"{PREFIX}/receivers/team-x/test", json={})
        told = await check(http, answer)
        assert (answer.status_code, told["receiver"], told["taken"]) == (200, "team-x", False)
        good, bad = told["integrations"]
        assert (good["name"], good["taken"], good["status"]) == ("team-x/webhook[0]", True, 200)
        assert (good["reason"], good["error"], good["hint"]) == ("", "", "")
        assert not bad["taken"]
        assert "nothing listens there" in bad["hint"]
        assert "s3cret" not in answer.text
        asked = {
            "labels": {"alertname": "Mine"},
            "annotations": {"x": "y"},
            "resolved": True,
            "integration": "webhook[0]",
        }
        told = await check(http, await http.post(f"{PREFIX}/receivers/team-x/test", json=asked))
        assert (told["taken"], len(told["integrations"])) == (True, 1)

    with WebhookSink() as sink:
        play(story, node_with(f"{sink.url}hook", "http://127.0.0.1:1/?key=s3cret"))
        first, second = sink.all()
    assert first.alert_names == ["TocsinTest"]
    assert first.body["status"] == "firing"
    assert second.body["alerts"][0]["labels"] == {"alertname": "Mine"}
    assert second.body["status"] == "resolved"


def test_a_test_is_a_write_as_any_other() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        path = f"{PREFIX}/receivers/team-x/test"
        foreign = await http.post(path, json={}, headers={"Origin": "http://elsewhere"})
        assert foreign.status_code == 403
        form = await http.post(path, content=b"{}", headers={"Content-Type": "text/plain"})
        assert (form.status_code, form.json()["error"]) == (415, "unsupported_media_type")
        refusals: list[tuple[str, Any, int, str]] = [
            ("team-q", {}, 404, "path name"),
            ("team-y", {}, 400, "body integration"),
            ("team-x", {"integration": "email[0]"}, 400, "body integration"),
            ("team-x", {"labels": {"": "x"}}, 400, "body labels"),
            ("team-x", {"labels": 1}, 400, "body labels"),
            ("team-x", {"label": {}}, 400, "body"),
            ("team-x", [], 400, "body"),
        ]
        for name, body, status, place in refusals:
            answer = await http.post(f"{PREFIX}/receivers/{name}/test", json=body)
            problem = await check(http, answer)
            assert (answer.status_code, problem["place"]) == (status, place), problem

    play(story, limits=Limits(browsers=BrowserRules(cross_origin=False)))


def test_tests_under_way_are_bounded() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        path = f"{PREFIX}/receivers/team-x/test"
        gate = threading.Event()

        def make(receiver: ReceiverConfig) -> dict[SenderKey, Sender]:
            gate.wait(60)
            raise ConfigError("a file", "cannot be read")

        counted = node.tocsin.receiver_tests = ReceiverTests(make, node.clock, Logger("tests"))
        tests = [asyncio.create_task(http.post(path, json={})) for _ in range(MAX_TESTS)]
        await asyncio.to_thread(
            eventually, lambda: counted.statistics.under_way == MAX_TESTS, "all places are taken"
        )
        assert (await check(http, await http.post(path, json={})))["status"] == 503
        gate.set()
        answers = await asyncio.gather(*tests)
        assert {answer.status_code for answer in answers} == {400}
        assert answers[0].json()["message"] == "a file: cannot be read"
        assert (counted.statistics.under_way, counted.statistics.refused) == (0, 1)

    play(story, node_with("http://127.0.0.1:1/"))


def test_facets_count_values_by_state() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        for labels in (
            {"alertname": "A", "severity": "critical", "cluster": "c"},
            {"alertname": "B", "severity": "warning", "cluster": "c"},
            {"alertname": "B", "severity": "warning", "cluster": "d"},
        ):
            await http.post("/api/v2/alerts", json=[alert(labels)])
        page = await check(http, await http.get(f"{PREFIX}/facets"))
        assert [(facet["name"], facet["alerts"]) for facet in page["items"]] == [
            ("alertname", 3),
            ("cluster", 3),
            ("severity", 3),
        ]
        assert page["items"][0]["values"] == [
            {"value": "B", "alerts": 2, "active": 1, "silenced": 0, "inhibited": 1},
            {"value": "A", "alerts": 1, "active": 1, "silenced": 0, "inhibited": 0},
        ]
        filtered = {"filter": 'cluster="d"', "values": "1"}
        page = await check(http, await http.get(f"{PREFIX}/facets", params=filtered))
        assert [(facet["alerts"], facet["more"]) for facet in page["items"]] == [(1, 0)] * 3
        page = await check(http, await http.get(f"{PREFIX}/facets", params={"values": 1}))
        assert page["items"][0]["more"] == 1
        answer = await http.get(f"{PREFIX}/facets", params={"filter": "="})
        assert (await check(http, answer))["status"] == 400

    play(story)


def test_labels_and_values_that_are_counted_and_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who posts alerts can make any number of them, and ask again with another filter."""
    monkeypatch.setattr(facets, "MAX_SHOWN", 5)
    monkeypatch.setattr(facets, "MAX_COUNTED", 30)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        many = [alert({"alertname": "A", f"l{number:02}": "v", "n": f"{number:02}"}) for number in range(40)]
        await http.post("/api/v2/alerts", json=many)
        page = await check(http, await http.get(f"{PREFIX}/facets"))
        assert page["total"] == 5
        items = {each["name"]: each for each in page["items"]}
        assert items["alertname"]["alerts"] == items["n"]["alerts"] == 40
        assert sum(len(each["values"]) for each in page["items"]) == 5
        assert items["n"]["more"] == 40 - len(items["n"]["values"])

    play(story)


def test_values_of_a_label_are_put_in_order_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A label has as many values as there are alerts, if somebody means it to."""
    count = 0

    async def counting(steps: Steps[Any]) -> Any:
        nonlocal count
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value
            count += 1

    monkeypatch.setattr(facets, "run_steps", counting)
    monkeypatch.setattr("tocsin.alerting.steps.SORTED_AT_ONCE", 10)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        many = [alert({"alertname": "A", "n": f"{number:03}"}) for number in range(500)]
        await http.post("/api/v2/alerts", json=many)
        page = await check(http, await http.get(f"{PREFIX}/facets", params={"values": 20}))
        assert [(each["name"], each["alerts"], each["more"]) for each in page["items"]] == [
            ("alertname", 500, 0),
            ("n", 500, 480),
        ]
        assert [each["value"] for each in page["items"][1]["values"]] == [f"{n:03}" for n in range(20)]
        assert count > 50

    play(story)
