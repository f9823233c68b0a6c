"""The frame of Tocsin's own API: parameters, pages, errors, bounds, the OpenAPI document."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from tests.support.api_backend import LoneNode
from tests.support.api_requests import alert
from tests.support.openapi import PREFIX, check, play
from tocsin.errors import ClosedError
from tocsin.models.base import Page, Paging, Query
from tocsin.models.status import Status
from tocsin.node.api import ClusterStatus, Limits
from tocsin.node.api.backend import PeerGap
from tocsin.node.api.browsers import BrowserRules
from tocsin.node.api.limits import NoMetrics
from tocsin.node.api.people import PeopleRules
from tocsin.node.api.tocsin_v1 import api
from tocsin.node.api.tocsin_v1.document import document
from tocsin.node.api.tocsin_v1.paging import paged
from tocsin.node.api.tocsin_v1.registry import RESOURCES
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource
from tocsin.node.api.tocsin_v1.shared import Shared


def test_the_status_tells_what_a_person_must_know() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        gaps = [PeerGap("10.0.0.3:9094", "connection refused")]
        node.cluster = ClusterStatus("settling", "n1", clear_text=True, gaps=gaps)
        await http.post("/api/v2/alerts", json=[alert()])
        status = await check(http, await http.get(f"{PREFIX}/status"))
        assert status["name"] == "n1"
        assert status["cluster"] == "settling"
        assert status["counts"]["alertsFiring"] == 1
        assert "clear text" in status["warnings"][0]
        assert status["warnings"][1:] == [
            "10.0.0.3:9094 is missing: connection refused",
            "route {}: a doubt",
        ]

    play(story)


def test_a_node_that_is_read_only_says_so_and_takes_no_acknowledgement() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await http.post("/api/v2/alerts", json=[alert({"alertname": "A"})])
        assert (await check(http, await http.get(f"{PREFIX}/status")))["readOnly"]
        asked = {"createdBy": "me", "matchers": ["alertname=A"]}
        answer = await http.post(f"{PREFIX}/acknowledge", json=asked)
        assert (answer.status_code, (await check(http, answer))["error"]) == (403, "forbidden")

    play(story, limits=Limits(people=PeopleRules(read_only=True)))


def test_the_routes_come_with_what_they_inherit_and_what_is_in_them() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        for team in ("y", "y", "none"):
            await http.post("/api/v2/alerts", json=[alert({"alertname": "A", "team": team, "x": team})])
        page = await check(http, await http.get(f"{PREFIX}/routes"))
        assert page["total"] == 4
        root, *rest = page["items"]
        assert (root["parent"], root["depth"], root["inherited"], root["groups"]) == ("", 0, [], 1)
        assert [route["receiver"] for route in rest] == ["team-y", "team-z", "muted"]
        assert rest[0] == {
            "id": '{}/{team="y"}/0',
            "parent": "{}",
            "depth": 1,
            "matchers": ['team="y"'],
            "receiver": "team-y",
            "groupBy": ["alertname", "cluster"],
            "groupWait": 3600,
            "groupInterval": 3600,
            "repeatInterval": 14400,
            "muteTimeIntervals": [],
            "activeTimeIntervals": [],
            "continues": True,
            "labels": {},
            "inherited": ["groupBy", "groupWait", "groupInterval", "repeatInterval", "labels"],
            "groups": 1,
            "alerts": 1,
            "muted": [],
        }
        assert rest[2]["muted"] == ["always"]

    play(story)


def test_pages_follow_each_other() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        seen: list[str] = []
        after = ""
        while True:
            answer = await http.get(f"{PREFIX}/routes", params={"limit": 3, "after": after})
            page = await check(http, answer)
            seen += [route["id"] for route in page["items"]]
            if not (after := page["next"]):
                break
        assert seen == [route.id for route in node.config.route.walk()]

    play(story)


def test_a_page_ends_early_when_it_is_too_large() -> None:
    items = ["x" * 100] * 10
    page = paged(items, Paging(limit=5), max_bytes=250)
    assert (len(page.items), page.next, page.total) == (2, "2", 10)
    assert len(paged(items, Paging(after="8"), max_bytes=1).items) == 1, "it always goes on"
    assert paged(items, Paging(after="99")) == Page(items=(), total=10)


@pytest.mark.parametrize(
    ("path", "status", "error", "place"),
    [
        ("/nothing", 404, "not_found", "path"),
        ("/routes?limit=0", 400, "bad_request", "query limit"),
        ("/routes?limit=1001", 400, "bad_request", "query limit"),
        ("/routes?limit=x", 400, "bad_request", "query limit"),
        ("/routes?limit=1&limit=2", 400, "bad_request", "query limit"),
        ("/routes?after=x", 400, "bad_request", "query after"),
        ("/routes?page=2", 400, "bad_request", "query page"),
        ("/routes?" + "&".join(["after="] * 300), 400, "bad_request", "query"),
        ("/facets?" + "&" * 256 + "filter=a=b&filter=c=d", 400, "bad_request", "query"),
        ("/facets?filter=", 400, "bad_request", "query filter"),
        ("/history/alerts?filter=a=b&filter=", 400, "bad_request", "query filter"),
        ("/explain?filter=", 400, "bad_request", "query filter"),
        ("/facets?filter=a", 400, "bad_request", "query filter"),
    ],
)
def test_errors_have_one_form_and_name_the_place(path: str, status: int, error: str, place: str) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.get(PREFIX + path)
        problem = await check(http, answer)
        assert (answer.status_code, problem["status"]) == (status, status)
        assert (problem["error"], problem["place"]) == (error, place), problem

    play(story)


def test_a_filter_that_no_go_program_would_read_is_not_passed_over() -> None:
    """Go drops parameters with a semicolon; then all alerts would be answered."""

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        for name in ("A;B", "C"):
            await http.post("/api/v2/alerts", json=[alert({"alertname": name})])
        page = await check(http, await http.get(f'{PREFIX}/facets?filter=alertname="A;B"'))
        assert [value["value"] for value in page["items"][0]["values"]] == ["A;B"]

    play(story)


def test_a_method_that_is_not_there_is_refused_with_those_that_are() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.post(f"{PREFIX}/routes")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        assert answer.json()["error"] == "method_not_allowed"

    play(story)


def test_what_stands_in_front_of_all_calls_speaks_json_here_too() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.get(f"/x{PREFIX}/status")
        assert answer.status_code == 403
        assert answer.json()["error"] == "forbidden"
        assert (await http.get("/x/api/v2/status")).text.startswith("this host is not")

    rules = BrowserRules(cross_origin=False, hosts=frozenset({"other"}))
    play(story, route_prefix="/x", limits=Limits(browsers=rules))


def test_other_origins_may_read_as_with_the_other_api() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.get(f"{PREFIX}/status", headers={"Origin": "http://elsewhere"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "no-store"
        asked = {"Origin": "http://elsewhere", "Access-Control-Request-Method": "GET"}
        preflight = await http.options(f"{PREFIX}/status", headers=asked)
        assert (preflight.status_code, preflight.headers["access-control-allow-methods"]) == (204, "GET")

    play(story)


def test_the_time_of_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(context: Context) -> Callable[[Call[Query, None]], Awaitable[Status]]:
        async def answer(call: Call[Query, None]) -> Status:
            await asyncio.Event().wait()
            raise AssertionError

        return answer

    def fails(context: Context) -> Callable[[Call[Query, None]], Awaitable[Status]]:
        async def answer(call: Call[Query, None]) -> Status:
            raise RuntimeError("a secret")

        return answer

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        problem = (await http.get(f"{PREFIX}/never")).json()
        assert (problem["status"], problem["error"]) == (504, "timeout")
        problem = (await http.get(f"{PREFIX}/fails")).json()
        assert (problem["status"], problem["error"]) == (500, "internal")
        assert "secret" not in problem["message"]

    extra = (
        Resource(path="/never", summary="", query=Query, answer=Status, make=never),
        Resource(path="/fails", summary="", query=Query, answer=Status, make=fails),
    )
    monkeypatch.setattr(api, "RESOURCES", (*RESOURCES, *extra))
    monkeypatch.setattr(api, "TIME_LIMIT", 0.01)
    play(story)


def test_a_store_that_was_closed_at_the_shutdown_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(context: Context) -> Callable[[Call[Query, None]], Awaitable[Status]]:
        async def answer(call: Call[Query, None]) -> Status:
            raise ClosedError("the journal is closed")

        return answer

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        problem = (await http.get(f"{PREFIX}/closed")).json()
        assert (problem["status"], problem["message"]) == (503, "the journal is closed")

    extra = Resource(path="/closed", summary="", query=Query, answer=Status, make=closed)
    monkeypatch.setattr(api, "RESOURCES", (*RESOURCES, extra))
    play(story)


def test_the_document_names_every_resource_with_its_parameters() -> None:
    made = document(RESOURCES)
    for resource in RESOURCES:
        operation = made["paths"][PREFIX + resource.path][resource.method.lower()]
        assert operation["summary"] == resource.summary
    parameters = made["paths"][f"{PREFIX}/routes"]["get"]["parameters"]
    assert parameters[0] == {
        "name": "limit",
        "in": "query",
        "required": False,
        "description": "items of a page",
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    }
    assert "runtime" in made["components"]["schemas"]["Build"]["required"]


class Counted(NoMetrics):
    def __init__(self) -> None:
        self.handlers: list[tuple[str, str, int]] = []

    def request_done(
        self, *, handler: str, method: str, status: int, seconds: float, response_bytes: int
    ) -> None:
        self.handlers.append((handler, method, status))


def test_calls_are_counted_without_the_names_in_their_paths() -> None:
    metrics = Counted()

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await http.get(f"{PREFIX}/status/")
        await http.post(f"{PREFIX}/receivers/a%20b/test", json={})
        await http.get(f"{PREFIX}/receivers/a/b/test")
        assert metrics.handlers == [
            (f"{PREFIX}/status", "get", 200),
            (f"{PREFIX}/receivers/{{name}}/test", "post", 404),
            (f"{PREFIX}/unknown", "get", 404),
        ]

    play(story, metrics=metrics)


def test_the_page_about_the_api_names_every_resource() -> None:
    table = (Path(__file__).parents[5] / "docs" / "api.md").read_text().partition("## What holds")[0]
    named = re.findall(r"[`/]?([a-z.]+(?:/[a-z{}.]+)*)`", table)
    assert [each.path for each in RESOURCES if each.path.removeprefix("/") not in named] == []


def test_a_view_is_made_once_for_all_who_look() -> None:
    async def story() -> None:
        now = 100.0
        gate = asyncio.Event()

        async def make() -> int:
            nonlocal now
            await gate.wait()
            now += 0.5
            return shared.makings

        shared = Shared(make, lambda: now)
        looks = [asyncio.create_task(shared.get()) for _ in range(5)]
        await asyncio.sleep(0)
        looks[0].cancel()
        gate.set()
        assert await asyncio.gather(*looks[1:]) == [1] * 4, "one who goes away takes nothing from the others"
        now += 4.4
        assert await shared.get() == 1, "it took half a second, and is shown for four and a half"
        now += 0.2
        assert await shared.get() == 2

    asyncio.run(story())


def test_a_view_that_nobody_waits_for_is_not_made_to_the_end() -> None:
    """Else whoever asks and leaves again and again has any number made at the same time."""

    async def story() -> None:
        making = 0

        async def make() -> int:
            nonlocal making
            making += 1
            try:
                await asyncio.sleep(0 if shared.makings == 3 else 3600)
            finally:
                making -= 1
            return shared.makings

        async def until(holds: Callable[[], bool]) -> None:
            async with asyncio.timeout(30):
                while not holds():  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0)

        shared = Shared(make, lambda: 0.0)
        for _ in range(2):
            looks = [asyncio.create_task(shared.get()) for _ in range(2)]
            await until(lambda: making == 1)
            looks[0].cancel()
            await asyncio.wait(looks[:1])
            assert making == 1
            looks[1].cancel()
            await asyncio.wait(looks[1:])
            await until(lambda: making == 0)
        assert await shared.get() == 3

    asyncio.run(story())


def test_a_view_that_fails_is_made_again() -> None:
    async def story() -> None:
        async def make() -> int:
            if shared.makings == 1:
                raise RefusedError(503, "not now")
            return 7

        shared = Shared(make, lambda: 0.0)
        with pytest.raises(RefusedError):
            await shared.get()
        assert await shared.get() == 7

    asyncio.run(story())
