"""``GET explain``: what is asked reaches the node, and what it tells fits the document."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from simulation.alerting import NoSilences
from tests.support.api_backend import LoneNode
from tests.support.openapi import PREFIX, check
from tests.support.recorded import RecordedPipeline
from tests.support.routing import T0, alert
from tocsin.alerting.explain.explanation import Scene, explain
from tocsin.alerting.explain.knowledge import Knowledge
from tocsin.alerting.explain.story import Explanation, NodeAnswer
from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.node.api import create_app

DISK = alert(alertname="DiskFull", instance="a")
Play = Callable[[httpx.AsyncClient, LoneNode], Awaitable[None]]


def play(story: Play) -> None:
    async def run() -> None:
        backend = LoneNode()
        transport = httpx.ASGITransport(app=create_app(backend))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            await story(http, backend)

    asyncio.run(run())


def test_a_story_is_told() -> None:
    world = RecordedPipeline()
    world.start(DISK)
    world.succeed(T0)
    told = explain(
        Scene(
            labels=DISK.labels,
            now=T0 + SECOND,
            config=world.config,
            inhibitor=NoSilences(),
            silences=NoSilences(),
            alert=DISK,
            records=world.told,
            node="here",
            others=(Knowledge(node="there"),),
        )
    )

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.tocsin.explanation = Explanation((told,), (NodeAnswer("go1", "log only", "why"),), 3)
        found = await check(
            http, await http.get(f"{PREFIX}/explain", params={"filter": "alertname=DiskFull"})
        )
        (shown,) = found["stories"]
        assert (found["more"], found["nodes"][0]["answer"]) == (3, "log only")
        assert shown["fingerprint"] == DISK.labels.fingerprint_text
        assert [each["state"] for each in shown["nodes"]] == ["firing", "not known"]
        (group,) = shown["groups"]
        assert group["verdict"].startswith("SENT ")
        assert (group["told"][0]["what"], group["told"][0]["node"]) == ("sent", "here")
        assert shown["text"].startswith("{alertname=")
        assert shown["routes"] == [{"id": "{}", "receiver": "hook", "taken": True, "why": ""}]

    play(story)


def test_what_is_asked_reaches_the_node() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        params = {
            "fingerprint": ["00000000000000ff", "1"],
            "filter": ["a=b", 'c=~"d"'],
            "group": "key",
            "receiver": "hook",
            "since": format_milliseconds(T0),
            "until": format_milliseconds(T0 + SECOND),
            "peers": "false",
            "limit": "2",
        }
        await check(http, await http.get(f"{PREFIX}/explain", params=params))
        assert node.tocsin.asked is not None
        question, peers = node.tocsin.asked
        assert (question.fingerprints, peers, question.limit) == (frozenset({255, 1}), False, 2)
        assert list(map(str, question.matchers)) == ['a="b"', 'c=~"d"']
        assert (question.group_key, question.receiver) == ("key", "hook")
        assert (question.since, question.until) == (T0, T0 + SECOND)

    play(story)


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({}, "query"),
        ({"fingerprint": "xyz"}, "query fingerprint"),
        ({"fingerprint": "1" * 17}, "query fingerprint"),
        ({"filter": "a=b", "since": "yesterday"}, "query since"),
        ({"filter": "a=b", "limit": "21"}, "query limit"),
        ({"filter": ["a=b"] * 65}, "query filter"),
    ],
)
def test_what_cannot_be_asked_is_refused(params: dict[str, str], place: str) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.get(f"{PREFIX}/explain", params=params)
        assert (answer.status_code, (await check(http, answer))["place"]) == (400, place)

    play(story)
