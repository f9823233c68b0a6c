"""A server that stalls, drips, floods or never ends costs its own attempt, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.httpreceiver import client, redirect, run, served, server_tls
from tests.support.httpserver import until
from tocsin.config.httpclient import HTTPClientConfig, TLSClientConfig
from tocsin.notify.integrations import http as module
from tocsin.notify.integrations.base import Answer, NotifyError
from tocsin.notify.integrations.connections import MAX_CONNECTIONS
from tocsin.notify.integrations.exchanges import Exchanges
from tocsin.notify.integrations.http import MAX_PIECES, HTTPClient
from tocsin.notify.integrations.statistics import ClientStatistics

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """Behaves as told, and knows when the other side has gone."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.open = 0
        self.most = 0
        self.begun: asyncio.Queue[None] = asyncio.Queue()
        self.gone: asyncio.Queue[None] = asyncio.Queue()
        self.port = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.open += 1
        self.most = max(self.most, self.open)
        self.begun.put_nowait(None)
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            await self.behaviour(reader, writer)
            while await reader.read(65536):
                pass
        self.open -= 1
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        self.gone.put_nowait(None)


@asynccontextmanager
async def behaving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(behaviour)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        if server.tasks:
            await asyncio.wait(server.tasks)


async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes everything and says nothing."""


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD)
    while True:
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD)
    while True:
        writer.write(b"1\r\nx\r\n" * 10_000)
        await writer.drain()


async def heads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: and more\r\n" * 1000)
        await writer.drain()


async def _given_up(http: HTTPClient, server: Server, url: str) -> None:
    """Cancel a request whose connection is there; then it is no more."""
    attempt = asyncio.create_task(http.post(url, b"{}"))
    await server.begun.get()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    await server.gone.get()


def through(server: Server) -> HTTPClientConfig:
    return HTTPClientConfig(proxy_url=f"http://127.0.0.1:{server.port}")


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_stalls_keeps_no_connection(scheme: str, proxied: bool) -> None:
    """Over https it is the handshake that stalls."""

    async def story() -> None:
        async with behaving(silent) as server:
            address = f"127.0.0.1:{server.port}"
            async with client(through(server) if proxied else None) as http:
                url = f"{scheme}://receiver.invalid/" if proxied else f"{scheme}://{address}/"
                for _ in range(3):
                    await _given_up(http, server, url)
                assert server.open == 0

    run(story)


def test_a_handshake_that_stalls_within_a_tunnel_keeps_no_connection() -> None:
    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.readexactly(1)
        shaking.put_nowait(None)

    shaking: asyncio.Queue[None] = asyncio.Queue()

    async def story() -> None:
        async with behaving(tunnel) as server, client(through(server)) as http:
            for _ in range(3):
                attempt = asyncio.create_task(http.post("https://receiver.invalid/", b"{}"))
                await shaking.get()
                attempt.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await attempt
                await server.gone.get()
            assert server.open == 0

    run(story)


def test_what_was_taken_is_no_failure_because_the_answer_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_SECONDS", 0.1)

    async def story() -> None:
        statistics = ClientStatistics()
        async with behaving(drips) as server, client(statistics=statistics) as http:
            answer = await http.post(f"http://127.0.0.1:{server.port}/", b"{}")
            assert answer.status == 200
            assert statistics.bounds_reached["answer_time"] == 1
            await server.gone.get()

    run(story)


def test_an_answer_without_end_is_cut_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_SECONDS", 3600)

    async def story() -> None:
        statistics = ClientStatistics()
        async with behaving(floods) as server, served() as near, client(statistics=statistics) as http:
            answer, other = await asyncio.gather(
                http.post(f"http://127.0.0.1:{server.port}/", b"{}"), http.get(f"{near.url}/a")
            )
            assert answer.status == 200
            assert MAX_PIECES <= len(answer.body) <= MAX_PIECES + 1
            assert other.body == b"ok"
            assert statistics.bounds_reached["answer_pieces"] == 1
            await server.gone.get()

    run(story)


def test_a_head_without_end_fails_the_attempt() -> None:
    async def story() -> None:
        async with behaving(heads) as server, client() as http:
            with pytest.raises(NotifyError) as caught:
                await http.post(f"http://127.0.0.1:{server.port}/", b"{}")
            assert caught.value.retry
            await server.gone.get()

    run(story)


def test_interim_answers_without_end_end_the_attempt() -> None:
    async def interim(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
            await writer.drain()

    async def story() -> None:
        statistics = ClientStatistics()
        async with behaving(interim) as server, client(statistics=statistics) as http:
            with pytest.raises(NotifyError, match="interim answers without end") as caught:
                await http.post(f"http://127.0.0.1:{server.port}/", b"{}")
            assert caught.value.retry
            assert statistics.bounds_reached["answer_head"] == 1
            await server.gone.get()

    run(story)


def test_one_integration_has_so_many_requests_at_a_time() -> None:
    free = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n{}")
            await free.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def story() -> None:
        statistics = ClientStatistics()
        more = 10
        async with behaving(waits) as server, client(statistics=statistics) as http:
            url = f"http://127.0.0.1:{server.port}/"
            attempts = [asyncio.create_task(http.post(url, b"{}")) for _ in range(MAX_CONNECTIONS + more)]
            for _ in range(MAX_CONNECTIONS):
                await server.begun.get()
            await until(lambda: statistics.bounds_reached["requests"] >= more)  # They begin one by one.
            free.set()
            assert [answer.status for answer in await asyncio.gather(*attempts)] == [200] * len(attempts)
            assert server.most == MAX_CONNECTIONS
            assert statistics.bounds_reached["requests"] == more

    run(story)


def test_requests_that_waited_for_the_library_begin_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in an iteration of the event loop of its own: hundreds may have waited."""
    release = threading.Event()
    load = module._load_exchanges
    together: list[int] = []
    iteration = [0]

    def slowly() -> Any:
        release.wait()
        return load()

    async def count() -> None:
        while True:
            await asyncio.sleep(0)
            iteration[0] += 1

    async def exchange(self: Exchanges, step: object, sent: object) -> Answer:
        together.append(iteration[0])
        return Answer(200, {}, b"")

    async def story() -> None:
        async with client() as http:
            posts = [asyncio.create_task(http.post("http://127.0.0.1:1/", b"{}")) for _ in range(20)]
            await asyncio.sleep(0)
            counter = asyncio.create_task(count())
            release.set()
            await asyncio.gather(*posts)
            counter.cancel()

    monkeypatch.setattr(module, "_load_exchanges", slowly)
    monkeypatch.setattr(Exchanges, "exchange", exchange)
    run(story)
    assert len(together) == len(set(together)) == 20


def test_a_circle_of_redirects_is_counted() -> None:
    async def story() -> None:
        statistics = ClientStatistics()
        async with served(a=redirect(302, "/a")) as server, client(statistics=statistics) as http:
            with pytest.raises(NotifyError):
                await http.post(f"{server.url}/a", b"{}")
        assert statistics.bounds_reached["redirects"] == 1

    run(story)


def test_a_closed_client_lets_what_is_under_way_end_and_sends_no_more(tmp_path: Path) -> None:
    authority = CertificateAuthority()

    async def story() -> None:
        config = HTTPClientConfig(tls_config=TLSClientConfig(ca=authority.certificate.decode()))
        async with behaving(silent, server_tls(authority, tmp_path)) as server:
            http = HTTPClient(config)
            attempt = asyncio.create_task(http.post(f"https://127.0.0.1:{server.port}/", b"{}"))
            await server.begun.get()
            await http.close()
            with pytest.raises(NotifyError, match="replaced meanwhile"):
                await http.post(f"https://127.0.0.1:{server.port}/", b"{}")
            attempt.cancel()
            with suppress(asyncio.CancelledError):
                await attempt
            await server.gone.get()

    run(story)
