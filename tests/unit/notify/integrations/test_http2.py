"""HTTP/2 where the server offers it, spoken with a server on h2."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.httpreceiver import client, run, server_tls
from tocsin.config.httpclient import HTTPClientConfig, TLSClientConfig
from tocsin.notify.integrations import reuse
from tocsin.notify.integrations.http import MAX_ANSWER_BYTES, HTTPClient
from tocsin.notify.integrations.statistics import ClientStatistics


@dataclass
class Speaker:
    """Answers every stream, at the latest when ``together`` are open; or never, or without end."""

    together: int = 1
    silent: bool = False
    endless: bool = False
    port: int = 0
    connections: int = 0
    versions: list[str] = field(default_factory=list)
    headers: list[dict[bytes, bytes]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    arrived: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    ended: set[asyncio.Future[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ended.add(over := asyncio.get_running_loop().create_future())
        self.connections += 1
        chosen: str = writer.get_extra_info("ssl_object").selected_alpn_protocol() or ""
        self.versions.append(chosen)
        try:
            if chosen == "h2":
                await self._speak(reader, writer)
            else:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            over.set_result(None)

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        waiting: list[int] = []
        bodies: dict[int, bytes] = {}
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    assert event.headers is not None
                    self.headers.append({bytes(k): bytes(v) for k, v in event.headers})
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                elif isinstance(event, h2.events.StreamEnded):
                    self.bodies.append(bodies.pop(event.stream_id, b""))
                    waiting.append(event.stream_id)
                    self.arrived.put_nowait(event.stream_id)
            if len(waiting) >= self.together and not self.silent:
                for stream in waiting:
                    connection.send_headers(stream, [(":status", "200")])
                    if self.endless:
                        for _ in range(8):
                            connection.send_data(stream, bytes(16384))
                    else:
                        connection.send_data(stream, b"ok", end_stream=True)
                waiting.clear()
            writer.write(connection.data_to_send())
            await writer.drain()


@asynccontextmanager
async def speaking(
    folder: Path, authority: CertificateAuthority, *protocols: str, **more: bool | int
) -> AsyncIterator[Speaker]:
    speaker = Speaker(**more)  # type: ignore[arg-type]
    context = server_tls(authority, folder, *protocols)
    server = await asyncio.start_server(speaker.serve, "127.0.0.1", 0, ssl=context)
    speaker.port = server.sockets[0].getsockname()[1]
    try:
        yield speaker
    finally:
        server.close()
        if speaker.ended:
            await asyncio.wait(speaker.ended)


AUTHORITY = CertificateAuthority()
TRUSTING = TLSClientConfig(ca=AUTHORITY.certificate.decode())


@pytest.mark.parametrize(
    ("offered", "enabled", "spoken"),
    [
        (("h2", "http/1.1"), True, "h2"),
        (("h2", "http/1.1"), False, "http/1.1"),
        (("http/1.1",), True, "http/1.1"),
        ((), True, ""),
    ],
)
def test_the_version_is_what_both_want(
    tmp_path: Path, offered: tuple[str, ...], enabled: bool, spoken: str
) -> None:
    async def story() -> None:
        config = HTTPClientConfig(tls_config=TRUSTING, enable_http2=enabled)
        async with speaking(tmp_path, AUTHORITY, *offered) as speaker, client(config) as http:
            answer = await http.post(f"https://127.0.0.1:{speaker.port}/a?b", b"{}")
            assert answer.status == 200
            assert speaker.versions == [spoken]
            if spoken == "h2":
                assert speaker.bodies == [b"{}"]
                assert speaker.headers[0][b":path"] == b"/a?b"
                assert speaker.headers[0][b":authority"] == f"127.0.0.1:{speaker.port}".encode()
                assert speaker.headers[0][b"content-length"] == b"2"

    run(story)


def test_requests_share_a_connection(tmp_path: Path) -> None:
    async def story() -> None:
        config = HTTPClientConfig(tls_config=TRUSTING)
        async with speaking(tmp_path, AUTHORITY, "h2") as speaker, client(config) as http:
            url = f"https://127.0.0.1:{speaker.port}/"
            await http.post(url, b"0")
            speaker.together = 5  # None is answered before all are there.
            answers = await asyncio.gather(*[http.post(url, b"%d" % number) for number in range(1, 6)])
            assert [answer.body for answer in answers] == [b"ok"] * 5
            assert sorted(speaker.bodies) == [b"%d" % number for number in range(6)]
            assert speaker.connections == 1

    run(story)


def test_idle_connections_to_many_origins_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reuse, "MAX_IDLE", 2)

    async def story() -> None:
        config = HTTPClientConfig(tls_config=TRUSTING)
        async with AsyncExitStack() as stack:
            speakers = [
                await stack.enter_async_context(speaking(tmp_path, AUTHORITY, "h2")) for _ in range(6)
            ]
            http = await stack.enter_async_context(client(config))
            for speaker in [*speakers, speakers[-1]]:
                assert (await http.post(f"https://127.0.0.1:{speaker.port}/", b"1")).status == 200
            for speaker in speakers[:3]:  # Those that have waited longest.
                await asyncio.wait(speaker.ended)
            assert [len(speaker.ended) for speaker in speakers] == [1] * 6
            assert not any(over.done() for speaker in speakers[4:] for over in speaker.ended)

    run(story)


async def _gives_up(http: HTTPClient, speaker: Speaker, url: str) -> None:
    """Cancel a request that has arrived."""
    attempt = asyncio.create_task(http.post(url, b"lost"))
    await speaker.arrived.get()
    attempt.cancel()
    with suppress(asyncio.CancelledError):
        await attempt


def test_a_connection_on_which_one_request_was_given_up_is_not_used_again(tmp_path: Path) -> None:
    async def story() -> None:
        config = HTTPClientConfig(tls_config=TRUSTING)
        async with speaking(tmp_path, AUTHORITY, "h2", silent=True) as speaker, client(config) as http:
            url = f"https://127.0.0.1:{speaker.port}/"
            await _gives_up(http, speaker, url)
            await _gives_up(http, speaker, url)
            speaker.silent = False
            assert (await http.post(url, b"{}")).status == 200
            assert speaker.connections == 3

    run(story)


def test_an_endless_answer_is_cut_and_does_not_fill_the_window_of_the_next(tmp_path: Path) -> None:
    async def story() -> None:
        statistics = ClientStatistics()
        config = HTTPClientConfig(tls_config=TRUSTING)
        async with (
            speaking(tmp_path, AUTHORITY, "h2", endless=True) as speaker,
            client(config, statistics=statistics) as http,
        ):
            url = f"https://127.0.0.1:{speaker.port}/"
            for number in range(1, 4):
                answer = await http.post(url, b"{}")
                assert (answer.status, len(answer.body)) == (200, MAX_ANSWER_BYTES)
                assert statistics.bounds_reached["answer_bytes"] == number
                assert speaker.connections == number

    run(story)
