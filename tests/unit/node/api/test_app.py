"""What the recorded answers do not show: pages, prefix, limits, counting, status."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from tests.support.api_backend import LoneNode
from tests.support.api_requests import alert, matcher, silence
from tests.support.transports import eventually
from tocsin.alerting.matcher import Matcher, MatchType, ParserMode
from tocsin.alerting.route import RouteConfig, build_route
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.errors import ClosedError, ConfigError
from tocsin.node.api import ClusterStatus, Limits, PeerStatus, alerts, create_app, general
from tocsin.node.api import places as places_module
from tocsin.node.api.app import Site
from tocsin.node.api.limits import Gate
from tocsin.node.api.requests import clean_path
from tocsin.node.api.statistics import AnswerStatistics
from tocsin.node.api.zipping import AT_ONCE, Zipping
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.config.receivers import ReceiverConfig

Story = Callable[[httpx.AsyncClient, LoneNode], Awaitable[None]]


def play(story: Story, node: LoneNode | None = None, **options: Any) -> None:
    async def run() -> None:
        backend = node or LoneNode()
        transport = httpx.ASGITransport(app=create_app(backend, **options))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            await story(http, backend)

    asyncio.run(run())


def test_the_status_names_cluster_config_and_version() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        alone = await http.get("/api/v2/status")
        assert alone.json()["cluster"] == {"peers": [], "status": "disabled"}
        node.cluster = ClusterStatus("ready", "01B", [PeerStatus("01B", "b:1"), PeerStatus("01A", "a:1")])
        answer = await http.get("/api/v2/status")
        assert answer.json() == {
            "cluster": {
                "name": "01B",
                "peers": [{"address": "a:1", "name": "01A"}, {"address": "b:1", "name": "01B"}],
                "status": "ready",
            },
            "config": {"original": node.config.original},
            "uptime": format_milliseconds(node.started_at),
            "versionInfo": {
                "branch": "",
                "buildDate": "",
                "buildUser": "",
                "goVersion": "none",
                "revision": "",
                "version": "0.33.1",
            },
        }
        assert answer.text.endswith("\n")

    play(story)


def test_the_page_is_escaped_and_has_no_script_in_it() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.cluster = ClusterStatus("settling", "<me>", [PeerStatus("<script>", '"x"&')])
        await http.post(
            "/api/v2/alerts", json=[alert(), alert({"alertname": "B"}, endsAt="2026-01-01T00:00:00Z")]
        )
        await http.post("/api/v2/silences", json=_silence())
        page = await http.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert not re.search(r"<script(?![^>]* src=\"static/)|<style| style=| on\w+=", page.text)
        assert "&lt;script&gt;" in page.text
        assert "&quot;x&quot;&amp;" in page.text
        assert "<b>1</b>alerts firing" in page.text
        assert "<b>1</b>alerts resolved" in page.text
        assert "<b>1</b>silences active" in page.text
        assert 'href="api/v2/alerts"' in page.text  # Whatever name, scheme and prefix lead here.
        assert "http" not in page.text.partition("<body>")[2]

    play(story)


def test_a_long_list_of_members_is_cut() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.cluster = ClusterStatus("ready", "n1", [PeerStatus(f"n{i}", f"h{i}:1") for i in range(1000)])
        page = await http.get("/")
        assert "1000 members" in page.text
        assert "and 800 more" in page.text

    play(story)


def _silence() -> dict[str, Any]:
    body = silence(matcher("instance", "x"))
    now = LoneNode().now()
    return {**body, "startsAt": format_milliseconds(now), "endsAt": format_milliseconds(now + 3600 * SECOND)}


def test_everything_is_below_the_route_prefix() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        for path in ("/am/-/healthy", "/am/-/ready", "/am/api/v2/alerts", "/am/metrics", "/am/"):
            assert (await http.get(path)).status_code == 200, path
        for path in ("/-/healthy", "/api/v2/alerts", "/metrics", "/amx/-/healthy", "/other"):
            assert (await http.get(path)).status_code == 404, path
        for path, status, target in (
            ("/", 302, "/am"),
            ("/am", 301, "/am/"),
            ("/am/api/v2", 301, "/am/api/v2/"),
        ):
            answer = await http.get(path)
            assert (answer.status_code, answer.headers["location"]) == (status, target)
        assert (await http.get("/am/api/v2/x")).json()["message"] == "path /api/v2/x was not found"

    for prefix in ("/am", "am", "/am/"):
        play(story, route_prefix=prefix)


def test_unready_and_unhealthy_nodes_say_so() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        node.ready = False
        assert (await http.get("/-/ready")).status_code == 503
        assert (await http.get("/-/healthy")).status_code == 200
        node.healthy = False
        assert (await http.get("/-/healthy")).status_code == 503

    play(story)


def test_a_failed_reload_tells_why() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        assert (await http.post("/-/reload")).status_code == 200
        node.reload_error = ConfigError("alertmanager.yml:3:1", "unknown key <x>")
        answer = await http.post("/-/reload")
        assert answer.status_code == 500
        assert answer.text == "failed to reload config: alertmanager.yml:3:1: unknown key <x>\n"

    play(story)


def test_a_body_past_the_limit_is_refused_before_it_is_read() -> None:
    read: list[int] = []

    async def endless() -> Any:
        for _ in range(1000):
            read.append(1)
            yield b" " * 1024

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        headers = {"Content-Type": "application/json"}
        announced = await http.post("/api/v2/alerts", content=b"[" + b" " * 10_000 + b"]", headers=headers)
        assert announced.status_code == 413
        assert announced.headers["connection"] == "close"
        assert announced.json()["message"] == "http: request body too large: the limit is 8192 bytes"
        streamed = await http.post("/api/v2/silences", content=endless(), headers=headers)
        assert streamed.status_code == 413
        assert len(read) < 20
        fits = await http.post("/api/v2/alerts", content=b"[" + b" " * 8000 + b"]", headers=headers)
        assert fits.status_code == 200

    play(story, limits=Limits(max_body_bytes=8192))


@dataclass
class Counted:
    """Keeps what it is told."""

    done: list[tuple[str, str, int, int]] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    refused: int = 0

    def request_done(
        self, *, handler: str, method: str, status: int, seconds: float, response_bytes: int
    ) -> None:
        assert seconds >= 0
        self.done.append((handler, method, status, response_bytes))

    def gets_in_flight(self, count: int) -> None:
        self.in_flight.append(count)

    def concurrency_limit_exceeded(self) -> None:
        self.refused += 1


class SlowNode(LoneNode):
    """Takes its time to reload, to set a silence, and to show its alerts."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()
        self.go_on = asyncio.Event()

    async def set_silence(self, silence: Silence) -> str:
        self.waiting.set()
        await self.go_on.wait()
        return await super().set_silence(silence)


def test_requests_are_counted_under_bounded_names() -> None:
    counted = Counted()

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await http.get("/am/api/v2/silence/11111111-2222-4333-8444-555555555555")
        await http.get("/am/api/v2/alerts/")
        await http.get("/am/api/v2/random-1")
        await http.get("/am/random-2")
        await http.get("/random-3")
        await http.get("/am/-/healthy")
        await http.post("/am/api/v2/alerts", content=b"x")

    play(story, route_prefix="/am", metrics=counted)
    assert counted.done == [
        ("/api/v2/silence/{silenceID}", "get", 404, 0),
        ("/api/v2/alerts", "get", 200, 3),
        ("/api/v2/unknown", "get", 404, len('{"code":404,"message":"path /api/v2/random-1 was not found"}')),
        ("/unknown", "get", 404, 19),
        ("/unknown", "get", 404, 19),
        ("/-/healthy", "get", 200, 2),
        ("/api/v2/alerts", "post", 415, counted.done[-1][3]),
    ]
    assert counted.in_flight == [1, 0] * 6


def test_gets_past_the_limit_are_refused() -> None:
    counted = Counted()

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        for number in range(600):  # so many that showing them takes more than one turn
            await http.post("/api/v2/alerts", json=[alert({"alertname": f"A{number}"})])
        answers = await asyncio.gather(*(http.get("/api/v2/alerts") for _ in range(3)))
        refused = [answer for answer in answers if answer.status_code == 503]
        assert len(refused) == counted.refused == 1
        assert refused[0].text == "Limit of concurrent GET requests reached (2), try again later.\n\n"
        assert refused[0].headers["x-content-type-options"] == "nosniff"
        assert max(counted.in_flight) == 2
        assert (await http.get("/api/v2/alerts")).status_code == 200

    play(story, limits=Limits(get_concurrency=2), metrics=counted)


def test_an_address_that_takes_all_places_of_gets_keeps_no_other_out() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        counted, go_on = Counted(), asyncio.Event()

        class Waiting(Site):
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                await go_on.wait()
                await super().__call__(scope, receive, send)

        site = Waiting(
            node, route_prefix="/", limits=Limits(), mode=ParserMode.FALLBACK, statistics=AnswerStatistics()
        )
        gate = Gate(site, Limits(get_concurrency=4), counted)

        async def asked(host: str, count: int) -> list[asyncio.Task[int]]:
            transport = httpx.ASGITransport(gate, client=(host, 1))
            client = httpx.AsyncClient(transport=transport, base_url="http://node")

            async def one() -> int:
                return (await client.get("/-/healthy")).status_code

            begun = [asyncio.create_task(one()) for _ in range(count)]
            for _ in range(20):
                await asyncio.sleep(0)
            return begun

        addresses = ["192.0.2.1", "192.0.2.2", *[f"2001:db8:0:{number}::1" for number in range(4)]]
        begun = [await asked(address, 5) for address in addresses]
        assert max(counted.in_flight) == 2 * 4 + 2
        go_on.set()
        answers = [await asyncio.gather(*each) for each in begun]
        # A half for the second, a third part for the next, one place for each after it until there are eight;
        # then one of each that has none.
        assert [each.count(200) for each in answers] == [4, 2, 1, 1, 1, 1]
        again = await asyncio.gather(*await asked("192.0.2.1", 4))
        assert again == [200] * 4, "nobody has kept a place"

    play(story)


def test_of_the_addresses_that_wait_who_had_a_place_longest_ago_is_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places_module, "NEWCOMERS", 0)
    monkeypatch.setattr(places_module, "SLOW", 3600.0)
    monkeypatch.setattr(places_module, "MAX_WAITING", 3)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        go_on = asyncio.Semaphore(0)
        served: list[str] = []

        class Waiting(Site):
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                served.append(scope["client"][0])
                await go_on.acquire()
                await super().__call__(scope, receive, send)

        site = Waiting(
            node, route_prefix="/", limits=Limits(), mode=ParserMode.FALLBACK, statistics=AnswerStatistics()
        )
        gate = Gate(site, Limits(get_concurrency=1), Counted())

        async def ask(host: str) -> int:
            transport = httpx.ASGITransport(gate, client=(host, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return (await client.get("/-/healthy")).status_code

        go_on.release()
        assert await ask("known") == 200
        begun = []
        for host in ("a", "b", "c", "d", "known", "too many"):
            begun.append(asyncio.create_task(ask(host)))
            for _ in range(20):
                await asyncio.sleep(0)
        assert served == ["known", "a", "b"]
        begun[2].cancel()  # c leaves.
        assert await begun[5] == 503
        for _ in range(5):
            go_on.release()
        answers = await asyncio.gather(*begun, return_exceptions=True)
        assert [each for each in answers if isinstance(each, int)] == [200, 200, 200, 200, 503]
        assert served == ["known", "a", "b", "known", "d"]

    play(story)


def test_a_slow_get_is_refused_in_favour_of_an_address_that_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places_module, "NEWCOMERS", 0)
    monkeypatch.setattr(places_module, "SLOW", 0.0)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        counted, go_on = Counted(), asyncio.Event()

        class Waiting(Site):
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                if scope["client"][0] != "late":
                    await go_on.wait()
                await super().__call__(scope, receive, send)

        site = Waiting(
            node, route_prefix="/", limits=Limits(), mode=ParserMode.FALLBACK, statistics=AnswerStatistics()
        )
        gate = Gate(site, Limits(get_concurrency=1), counted)

        async def ask(host: str) -> int:
            transport = httpx.ASGITransport(gate, client=(host, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return (await client.get("/-/healthy")).status_code

        begun = []
        for host in ("a", "b"):
            begun.append(asyncio.create_task(ask(host)))
            for _ in range(20):
                await asyncio.sleep(0)
        assert await ask("late") == 200
        assert await begun[1] == 503
        go_on.set()
        assert await begun[0] == 200
        assert (counted.refused, counted.in_flight[-1]) == (1, 0)

    play(story)


def test_a_request_past_the_time_limit_is_answered_with_503() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.post("/api/v2/silences", json=_silence())
        assert answer.status_code == 503
        assert answer.text == "Exceeded configured timeout of 20ms.\n"
        assert len(node.silences) == 0
        assert (await http.get("/api/v2/silences")).json() == []

    play(story, SlowNode(), limits=Limits(timeout=SECOND // 50))


def test_an_unexpected_error_is_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(LoneNode):
        async def set_silence(self, silence: Silence) -> str:
            raise RuntimeError("secret detail")

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.post("/api/v2/silences", json=_silence())
        assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")

    play(story, Broken())
    assert "secret detail" in caplog.text


def test_a_store_that_was_closed_at_the_shutdown_is_no_bug() -> None:
    class Closed(LoneNode):
        async def set_silence(self, silence: Silence) -> str:
            raise ClosedError("the journal is closed")

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.post("/api/v2/silences", json=_silence())
        assert (answer.status_code, answer.json()) == (503, "the journal is closed")

    play(story, Closed())


def test_received_alerts_are_counted() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        body = [alert(), alert({"": "x"}), alert({"alertname": "B"}, endsAt="2026-01-01T00:00:00Z")]
        assert (await http.post("/api/v2/alerts", json=body)).status_code == 400
        assert node.received == {"firing": 2, "resolved": 1, "invalid": 1}
        assert len(node.alerts) == 2

    play(story)


def test_of_many_problems_the_first_thousand_are_told() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        answer = await http.post("/api/v2/alerts", json=[alert({})] * 1500)
        assert answer.json().count("\n") == 999
        assert node.received["invalid"] == 1500

    play(story)


def test_a_silence_with_several_matcher_sets_shows_its_first() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        now = node.now()
        sets = tuple((Matcher(MatchType.EQUAL, name, "x"),) for name in ("a", "b"))
        await node.set_silence(Silence("", sets, now, now + SECOND * 60))
        [shown] = (await http.get("/api/v2/silences")).json()
        assert [one["name"] for one in shown["matchers"]] == ["a"]

    play(story)


def test_an_offset_is_shown_as_utc() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await http.post("/api/v2/alerts", json=[alert(startsAt="2026-01-01T02:00:00.1+02:00")])
        [shown] = (await http.get("/api/v2/alerts")).json()
        assert shown["startsAt"] == "2026-01-01T00:00:00.100Z"

    play(story)


def test_a_changed_alert_is_shown_as_it_is_now() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        for value in ("1", "2", "2"):
            await http.post("/api/v2/alerts", json=[alert(annotations={"value": value})])
            [shown] = (await http.get("/api/v2/alerts")).json()
            assert shown["annotations"] == {"value": value}
        created = await http.post("/api/v2/silences", json={**_silence(), "matchers": [matcher()]})
        [shown] = (await http.get("/api/v2/alerts")).json()
        assert shown["status"]["silencedBy"] == [created.json()["silenceID"]]
        await http.delete(f"/api/v2/silence/{created.json()['silenceID']}")
        [muted] = (await http.get("/api/v2/silences")).json()
        assert muted["status"] == {"state": "expired"}

    play(story)


def test_two_routes_to_one_receiver_give_it_twice_in_the_groups_and_once_in_the_list() -> None:
    """As Alertmanager does: once for each group that has the alert."""
    wide, narrow = (RouteConfig(receiver="one", group_by=by, continue_=True) for by in ((), ("alertname",)))
    top = RouteConfig(receiver="top", group_by=("alertname",), routes=(wide, narrow))
    config = AlertmanagerConfig(
        route=build_route(top), receivers=(ReceiverConfig.of("one"), ReceiverConfig.of("top"))
    )

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        await http.post("/api/v2/alerts", json=[alert()])
        groups = (await http.get("/api/v2/alerts/groups")).json()
        assert [group["receiver"] for group in groups] == [{"name": "one"}, {"name": "one"}]
        for group in groups:
            [shown] = group["alerts"]
            assert shown["receivers"] == [{"name": "one"}, {"name": "one"}]
        [shown] = (await http.get("/api/v2/alerts")).json()
        assert shown["receivers"] == [{"name": "one"}, {"name": "one"}]

    play(story, LoneNode(config))


def test_thousands_of_alerts_do_not_hold_the_loop() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        body = json.dumps([alert({"alertname": "A", "instance": str(i)}) for i in range(5000)])
        headers = {"Content-Type": "application/json"}
        other = asyncio.create_task(count())
        await asyncio.sleep(0)
        for method, path in (
            ("POST", "/api/v2/alerts"),
            ("GET", "/api/v2/alerts"),
            ("GET", "/api/v2/alerts/groups"),
        ):
            before = turns
            answer = await http.request(
                method, path, content=body if method == "POST" else None, headers=headers
            )
            assert answer.status_code == 200
            assert turns - before > 15  # at least one turn for each few hundred
        other.cancel()

    play(story)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/alerts?{filters}",
        "/api/v2/alerts/groups?{filters}",
        "/api/v2/alerts?{receivers}",
        "/api/v2/receivers?{receivers}",
    ],
)
def test_many_filters_of_one_alert_or_receiver_do_not_hold_the_loop(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may cost milliseconds, by patterns that somebody made slow."""
    for module in (alerts, general):
        monkeypatch.setattr(module, "SHOW_SLICE", 1)
    query = {
        "filters": "&".join(["filter=alertname=~A.*"] * 200),
        "receivers": "&".join(["receiver_matchers=owner=~w.*"] * 200),
    }

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        await http.post("/api/v2/alerts", json=[alert({"alertname": "A", "team": "y"})])
        waiting = asyncio.create_task(others())
        answer = await http.get(path.format(**query))
        waiting.cancel()
        assert answer.json()
        assert turns > 200

    play(story)


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("/api/v2/status", "/api/v2/status"),
        ("//api/v2/status", "/api/v2/status"),
        ("/api//v2/./x/../status", "/api/v2/status"),
        ("/../../metrics", "/metrics"),
        ("/%2e%2E/metrics", "/metrics"),
        ("/api/v2/status/", "/api/v2/status/"),
        ("/a/b/..", "/a/"),
        ("/..", "/"),
        ("/", "/"),
        ("/a%2fb//c", "/a%2fb/c"),
        ("/.well-known/x", "/.well-known/x"),
    ],
)
def test_a_path_is_cleaned_as_gos_router_cleans_it(path: str, cleaned: str) -> None:
    assert clean_path(path) == cleaned
    assert clean_path(cleaned) == cleaned


@pytest.mark.parametrize("prefix", ["/", "/am"])
def test_a_cleaned_path_is_served_at_once_bodies_included(prefix: str) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        at = prefix.rstrip("/")
        for path in (
            "//api/v2//status",
            "/api/v2/./status",
            "/-/healthy/",
            "/-/Ready",
            "/metrics/",
            "//metrics",
        ):
            assert (await http.get(f"http://node{at}{path}")).status_code == 200, path
        posted = await http.post(f"http://node{at}//api/v2/alerts/", json=[alert()])
        assert posted.status_code == 200
        assert len(node.alerts) == 1

    play(story, route_prefix=prefix)


def test_silences_are_left_out_by_their_state() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        now = node.now()
        for starts, ends in ((-60, 60), (60, 120)):
            moments = {
                "startsAt": format_milliseconds(now + starts * SECOND),
                "endsAt": format_milliseconds(now + ends * SECOND),
            }
            assert (await http.post("/api/v2/silences", json={**_silence(), **moments})).status_code == 200
        gone = (await http.post("/api/v2/silences", json=_silence())).json()["silenceID"]
        await http.delete(f"/api/v2/silence/{gone}")

        async def states(query: str) -> list[str]:
            return [one["status"]["state"] for one in (await http.get(f"/api/v2/silences?{query}")).json()]

        assert await states("") == ["active", "pending", "expired"]
        assert await states("expired=false") == ["active", "pending"]
        assert await states("active=false&pending=false") == ["expired"]
        assert await states("expired=0&active=1&pending=no") == ["active"]

    play(story)


@pytest.mark.parametrize(
    ("accept", "compressed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("identity", False), ("", False)],
)
def test_metrics_are_compressed_on_request(accept: str, compressed: bool) -> None:
    async def story(http: httpx.AsyncClient, _node: LoneNode) -> None:
        answer = await http.get("/metrics", headers={"Accept-Encoding": accept})
        assert (answer.headers.get("content-encoding") == "gzip") == compressed
        assert answer.status_code == 200

    play(story)


@pytest.mark.parametrize(
    "path", ["/api/v2/alerts", "/api/v2/alerts/groups", "/api/tocsin/v1/facets?values=1000"]
)
def test_large_answers_are_compressed_for_who_asks_and_for_nobody_else(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the event loop, a few at a time."""
    threads: list[int] = []
    compress = zlib.compress

    def compressing(body: bytes, level: int, bits: int) -> bytes:
        threads.append(threading.get_ident())
        return compress(body, level, bits)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        async def get(encoding: str) -> httpx.Response:
            return await http.get(path, headers={"Accept-Encoding": encoding})

        assert "content-encoding" not in (await get("gzip")).headers, "it is small"
        many = [alert({"alertname": "A", "instance": f"{number}"}) for number in range(1000)]
        await http.post("/api/v2/alerts", json=many)
        monkeypatch.setattr("tocsin.node.api.zipping.zlib.compress", compressing)
        plain, zipped = await get("identity"), await get("br, gzip")
        assert "content-encoding" not in plain.headers
        assert zipped.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in zipped.headers["vary"]
        assert zipped.content == plain.content
        assert int(zipped.headers["content-length"]) < int(plain.headers["content-length"]) / 4
        assert len(threads) == 1
        assert threading.get_ident() not in threads

    play(story)


def test_answers_are_compressed_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way: list[int] = []
    go_on = threading.Event()

    def compressing(body: bytes, *_: int) -> bytes:
        under_way.append(1)
        go_on.wait(30)
        return body

    monkeypatch.setattr("tocsin.node.api.zipping.zlib.compress", compressing)

    async def story() -> None:
        zipping = Zipping(AnswerStatistics())
        tasks = [asyncio.create_task(zipping.compressed(b"x")) for _ in range(6)]
        await eventually(lambda: len(under_way) >= AT_ONCE)
        await asyncio.gather(*[asyncio.to_thread(int) for _ in range(3)])  # others come to their turn
        assert len(under_way) == AT_ONCE
        go_on.set()
        assert len(await asyncio.gather(*tasks)) == 6

    asyncio.run(story())


def test_who_asked_and_is_gone_leaves_its_thread_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, go_on = [], threading.Event()

    def compressing(body: bytes, *_: int) -> bytes:
        under_way.append(1)
        go_on.wait(30)
        return body

    monkeypatch.setattr("tocsin.node.api.zipping.zlib.compress", compressing)

    async def story() -> None:
        zipping = Zipping(AnswerStatistics())
        gone = [asyncio.create_task(zipping.compressed(b"x")) for _ in range(AT_ONCE)]
        await eventually(lambda: len(under_way) == AT_ONCE)
        for task in gone:
            task.cancel()
        later = asyncio.create_task(zipping.compressed(b"y"))
        await asyncio.gather(*[asyncio.to_thread(int) for _ in range(3)])  # others come to their turn
        assert len(under_way) == AT_ONCE
        go_on.set()
        assert await later == b"y"

    asyncio.run(story())
