"""``history``: pages of the decision record, and of the silences."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.support.api_backend import LoneNode
from tests.support.api_requests import matcher, silence
from tests.support.openapi import PREFIX, check, play
from tests.support.told_flushes import RECORDS, T0, delivery, flush
from tocsin.alerting.record.model import AlertRecord, FlushRecord
from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.node.api.tocsin_v1 import history


def node_with(records: list[FlushRecord]) -> LoneNode:
    node = LoneNode()
    node.records = records
    return node


async def ask(http: httpx.AsyncClient, what: str, **query: str) -> Any:
    return await check(http, await http.get(f"{PREFIX}/history/{what}", params=query))


def test_notifications_come_newest_first_with_what_became_of_them() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        page = await ask(http, "notifications")
        assert [item["record"] for item in page["items"]] == [4, 3, 2, 1]
        assert (page["next"], page["total"]) == ("", -1)
        _, not_needed, muted, sent = page["items"]
        assert sent["deliveries"][0]["integration"] == "team/webhook[0]"
        assert sent["deliveries"][0]["attempts"][0]["error"] == "connection refused"
        assert (sent["at"], sent["ended"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:21.000Z")
        assert not_needed["deliveries"][0]["notifiedBy"] == "n2"
        assert muted["muted"] == [{"why": "silence", "by": ["id-1"], "alerts": 1}]

    play(story, node_with(RECORDS))


@pytest.mark.parametrize(
    ("query", "records"),
    [
        ({"receiver": "other"}, [4]),
        ({"filter": 'alertname="A"'}, [3, 1]),
        ({"filter": "alertname=~.+"}, [4, 3, 2, 1]),
        ({"outcome": "sent"}, [1]),
        ({"outcome": "muted"}, [2]),
        ({"since": format_milliseconds(T0 + 60 * SECOND)}, [4, 3, 2]),
        ({"until": format_milliseconds(T0 + 60 * SECOND)}, [2, 1]),
        ({"receiver": "nobody"}, []),
    ],
)
def test_notifications_are_filtered(query: dict[str, str], records: list[int]) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        page = await ask(http, "notifications", **query)
        assert [item["record"] for item in page["items"]] == records

    play(story, node_with(RECORDS))


async def all_pages(http: httpx.AsyncClient, what: str, **query: str) -> list[Any]:
    found: list[Any] = []
    while True:
        page = await ask(http, what, **query)
        found += page["items"]
        if not page["next"]:
            return found
        query["after"] = page["next"]


def test_pages_go_on_where_they_ended_whatever_comes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [AlertRecord(100 + number, (("alertname", "A"), ("n", str(number)))) for number in range(7)]

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        pages = await all_pages(http, "notifications", limit="1")
        assert [item["record"] for item in pages] == [5, 4, 3, 2, 1]
        alerts = await all_pages(http, "alerts", limit="3")
        seen = [(item["record"], item["fingerprint"]) for item in alerts]
        assert len(seen) == len(set(seen)) == 12
        monkeypatch.setattr(history, "MAX_LOOKED", 2)
        assert [item["record"] for item in await all_pages(http, "notifications", outcome="sent")] == [1]

    play(story, node_with([*RECORDS, flush(4, "A", *many)]))


def test_flushes_that_have_not_ended_come_first() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.under_way = [
            (0, flush(5, "A", deliveries=(delivery("under way"),))),
            (0, flush(6, "D", deliveries=(delivery("under way"),))),
            (4, RECORDS[3]),  # Kept by now, since one of its integrations has ended.
        ]
        page = await ask(http, "notifications")
        assert [item["record"] for item in page["items"]] == [0, 0, 0, 3, 2, 1]
        assert page["items"][0]["groupLabels"] == {"alertname": "D"}
        page = await ask(http, "notifications", outcome="under way")
        assert [item["record"] for item in page["items"]] == [0, 0]
        assert [item["record"] for item in await all_pages(http, "notifications", limit="1")] == [
            0,
            0,
            0,
            3,
            2,
            1,
        ]

    play(story, node_with(RECORDS))


def test_of_what_is_under_way_no_more_alerts_come_than_are_asked_for() -> None:
    """A flush has up to 4096, and a hundred may be under way."""
    many = [AlertRecord(100 + number, (("alertname", "A"), ("n", str(number)))) for number in range(7)]

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.under_way = [(0, flush(5, "A", *many))]
        page = await ask(http, "alerts", limit="3")
        assert [item["record"] for item in page["items"]] == [0, 0, 0]
        page = await ask(http, "alerts", limit="3", after=page["next"])
        assert [item["record"] for item in page["items"]] == [4, 4, 3]

    play(story, node_with(RECORDS))


@pytest.mark.parametrize("what", ["notifications", "alerts"])
def test_alerts_of_one_flush_are_looked_at_in_turns(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Each may cost milliseconds, by patterns that somebody made slow."""
    many = [AlertRecord(100 + number, (("alertname", "A"), ("n", str(number)))) for number in range(1000)]
    monkeypatch.setattr(history, "SLICE", 2)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        waiting = asyncio.create_task(others())
        await ask(http, what, filter='n=~"x.*y"')
        waiting.cancel()
        assert turns > 500

    play(story, node_with([flush(1, "A", *many)]))


def test_alerts_come_once_as_they_were_seen_last() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        items = (await ask(http, "alerts"))["items"]
        assert [(item["fingerprint"], item["record"]) for item in items] == [
            ("0000000000000003", 4),
            ("0000000000000009", 4),
            ("0000000000000001", 3),
            ("0000000000000002", 2),
        ]
        assert items[0]["outcome"] == ["team/webhook[0] given up"]
        assert (items[1]["labels"], items[1]["endsAt"]) == ({}, "2023-11-14T22:13:21.000Z")
        assert items[3]["muted"] == [{"why": "silence", "by": ["id-1"], "alerts": 1}]
        assert [item["record"] for item in (await ask(http, "alerts", filter="alertname=BB"))["items"]] == [2]

    play(story, node_with(RECORDS))


def test_silences_come_by_their_last_change() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        made = []
        for team in ("a", "b"):
            body = {
                **silence(matcher("team", team)),
                "startsAt": format_milliseconds(node.now()),
                "endsAt": format_milliseconds(node.now() + 3600 * SECOND),
            }
            made.append((await http.post("/api/v2/silences", json=body)).json()["silenceID"])
        await http.delete(f"/api/v2/silence/{made[0]}")
        page = await ask(http, "silences")
        assert [(item["id"], item["state"]) for item in page["items"]] == [
            (made[0], "expired"),
            (made[1], "active"),
        ]
        assert page["total"] == 2
        page = await ask(http, "silences", filter='team="b"')
        assert [item["matchers"] for item in page["items"]] == [['team="b"']]
        assert not (await ask(http, "silences", until="2001-01-01T00:00:00Z"))["items"]
        problem = await ask(http, "silences", receiver="x")
        assert problem["place"] == "query receiver"

    play(story)


@pytest.mark.parametrize("query", [{"after": "x"}, {"since": "now"}, {"outcome": "lost"}, {"filter": "foo"}])
def test_what_cannot_be_asked_is_refused(query: dict[str, str]) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        problem = await ask(http, "notifications", **query)
        assert (problem["status"], problem["place"]) == (400, f"query {next(iter(query))}")
        if "outcome" in query:
            assert "not needed" in problem["message"], "it says what there is"

    play(story, node_with(RECORDS))
