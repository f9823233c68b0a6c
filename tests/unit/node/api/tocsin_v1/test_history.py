"""``history``: pages of the decision record, and of the silences."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest

from tests.support.api_backend import LoneNode
from tests.support.api_requests import matcher, silence
from tests.support.openapi import PREFIX, check, play
from tests.support.told_flushes import RECORDS, T0, delivery, flush
from tests.support.transports import eventually
from tocsin.alerting.record.model import AlertRecord, FlushRecord
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.models.history import HistoryQuery
from tocsin.node.api.tocsin_v1 import history, scanning
from tocsin.node.api.tocsin_v1.paging import shown_page


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
        monkeypatch.setattr(scanning, "MAX_SCANNED", 2)
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
        assert [item["record"] for item in page["items"]] == [0, 0, 0]
        page = await ask(http, "alerts", limit="3", after=page["next"])
        assert [item["record"] for item in page["items"]] == [0, 0, 4]
        _, *rest = await all_pages(http, "alerts", limit="2")
        assert [item["fingerprint"] for item in rest[:7]] == [f"{each.fingerprint:016x}" for each in many]

    play(story, node_with(RECORDS))


def _large(count: int, first: int) -> list[AlertRecord]:
    return [
        AlertRecord(first + number, (("alertname", "A"), ("text", "x" * 300), ("n", f"{number}")))
        for number in range(count)
    ]


@pytest.mark.parametrize("what", ["notifications", "alerts"])
def test_whoever_pages_misses_nothing_past_the_bytes_of_a_page(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of what has ended nor of what is under way, nor of more of that than a page has."""
    most = 3000
    monkeypatch.setattr(history, "MAX_PAGE_BYTES", most)
    monkeypatch.setattr(scanning, "MAX_UNDER_WAY", 7)
    group = "g" * 400

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.under_way = [(0, flush(n // 2, f"{n}{group}", *_large(3, 1000 * n))) for n in range(1, 21)]
        node.under_way[11:12] = []
        node.under_way.append((3, node.records[2]))
        found, query = [], {"limit": "1000"}
        for _ in range(200):
            answer = await http.get(f"{PREFIX}/history/{what}", params=query)
            assert len(answer.content) <= most + 500
            page = await check(http, answer)
            found += page["items"]
            if not page["next"]:
                break
            query["after"] = page["next"]
        else:
            pytest.fail("it has no end")
        if what == "notifications":
            seen = [item["groupLabels"].get("alertname", "") for item in found]
            expected = [f"{n}{group}" for n in range(1, 31) if n != 12]
        else:
            seen = [item["fingerprint"] for item in found if int(item["fingerprint"], 16) >= 1000]
            expected = [f"{1000 * n + k:016x}" for n in range(1, 31) if n != 12 for k in range(3)]
        assert set(seen) == set(expected)
        assert len(seen) <= len(expected) + 3, "once each, but for what is kept of what is under way"

    records = [flush(n - 30, f"{n}{group}", *_large(3, 1000 * n)) for n in range(21, 31)]
    play(story, node_with(records))


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


@pytest.mark.parametrize("what", ["notifications", "alerts"])
def test_a_node_without_a_record_says_so(what: str) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.tocsin.record_kept = False
        problem = await ask(http, what)
        assert (problem["status"], problem["error"]) == (404, "not_found")
        assert "keeps no decision record (--record.max-entries" in problem["message"]

    play(story)


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


def test_looking_through_silences_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_SECONDS", 0)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        problem = await ask(http, "silences")
        assert (problem["status"], problem["error"]) == (504, "timeout")
        assert "ask for fewer silences" in problem["message"]

    play(story)


def test_silences_are_looked_through_for_a_few_at_once() -> None:
    """Each takes a thread: the others are for everybody else."""

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        entered: list[int] = []
        left = threading.Event()

        def every() -> list[Silence]:
            entered.append(1)
            left.wait(30)
            return []

        node.silences.every = every  # type: ignore[method-assign]
        asking = [asyncio.create_task(ask(http, "silences")) for _ in range(8)]
        await eventually(lambda: len(entered) >= history.AT_ONCE)
        await asyncio.gather(*[asyncio.to_thread(int) for _ in range(3)])  # others come to their turn
        assert len(entered) == history.AT_ONCE
        asking[0].cancel()  # Its thread goes on.
        await asyncio.gather(*[asyncio.to_thread(int) for _ in range(3)])
        assert len(entered) == history.AT_ONCE
        left.set()
        await asyncio.gather(*asking[1:])
        assert len(entered) == 8

    play(story)


def test_of_silences_no_more_are_shown_than_fit_into_a_page() -> None:
    shown: list[int] = []

    def show(number: int) -> str:
        shown.append(number)
        return "x" * 100

    page = shown_page(range(500), HistoryQuery(limit=500, after="3"), show, max_bytes=1050)
    assert (len(page.items), page.next, page.total) == (10, "13", 500)
    assert len(shown) == 11


@pytest.mark.parametrize(
    "query", [{"after": "x"}, {"after": "u1-2"}, {"since": "now"}, {"outcome": "lost"}, {"filter": "foo"}]
)
def test_what_cannot_be_asked_is_refused(query: dict[str, str]) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        problem = await ask(http, "notifications", **query)
        assert (problem["status"], problem["place"]) == (400, f"query {next(iter(query))}")
        if "outcome" in query:
            assert "not needed" in problem["message"], "it says what there is"

    play(story, node_with(RECORDS))
