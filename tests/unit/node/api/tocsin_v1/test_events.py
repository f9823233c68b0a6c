"""``events``, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api_backend import LoneNode
from tests.support.api_requests import alert
from tests.support.httpserver import serving, until
from tests.support.openapi import PREFIX
from tocsin.alerting.timestamp import SECOND
from tocsin.models.events import Kind
from tocsin.node.api import ClusterStatus, Limits, create_app
from tocsin.node.api.people import PeopleRules
from tocsin.node.app import start
from tocsin.node.config.arguments import parse_flags
from tocsin.node.events import hub
from tocsin.node.events.ring import MAX_BYTES
from tocsin.node.http.bounds import HTTPBounds
from tocsin.node.prepared import prepare

Event = tuple[str, str, Any]
"""Id, kind, data."""
Story = Callable[[httpx.AsyncClient, LoneNode], Awaitable[None]]


class Listener:
    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Event:
        """The next event; comments are passed over."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(30):
            async for line in self._lines:
                if not line and "event" in fields:
                    return fields["id"], fields["event"], json.loads(fields["data"])
                name, _, value = line.partition(": ")
                fields[name] = value
        raise EOFError

    async def comes(self, kind: str) -> Event:
        """The next one of a kind."""
        while (event := await self.next())[1] != kind:
            pass
        return event


class NothingChanges:
    def watch_for(self, on: bool) -> None: ...

    def changes(self) -> Sequence[tuple[Kind, Sequence[str], int]]:
        return ()


@asynccontextmanager
async def listening(http: httpx.AsyncClient, **headers: str) -> AsyncIterator[Listener]:
    async with http.stream("GET", f"{PREFIX}/events", headers=headers) as answer:
        assert answer.status_code == 200
        yield Listener(answer)


def play(story: Story, **options: Any) -> None:
    async def run() -> None:
        node = LoneNode()
        async with serving(create_app(node, **options)) as server:
            host, port = server.addresses[0]
            base = f"http://{host}:{port}"
            async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as http:
                await story(http, node)
                node.tocsin.events.close()

    asyncio.run(run())


def test_what_changes_is_told_and_told_again_to_who_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.01)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        async with listening(http) as listener:
            assert listener.answer.headers["content-type"].startswith("text/event-stream")
            first, kind, told = await listener.next()
            assert (kind, told["kind"], told["ids"], told["more"]) == ("hello", "hello", [], 0)
            assert set(told) == {"kind", "at", "ids", "more"}
            await http.post("/api/v2/alerts", json=[alert()])
            [stored] = node.alerts.all()
            _, _, told = await listener.comes("alerts")
            assert told["ids"] == [stored.labels.fingerprint_text]
            await http.post("/api/v2/alerts", json=[alert()])  # again, which is not a change
            node.cluster = ClusterStatus("ready", "n1")
            last, kind, told = await listener.next()
            assert (kind, told["ids"], told["more"]) == ("cluster", [], 0)
        async with listening(http, **{"Last-Event-ID": first}) as listener:
            assert [(await listener.next())[1] for _ in range(3)] == ["hello", "alerts", "cluster"]
        async with listening(http, **{"Last-Event-ID": last}) as listener:
            node.cluster = ClusterStatus("settling", "n1")
            assert [(await listener.next())[1] for _ in range(2)] == ["hello", "cluster"]
        async with listening(http, **{"Last-Event-ID": "another-3"}) as listener:
            _, kind, told = await listener.next()
            assert (kind, told["kind"]) == ("reset", "reset")
        assert node.tocsin.events.statistics.resets == 1

    # Streams take none of the places for GETs, and no time limit ends them.
    play(story, limits=Limits(get_concurrency=1, timeout=SECOND))


def test_whoever_is_too_slow_hears_that_something_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.01)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        events = node.tocsin.events
        listener = events.listen("")
        assert b"event: hello" in await listener.next()
        for number in range(1100):  # more than are kept
            events._ring.append("alerts", b"%d" % number)
        assert b"event: reset" in await listener.next()
        events._ring.append("alerts", b"new")
        assert (await listener.next()).count(b"event: ") == 1
        listener.close()

    play(story)


def test_streams_are_bounded_and_places_become_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HEARTBEAT", 0.05)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        statistics = node.tocsin.events.statistics
        async with listening(http), listening(http), listening(http), listening(http):
            assert statistics.streams == 4
            refused = await http.get(f"{PREFIX}/events")
            assert (refused.status_code, refused.json()["error"]) == (503, "unavailable")
        async with asyncio.timeout(30):
            while statistics.streams:  # noqa: ASYNC110 - what ends is on the other side
                await asyncio.sleep(0.01)
        async with listening(http) as listener:
            assert (await listener.next())[1] == "hello"
        assert statistics.streams_refused == 1

    play(story)


def test_nobody_takes_all_streams() -> None:
    """Half of them are for one address, an eighth for one user."""

    async def main() -> None:
        events = hub.EventHub(NothingChanges(), lambda: "", max_streams=8)
        held = [events.listen("", address=f"2001:db8::{number}") for number in range(4)]
        with pytest.raises(hub.TooManyStreamsError):
            events.listen("", address="2001:db8::9")  # of the same /64
        held += [
            events.listen("", address="2001:db8:1::1"),
            events.listen("", user="ann", address="2001:db8::1"),
        ]
        with pytest.raises(hub.TooManyStreamsError):
            events.listen("", user="ann", address="192.0.2.1")
        held += [events.listen("", user="bob"), events.listen("", user="eve")]
        with pytest.raises(hub.TooManyStreamsError):
            events.listen("", user="all are taken")
        for each in held:
            each.close()
            each.close()
        held = [events.listen("", address="2001:db8::1"), events.listen("", user="ann")]
        assert (events.statistics.streams, events.statistics.streams_refused) == (2, 3)
        events.close()

    asyncio.run(main())


@pytest.mark.parametrize("most", [0, 1, 20])
def test_how_many_streams_there_may_be_is_a_flag(most: int, tmp_path: Path) -> None:
    """Behind a proxy all have its address."""

    async def main() -> None:
        file = tmp_path / "alertmanager.yml"
        file.write_text("route: {receiver: r}\nreceivers: [{name: r}]\n")
        flags = [f"--web.max-event-streams={most}", f"--storage.path={tmp_path}", f"--config.file={file}"]
        alone = ["--cluster.listen-address=", "--web.listen-address=127.0.0.1:0"]
        node = await start(prepare(parse_flags([*flags, *alone])))
        events = node.tocsin.events
        for _ in range((most + 1) // 2):
            events.listen("", address="192.0.2.1")
        with pytest.raises(hub.TooManyStreamsError):
            events.listen("", address="192.0.2.1")
        await node.stop()

    asyncio.run(main())


def test_a_user_is_known_by_the_proxys_header_and_has_streams_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        asked: list[dict[str, str]] = []
        listen = node.tocsin.events.listen

        def noted(last: str, **who: str) -> hub.Listener:
            asked.append(who)
            return listen(last, **who)

        monkeypatch.setattr(node.tocsin.events, "listen", noted)
        async with listening(http, **{"X-User": "ann"}), listening(http):
            assert asked == [{"user": name, "address": "127.0.0.1"} for name in ("ann", "")]

    play(story, limits=Limits(people=PeopleRules(creator_from="header:X-User")))


def test_whoever_takes_nothing_loses_the_connection_and_costs_no_memory() -> None:
    async def main() -> None:
        node = LoneNode()
        async with serving(create_app(node), HTTPBounds(answer_window=0.2)) as server:
            with socket.create_connection(server.addresses[0]) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.sendall(f"GET {PREFIX}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                events = node.tocsin.events
                async with asyncio.timeout(60):
                    while not server.statistics.connections_closed["answer"]:
                        events._ring.append("alerts", b"x" * 50_000)
                        events._wake()
                        await asyncio.sleep(0.005)
                        assert events._ring._bytes <= MAX_BYTES
                    await until(lambda: events.statistics.streams == 0)
            events.close()

    asyncio.run(main())


def test_a_stop_ends_streams_at_once() -> None:
    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        async with listening(http) as listener:
            assert (await listener.next())[1] == "hello"
            node.tocsin.events.close()
            with pytest.raises(EOFError):
                await listener.next()
        assert (await http.get(f"{PREFIX}/events")).status_code == 503

    play(story)


def test_after_a_while_without_listeners_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "CHECK_INTERVAL", 0.01)
    monkeypatch.setattr(hub, "KEPT", 0.02)

    async def story(http: httpx.AsyncClient, node: LoneNode) -> None:
        async with listening(http) as listener:
            first, _, _ = await listener.next()
            assert node.alerts.touched.on
        async with asyncio.timeout(30):
            while node.alerts.touched.on:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        async with listening(http, **{"Last-Event-ID": first}) as listener:
            assert (await listener.next())[1] == "reset"

    play(story)
