"""Clients of HTTP/1.0 know no chunks: an answer without a length ends where their connection does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tests.support.httpserver import Client, serving, until
from tocsin.node.api.lists import LongAnswers
from tocsin.node.api.statistics import AnswerStatistics

SIZE = 10_000


class LongList:
    """Answers with a list of ``count`` numbers, each of ten kilobytes."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.statistics = AnswerStatistics()
        self.made = 0
        self._answers = LongAnswers(self.statistics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await (await self._answers.of(request, self._pieces()))(scope, receive, send)

    async def _pieces(self) -> AsyncIterator[bytes]:
        for number in range(self.count):
            self.made += 1
            await asyncio.sleep(0)
            yield b"%0*d" % (SIZE, number) if not number else b",%0*d" % (SIZE, number)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_client_of_http_1_0_gets_a_long_list_until_its_connection_is_closed(method: bytes) -> None:
    async def story() -> None:
        app = LongList(300)
        async with serving(app) as server:
            client = await Client.connect(server)
            client.send(method + b" /api/v2/alerts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            head, _, body = (await client.rest()).partition(b"\r\n\r\n")
        assert b"\r\nconnection: close" in head.lower()
        assert b"transfer-encoding" not in head.lower()
        expected = b"[" + b",".join(b"%0*d" % (SIZE, number) for number in range(app.count)) + b"]\n"
        assert body == (expected if method == b"GET" else b"")

    asyncio.run(story())


def test_no_more_of_it_is_made_than_such_a_client_takes() -> None:
    async def story() -> None:
        app = LongList(10_000)
        async with serving(app) as server:
            client = await Client.connect(server)
            client.send(b"GET /api/v2/alerts HTTP/1.0\r\n\r\n")
            await client.reader.readexactly(100)
            assert app.statistics.long == 1
            made = -1
            while made != app.made:  # until it waits for the client
                made = app.made
                await asyncio.sleep(0.1)
            assert made < app.count
            client.close()
            await until(lambda: app.statistics.long == 0)

    asyncio.run(story())
