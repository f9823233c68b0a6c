"""An HTTP server on loopback for one test, with bounds of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from tests.support.api_backend import LoneNode
from tocsin.node.api import create_app
from tocsin.node.http.bounds import HTTPBounds
from tocsin.node.http.server import WebServer

QUICK = HTTPBounds(
    first_byte=0.2, headers=0.2, body_window=0.2, answer_window=0.2, keep_alive=0.2, linger=0.2, handshake=0.2
)
"""Every deadline within what a test can wait for."""


async def until(condition: Callable[[], bool], deadline: float = 20.0) -> None:
    """Wait for ``condition`` beside the server's event loop; TimeoutError."""
    async with asyncio.timeout(deadline):
        while not condition():  # noqa: ASYNC110 - it is of no one's making here
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(
    app: ASGIApp | None = None,
    bounds: HTTPBounds | None = None,
    *,
    tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    check_client: Callable[[ssl.SSLObject], None] | None = None,
) -> AsyncIterator[WebServer]:
    """Started, and stopped at the end."""
    server = WebServer(
        app or create_app(LoneNode()), ["127.0.0.1:0"], bounds=bounds, tls=tls, check_client=check_client
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


class Client:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, server: WebServer, source: str = "127.0.0.1") -> Client:
        host, port = server.addresses[0]
        return cls(*await asyncio.open_connection(host, port, local_addr=(source, 0)))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def rest(self, seconds: float = 20.0) -> bytes:
        """All that comes until the server closes, then closed here too; TimeoutError if it does not close."""
        found = b""
        async with asyncio.timeout(seconds):
            try:
                while part := await self.reader.read(65536):
                    found += part
            except ConnectionError:
                pass
        self.close()
        return found

    async def answer(self, seconds: float = 20.0) -> bytes:
        """The first answer's status line, with its headers and body read."""
        async with asyncio.timeout(seconds):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            await self.reader.readexactly(int(length[0].split(b":")[1]))
            return head.split(b"\r\n")[0]

    def close(self) -> None:
        self._writer.close()
