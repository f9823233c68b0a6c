"""A server that answers by path, and a client for it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.certificates import CertificateAuthority
from tocsin.config.httpclient import HTTPClientConfig
from tocsin.notify.integrations.http import HTTPClient

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Request:
    """What came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Answers by path, and keeps what was asked."""

    answers: dict[str, bytes] = field(default_factory=dict)
    once: dict[str, bytes] = field(default_factory=dict)
    """The next answers, each given a single time."""
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    connections: set[asyncio.Future[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(connection := asyncio.get_running_loop().create_future())
        try:
            while line := await reader.readline():
                headers: dict[str, str] = {}
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append(Request(line.decode().strip(), headers, body))
                path = line.split()[1].decode().partition("?")[0]
                writer.write(self.once.pop(path, b"") or self.answers.get(path, OK))
                await writer.drain()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            connection.set_result(None)


@asynccontextmanager
async def served(tls: ssl.SSLContext | None = None, **answers: bytes) -> AsyncIterator[Server]:
    """At an address of its own; over TLS, if there is a context."""
    made = Server({f"/{name}": answer for name, answer in answers.items()})
    made.scheme = "https" if tls else "http"
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        if made.connections:
            await asyncio.wait(made.connections)


def run(story: Callable[[], Awaitable[None]]) -> None:
    """A story, which must end by itself."""

    async def bounded() -> None:
        async with asyncio.timeout(120):
            await story()

    asyncio.run(bounded())


@asynccontextmanager
async def client(config: HTTPClientConfig | None = None, **more: Any) -> AsyncIterator[HTTPClient]:
    """The client of one integration. ``more``: what else it is made of."""
    made = HTTPClient(config or HTTPClientConfig(), **more)
    try:
        yield made
    finally:
        await made.close()


def redirect(status: int, where: str) -> bytes:
    """An answer that leads elsewhere."""
    return f"HTTP/1.1 {status} X\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()


def json_answer(body: bytes, status: int = 200) -> bytes:
    """An answer with a body."""
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def server_tls(
    authority: CertificateAuthority, folder: Path, *protocols: str, clients: bool = False
) -> ssl.SSLContext:
    """Of a server with a certificate for loopback. ``protocols``: offered. ``clients`` need a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("127.0.0.1", "localhost").write(folder, "server"))
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=authority.certificate.decode())
    return context
