"""Connections that are kept: how many, for how long, and what the server does to them meanwhile."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import httpcore
import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.httpreceiver import client, run, served, server_tls
from tocsin.config.httpclient import HTTPClientConfig, TLSClientConfig
from tocsin.notify.integrations import reuse
from tocsin.notify.integrations.reuse import Reuse
from tocsin.notify.integrations.statistics import ClientStatistics

AUTHORITY = CertificateAuthority()
TRUSTING = TLSClientConfig(ca=AUTHORITY.certificate.decode())


@asynccontextmanager
async def _reusing(statistics: ClientStatistics | None = None, **more: float) -> AsyncIterator[Reuse]:
    pool = httpcore.AsyncConnectionPool(**more)  # type: ignore[arg-type]
    made = Reuse(pool.create_connection, statistics or ClientStatistics(), http2=False)
    try:
        yield made
    finally:
        await made.aclose()


async def _ask(connections: Reuse, url: str) -> None:
    async with connections.request(httpcore.Request("GET", f"{url}/", headers=[("Host", "far")])) as response:
        await response.aread()


def test_idle_connections_to_all_origins_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "MAX_IDLE", 2)

    statistics = ClientStatistics()

    async def story() -> None:
        async with (
            served() as one,
            served() as two,
            served() as three,
            served() as four,
            _reusing(statistics) as kept,
        ):
            for far in (one, two):
                await _ask(kept, far.url)
            assert not statistics.bounds_reached.total()
            for far in (three, four, one):
                await _ask(kept, far.url)
            assert statistics.bounds_reached["idle_connections"] == 2
            # The one that had waited longest made room, so its origin is reached anew.
            assert len(one.connections) == 2
            await asyncio.wait([min(one.connections, key=lambda each: not each.done())])
            assert [len(far.connections) for far in (two, three, four)] == [1, 1, 1]

    run(story)


def test_connections_that_nobody_uses_any_more_are_closed_in_time() -> None:
    async def story() -> None:
        async with served() as busy, served() as left, _reusing(keepalive_expiry=0) as kept:
            await _ask(kept, left.url)
            [connection] = left.connections
            while not connection.done():
                await _ask(kept, busy.url)
                await asyncio.sleep(0.001)

    run(story)


def test_those_of_many_requests_at_a_time_are_kept() -> None:
    async def story() -> None:
        async with served() as far, _reusing() as kept:
            await asyncio.gather(*[_ask(kept, far.url) for _ in range(8)])
            await asyncio.gather(*[_ask(kept, far.url) for _ in range(8)])
            assert len(far.connections) == 8

    run(story)


class _Closed(httpcore.AsyncConnectionInterface):
    """Another request has closed it meanwhile."""

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        raise httpcore.ConnectionNotAvailable

    async def aclose(self) -> None: ...

    def is_closed(self) -> bool:
        return True


def test_a_connection_that_was_closed_before_its_request_is_forgotten() -> None:
    async def story() -> None:
        pool = httpcore.AsyncConnectionPool()
        first: list[httpcore.AsyncConnectionInterface] = [_Closed()]
        made = Reuse(
            lambda origin: first.pop() if first else pool.create_connection(origin),
            ClientStatistics(),
            http2=True,
        )
        async with served() as far, aclosing(made):
            await _ask(made, far.url)
            assert not first
            assert len(made._all) == 1

    run(story)


class _Broken(_Closed):
    """Its answer cannot be ended."""

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        return httpcore.Response(200, content=_Endless(), extensions={"network_stream": None})


class _Kept(httpcore.AsyncConnectionInterface):
    """Its server may end it while it is idle."""

    def __init__(self) -> None:
        self.ended = self.closed = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        return httpcore.Response(200, extensions={"network_stream": None})

    async def aclose(self) -> None:
        self.closed = True

    def is_closed(self) -> bool:
        return self.closed

    def is_idle(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def has_expired(self) -> bool:
        return self.ended


def test_one_that_its_server_has_ended_is_closed_though_others_are_idle_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it is held half open for as long as those stay good."""
    monkeypatch.setattr(reuse, "LOOK_INTERVAL", 0)

    async def story() -> None:
        made: list[_Kept] = []

        def make(_origin: httpcore.Origin) -> _Kept:
            made.append(_Kept())
            return made[-1]

        async with aclosing(Reuse(make, ClientStatistics(), http2=False)) as kept:
            for number in range(8):
                await _ask(kept, f"http://far{number}")
            for each in made[3], made[6]:
                each.ended = True
            for _ in range(2 * 8 // reuse.LOOKED_AT):
                await _ask(kept, "http://busy")
            assert [each.closed for each in made] == [number in (3, 6) for number in range(8)] + [False]

    run(story)


class _Endless:
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""

    async def aclose(self) -> None:
        raise httpcore.ReadError("reset")


def test_a_connection_is_given_back_though_the_end_of_its_answer_fails() -> None:
    async def story() -> None:
        made = Reuse(lambda origin: _Broken(), ClientStatistics(), http2=True)
        with pytest.raises(httpcore.ReadError):
            await _ask(made, "https://127.0.0.1")
        assert not made._all
        assert not made._users

    run(story)


@pytest.mark.parametrize("farewell", [True, False])
def test_an_http2_connection_that_the_server_closed_fails_no_request(tmp_path: Path, farewell: bool) -> None:
    ended: list[asyncio.Future[None]] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request, and closes when told to."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ended.append(over)
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        answered = False
        while not answered and (data := await reader.read(65536)):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True)
                    answered = True
            writer.write(connection.data_to_send())
        with suppress(ConnectionError, ssl.SSLError):
            await asyncio.wait_for(close.wait(), 60)
            if farewell:
                connection.close_connection()
                writer.write(connection.data_to_send())
            writer.close()
            await writer.wait_closed()
        over.set_result(None)

    close = asyncio.Event()

    async def story() -> None:
        context = server_tls(AUTHORITY, tmp_path, "h2")
        server = await asyncio.start_server(once, "127.0.0.1", 0, ssl=context)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with client(HTTPClientConfig(tls_config=TRUSTING)) as http:
            assert (await http.post(url, b"1")).status == 200
            close.set()
            await asyncio.wait(ended[:1], timeout=1)  # Its end waits for ours; what it sent is there.
            assert (await http.post(url, b"2")).status == 200
            assert len(ended) == 2
        server.close()
        await asyncio.wait(ended)

    run(story)
