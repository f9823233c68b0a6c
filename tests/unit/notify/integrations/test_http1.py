"""Answers as servers write them, strictly and loosely, and what becomes of their connections."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.httpreceiver import OK, client, run, served
from tests.support.transports import eventually
from tocsin.config.httpclient import HTTPClientConfig, TLSClientConfig
from tocsin.notify.integrations.base import Answer, NotifyError
from tocsin.notify.integrations.http1 import _PatientAnswer
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.integrations.stream import MAX_BUFFERED, READ_BYTES, DirectStream

KEPT = {
    "with a length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1\r\no\r\n1;x=y\r\nk\r\n0\r\nA: b\r\n\r\n",
    "after interim ones": b"HTTP/1.1 100 Continue\r\nX-A: no\r\n\r\nHTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\r\n"
    b"Content-Length: 2\r\n\r\nok",
}
CLOSED = {
    "to be closed": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "of the older version": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "with another behind it": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 X\r\n\r\n",
    "with rubbish behind it": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\x00\x01",
    "with a folded header": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok",
    "with its length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "in lines without CR": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
}


@pytest.mark.parametrize("how", [*KEPT, *CLOSED])
def test_an_answer_is_read_and_its_connection_kept_if_nothing_is_odd(how: str) -> None:
    raw = {**KEPT, **CLOSED}[how]

    async def story() -> None:
        async with served(a=raw) as server, client() as http:
            for _ in range(2):
                answer = await http.post(f"{server.url}/a", b"{}")
                assert (answer.status, answer.body) == (200, b"ok")
                assert "x-a" not in answer.headers or how == "with a folded header"
                assert "a" not in answer.headers  # a trailer
            assert len(server.connections) == (1 if how in KEPT else 2)

    run(story)


def test_a_connection_that_the_server_has_just_closed_fails_no_request() -> None:
    """Though the event loop has not been told of it yet."""
    closed = threading.Event()

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(OK)
            closed.set()

    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve, args=(listener,), daemon=True)
            thread.start()
            async with client() as http:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
                for _ in range(2):
                    assert (await http.post(url, b"{}")).status == 200
                    assert closed.wait(60)  # The event loop stands still.
            thread.join()

    run(story)


async def _answered(raw: bytes) -> Answer:
    """By a server that closes the connection after it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(raw)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        async with client() as http:
            return await http.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", b"{}")
    finally:
        server.close()


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\ncut", b"cut"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncut\r\nx", b"cut"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot in chunks", b""),
        (b"HTTP/1.1 204 X\r\n\r\n", b""),
        (b"HTTP/1.1 101 X\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\nmore", b""),
        (b"HTTP/1.1 200 OK\n\nto the end", b"to the end"),
        (b"HTTP/1.1 200 OK\nContent-Length: 20\n\ncut", b"cut"),
    ],
)
def test_a_body_ends_where_it_ends_once_the_status_is_known(raw: bytes, body: bytes) -> None:
    async def story() -> None:
        answer = await _answered(raw)
        assert answer.status == int(raw.split()[1])
        assert answer.body == body

    run(story)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "EOF: the connection was closed before an answer was whole"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", "EOF: the connection was closed before an answer was whole"),
        (b"220 mail.example ESMTP\r\n\r\n", "malformed answer: illegal status line"),
    ],
)
def test_what_is_no_answer_fails_the_attempt(raw: bytes, said: str) -> None:
    async def story() -> None:
        with pytest.raises(NotifyError, match=said) as caught:
            await _answered(raw)
        assert caught.value.retry

    run(story)


def test_a_large_request_waits_for_a_slow_server_and_holds_little() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.set()
        await go_on.wait()
        await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (8 * MAX_BUFFERED))
        with suppress(ConnectionError):
            for _ in range(8):
                writer.write(bytes(MAX_BUFFERED))
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    size = 24 << 20
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def story() -> None:
        server = await asyncio.start_server(slow, "127.0.0.1", 0, limit=1 << 16)
        async with client() as http:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            attempt = asyncio.create_task(http.post(url, bytes(size)))
            await begun.wait()
            assert not attempt.done()
            go_on.set()
            answer = await attempt
            assert answer.status == 200
            assert 0 < len(answer.body) <= MAX_BUFFERED
        server.close()

    run(story)


def test_a_name_is_dialled_at_its_next_address_if_the_first_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with served() as gone:
            dead = gone.port
        async with served() as server, client() as http:
            loop = asyncio.get_running_loop()
            look_up = loop.getaddrinfo

            async def two(host: str, port: int, **more: int) -> list[tuple[object, ...]]:
                last = port if port == dead else server.port
                found = [await look_up("127.0.0.1", each, **more) for each in (dead, last)]
                return [each[0] for each in found]

            monkeypatch.setattr(loop, "getaddrinfo", two)
            assert (await http.get(f"http://receiver.invalid:{server.port}/")).status == 200
            with pytest.raises(NotifyError, match=r'"<redacted>": connect: connection refused$'):
                await http.get(f"http://receiver.invalid:{dead}/")

    run(story)


def test_what_needs_no_tls_goes_without_whatever_tls_config_says(tmp_path: Path) -> None:
    async def story() -> None:
        authority = tmp_path / "ca.pem"
        authority.write_bytes(CertificateAuthority().certificate)
        config = HTTPClientConfig(tls_config=TLSClientConfig(ca_file=str(authority)))
        async with served() as server, client(config) as http:
            assert (await http.get(f"{server.url}/")).status == 200

    run(story)


def test_a_connection_that_is_lost_before_the_event_loop_says_so_was_left() -> None:
    """asyncio's TLS has no socket any more then."""

    class Lost(asyncio.Transport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return None

    stream = DirectStream(ClientStatistics(), 1)
    stream.connection_made(Lost())
    assert stream.was_left


def test_a_tls_server_that_closes_first_is_nothing_to_warn_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = CertificateAuthority()
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    cert, key = authority.issue("127.0.0.1").write(tmp_path, "server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end")
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(once, "127.0.0.1", 0, ssl=context)
        config = HTTPClientConfig(tls_config=TLSClientConfig(ca_file=str(tmp_path / "ca.pem")))
        async with client(config) as http:
            answer = await http.post(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", b"{}")
            assert (answer.status, answer.body) == (200, b"to the end")
        server.close()

    with caplog.at_level(logging.WARNING, "asyncio"):
        run(story)
    assert not caplog.records


@pytest.mark.parametrize(
    ("begin", "problem"),
    [
        (b"HTTP/1.1 100 C\r\n\r\n" * 13_500, None),
        (b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 4_000 + b"c:d\n" * 30_000, "malformed answer"),
    ],
    ids=["interim answers", "headers"],
)
def test_what_only_h11_takes_is_given_to_it_in_small_pieces(
    begin: bytes, problem: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes ten times as long as httptools: what a server has sent would hold the event loop."""
    lengths: list[int] = []
    feed = _PatientAnswer.feed

    def watched(self: _PatientAnswer, data: bytes) -> None:
        lengths.append(len(data))
        feed(self, data)

    monkeypatch.setattr(_PatientAnswer, "feed", watched)

    async def story() -> None:
        raw = begin + b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"
        if problem is None:
            assert (await _answered(raw)).status == 200
        else:
            with pytest.raises(NotifyError, match=problem):
                await _answered(raw)

    run(story)
    assert max(lengths) <= READ_BYTES


def test_an_answer_that_is_there_before_the_request_is_whole_is_read() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await over.wait()  # It reads no further.
        writer.close()
        connections.append(writer)

    connections: list[object] = []
    over = asyncio.Event()

    async def story() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=1 << 16)
        async with client() as http:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            for _ in range(2):  # The connection is of no use any more.
                answer = await http.post(url, bytes(24 << 20))
                assert (answer.status, answer.body) == (413, b"no")
            over.set()
            await eventually(lambda: len(connections) == 2)
        server.close()

    run(story)


def test_a_receiver_by_address_waits_for_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that look up names may all wait for servers that do not answer."""

    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    async def story() -> None:
        async with served() as server, client() as http:
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
            assert (await http.get(f"http://127.0.0.1:{server.port}/")).status == 200

    run(story)
