"""Long answers are made while the client takes them: a list of a hundred megabytes is never held."""

from __future__ import annotations

import asyncio
import tracemalloc
import zlib
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from tests.support.api_backend import LoneNode
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.silence import Silence
from tocsin.alerting.steps import finish
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node.api import Limits, create_app, lists
from tocsin.node.api.lists import AT_ONCE, CHUNK, LONG, LongAnswers
from tocsin.node.api.statistics import AnswerStatistics
from tocsin.node.api.zipping import Zipping
from tocsin.node.clock import Clock

Message = MutableMapping[str, Any]


def request(encoding: str = "", host: str = "127.0.0.1") -> Request:
    headers = [(b"accept-encoding", encoding.encode())]
    return Request({"type": "http", "http_version": "1.1", "headers": headers, "client": (host, 1)})


class Pieces:
    """A list of numbers, and how many of them were asked for."""

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.size = size
        self.taken = 0

    async def all(self) -> AsyncIterator[bytes]:
        for number in range(self.count):
            self.taken += 1
            yield (b"," if number else b"") + b"%0*d" % (self.size, number)

    def expected(self) -> bytes:
        return b"[" + b",".join(b"%0*d" % (self.size, number) for number in range(self.count)) + b"]\n"


class Client:
    """Takes an answer; ``stop_after`` that many bytes it takes no more."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.body = b""
        self.headers: dict[bytes, bytes] = {}
        self.whole = False
        self.largest = 0
        self.gone = asyncio.Event()
        self.stopped = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
            return
        self.body += message.get("body", b"")
        self.largest = max(self.largest, len(message.get("body", b"")))
        self.whole = not message.get("more_body", False)
        if self.stop_after is not None and len(self.body) > self.stop_after:
            self.stopped.set()
            await asyncio.Event().wait()

    async def take(self, answer: Response) -> None:
        await answer({"type": "http"}, self.receive, self.send)


class Resuming(Client):
    """Stops for a while."""

    def __init__(self, stop_after: int) -> None:
        super().__init__()
        self.pause_after = stop_after
        self.resumed = asyncio.Event()

    async def send(self, message: Message) -> None:
        await super().send(message)
        if len(self.body) > self.pause_after:
            self.stopped.set()
            await self.resumed.wait()


class Ahead(Clock):
    """Of the machine's, by some seconds."""

    seconds = 0

    def now(self) -> Nanoseconds:
        return super().now() + self.seconds * SECOND


def test_a_short_list_is_an_answer_with_its_length() -> None:
    async def story() -> None:
        pieces = Pieces(10, 5)
        answer = await LongAnswers(AnswerStatistics()).of(request(), pieces.all())
        assert answer.body == pieces.expected()
        assert int(answer.headers["content-length"]) == len(pieces.expected())

    asyncio.run(story())


def test_a_long_list_comes_in_pieces_and_no_more_of_it_is_made_than_is_taken() -> None:
    async def story() -> None:
        statistics = AnswerStatistics()
        pieces = Pieces(400, 10_000)
        answer = await LongAnswers(statistics).of(request(), pieces.all())
        assert pieces.taken * 10_000 < LONG + 20_000
        assert "content-length" not in answer.headers
        slow = Client(stop_after=LONG)
        taking = asyncio.create_task(slow.take(answer))
        await slow.stopped.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert pieces.taken * 10_000 < LONG + 2 * CHUNK + 20_000
        assert statistics.long == 1
        slow.gone.set()
        await taking
        assert statistics.long == 0, "the client has left"

    asyncio.run(story())


def test_clients_of_one_address_give_way_to_others_at_once() -> None:
    async def story() -> None:
        statistics = AnswerStatistics()
        answers = LongAnswers(statistics)
        slow = [Client(stop_after=0) for _ in range(AT_ONCE)]
        taking = [
            asyncio.create_task(each.take(await answers.of(request(), Pieces(400, 10_000).all())))
            for each in slow
        ]
        for _ in range(3):
            client = Client()
            await client.take(await answers.of(request(host="127.0.0.2"), Pieces(400, 10_000).all()))
            assert client.whole
        assert (statistics.long_refused, statistics.long_ended) == (0, 1)
        for each in slow:
            each.gone.set()
        await asyncio.gather(*taking)

    asyncio.run(story())


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_it_is_the_same_list(encoding: str) -> None:
    async def story() -> None:
        pieces = Pieces(400, 10_000)
        statistics = AnswerStatistics()
        asked = request(encoding=encoding)
        answer = await LongAnswers(statistics).of(asked, pieces.all())
        answer = await Zipping(statistics).of(asked, answer)
        client = Client()
        await client.take(answer)
        assert client.whole
        assert client.largest < 2 * CHUNK
        body = zlib.decompress(client.body, 31) if encoding else client.body
        assert client.headers.get(b"content-encoding", b"").decode() == encoding
        assert body == pieces.expected()

    asyncio.run(story())


def test_clients_that_take_nothing_give_way_to_another_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    time = 0.0
    monkeypatch.setattr(lists, "monotonic", lambda: time)

    async def story() -> None:
        nonlocal time
        statistics = AnswerStatistics()
        answers = LongAnswers(statistics)
        slow = [Client(stop_after=0) for _ in range(AT_ONCE)]
        taking = [
            asyncio.create_task(each.take(await answers.of(request(), Pieces(400, 10_000).all())))
            for each in slow
        ]
        assert statistics.long == AT_ONCE
        refused = await answers.of(request(), Pieces(400, 10_000).all())
        assert refused.status_code == 503
        assert statistics.long_refused == 1
        time = lists.SAFE + 1
        client = Client()
        await client.take(await answers.of(request(), Pieces(400, 10_000).all()))
        assert client.whole
        await taking[0]
        assert not slow[0].whole
        assert [each.done() for each in taking[1:]] == [False] * (AT_ONCE - 1)
        assert (statistics.long_ended, statistics.long) == (1, AT_ONCE - 1)
        for each in slow:
            each.gone.set()
        await asyncio.gather(*taking)

    asyncio.run(story())


def test_alerts_and_groups_that_very_many_silences_mute_name_all_of_them() -> None:
    """More than fit into an answer that is made at once, and more than are kept of a group's alert."""
    many = 800

    async def story() -> None:
        node = LoneNode()
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=create_app(node)), base_url="http://node")
        async with http:
            for number in range(many):
                silence = Silence(
                    "", (parse_matchers('a="b"'),), node.now(), node.now() + 10**12, comment=str(number)
                )
                await node.set_silence(silence)
            posted = [{"labels": {"a": "b", "number": str(number)}} for number in range(40)]
            assert (await http.post("/api/v2/alerts", json=posted)).status_code == 200
            ids = list(node.silences.mutes(Labels({"a": "b"}), node.now()))
            assert len(ids) == many
            answer = await http.get("/api/v2/alerts")
            assert len(answer.content) > LONG
            assert [each["status"]["silencedBy"] for each in answer.json()] == [ids] * 40
            answer = await http.get("/api/v2/alerts/groups")
            shown = [each for group in answer.json() for each in group["alerts"]]
            assert [each["status"]["silencedBy"] for each in shown] == [ids] * 40
            assert (await http.get("/api/v2/alerts?silenced=false")).json() == []
            assert (await http.get("/api/v2/alerts/groups?silenced=false")).json() == []

    asyncio.run(story())


def test_little_is_kept_of_groups_until_a_slow_client_takes_them() -> None:
    async def story() -> None:
        node = LoneNode()
        app = create_app(node)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://node") as http:
            for number in range(60):
                silence = Silence(
                    "", (parse_matchers('a="b"'),), node.now(), node.now() + 10**12, comment=str(number)
                )
                await node.set_silence(silence)
            posted = [{"labels": {"a": "b", "number": str(number)}} for number in range(3000)]
            assert (await http.post("/api/v2/alerts", json=posted)).status_code == 200
            path = "/api/v2/alerts/groups"
            expected = (await http.get(path)).content  # and what is shared is remembered now
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode()}
        scope |= {"query_string": b"", "headers": [], "http_version": "1.1"}
        slow = Client(stop_after=0)
        tracemalloc.start()
        try:
            asking = asyncio.ensure_future(app(scope, slow.receive, slow.send))
            await slow.stopped.wait()
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert held - LONG < 400 * len(posted), "60 ids of each take 600 bytes"
        slow.gone.set()
        await asking
        assert expected.count(b'"silencedBy":[') == len(posted)

    asyncio.run(story())


def test_a_client_that_takes_a_long_answer_slowly_takes_nobody_elses_place() -> None:
    async def story() -> None:
        node = LoneNode()
        app = create_app(node, limits=Limits(get_concurrency=1))
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://node")
        async with http:
            posted = [{"labels": {"number": str(number), "text": "x" * 3000}} for number in range(500)]
            assert (await http.post("/api/v2/alerts", json=posted)).status_code == 200
            slow = Client(stop_after=0)
            path = "/api/v2/alerts"
            scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode()}
            scope |= {"query_string": b"", "headers": [], "http_version": "1.1"}
            asking = asyncio.ensure_future(app(scope, slow.receive, slow.send))
            await slow.stopped.wait()
            assert (await http.get("/api/v2/receivers")).status_code == 200
            slow.gone.set()
            await asking

    asyncio.run(story())


def test_a_slow_client_is_answered_as_of_now_and_does_not_put_ended_silences_back_into_the_index() -> None:
    """An answer may be taken for minutes. A look-up as of its beginning would file all patterns anew that
    have ended since, in one go, each time that something else has let them rest."""

    async def story() -> None:
        node = LoneNode()
        node.clock = clock = Ahead()
        matchers = parse_matchers('number=~"4.*9|never"')
        await node.set_silence(Silence("", (matchers,), node.now(), node.now() + 60 * SECOND))
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=create_app(node)), base_url="http://node")
        async with http:
            posted = [{"labels": {"number": str(number), "text": "x" * 6000}} for number in range(500)]
            assert (await http.post("/api/v2/alerts", json=posted)).status_code == 200
        slow = Resuming(LONG)
        scope = {"type": "http", "method": "GET", "path": "/api/v2/alerts", "raw_path": b"/api/v2/alerts"}
        scope |= {"query_string": b"", "headers": [], "http_version": "1.1"}
        asking = asyncio.ensure_future(create_app(node)(scope, slow.receive, slow.send))
        await slow.stopped.wait()
        clock.seconds = 120
        finish(node.silences.letting_rest(node.now()))
        before = node.silences.version
        slow.resumed.set()
        await asking
        assert slow.whole
        assert node.silences.version == before

    asyncio.run(story())
