"""Accepts connections: from a listening socket to HTTP or TLS, and plain HTTP on a TLS port."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

from tocsin.node.http.bounds import HTTPBounds, HTTPStatistics
from tocsin.node.http.connections import Connections, TrackedConnection
from tocsin.node.http.pace import Pace

_log = logging.getLogger(__name__)

_NO_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE: Final = 0.1
"""Seconds without accepting when the system has no more descriptors or memory."""
_HTTP_STARTS: Final = (b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO", b"DELET", b"PATCH")
_PLAIN_HTTP_ANSWER: Final = (
    b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
)
_PLAIN_HTTP_READ: Final = 64 * 1024
_RECORD_HEADER: Final = 5
"""type u8 | version u16 | length u16 (RFC 8446, 5.1)."""
_HANDSHAKE_RECORD: Final = 22
_LONGEST_RECORD: Final = 16_384


class Acceptor:
    """Accepts connections of one server."""

    def __init__(
        self,
        make_protocol: Callable[[TrackedConnection], asyncio.Protocol],
        connections: Connections,
        *,
        bounds: HTTPBounds,
        statistics: HTTPStatistics,
        context: Callable[[], ssl.SSLContext | None],
    ) -> None:
        """``context`` is asked before each handshake; None: plain HTTP."""
        self._make_protocol = make_protocol
        self._connections = connections
        self._bounds = bounds
        self._statistics = statistics
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self._pace = Pace(bounds.handshakes_per_second, bounds.handshakes_burst)
        self._pace_of_source = Pace(
            bounds.handshakes_per_second_of_address, bounds.handshakes_burst_of_address
        )

    async def accept_from(self, listener: socket.socket) -> None:
        """Accept connections until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, place = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._statistics.connections_refused["descriptors"] += 1
                    await asyncio.sleep(_PAUSE)
                continue
            self._welcome(connection, str(place[0]))
            # An accept that need not wait does not yield: a flood must not hold the loop.
            await asyncio.sleep(0)

    def _welcome(self, connection: socket.socket, address: str) -> None:
        tracked = self._connections.admit(address, lambda reason: self._give_up(connection, reason))
        if tracked is None:
            connection.close()
            return
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.create_task(self._greet(connection, tracked))
        tracked.end = lambda reason: self._cancel(task, reason)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _give_up(self, connection: socket.socket, reason: str) -> None:
        self._statistics.connections_closed[reason] += 1
        connection.close()

    def _cancel(self, task: asyncio.Task[None], reason: str) -> None:
        self._statistics.connections_closed[reason] += 1
        task.cancel()

    async def _greet(self, connection: socket.socket, tracked: TrackedConnection) -> None:
        """Hand the connection to a protocol, which then reports its end; until then we do."""
        handed_over = False

        def protocol() -> asyncio.Protocol:
            return self._make_protocol(tracked)

        try:
            context = self._context()
            loop = asyncio.get_running_loop()
            if context is None:
                await loop.connect_accepted_socket(protocol, connection)
            else:
                async with asyncio.timeout(self._bounds.handshake):
                    if await self._speaks_plain_http(connection):
                        self._statistics.connections_closed["plain_http"] += 1
                        connection.send(_PLAIN_HTTP_ANSWER)
                        # Bytes that are unread at a close would cause a reset, which may destroy the answer.
                        connection.recv(_PLAIN_HTTP_READ)
                        return
                    if not await self._in_line(tracked):
                        return
                    if not self._connections.shakes_hands(tracked):
                        self._statistics.connections_refused["handshakes"] += 1
                        # A refusal would cause another attempt at once: a waiting client costs less.
                        await asyncio.sleep(self._bounds.patience)
                        if not self._connections.shakes_hands(tracked):
                            return
                    await loop.connect_accepted_socket(
                        protocol, connection, ssl=context, ssl_handshake_timeout=self._bounds.handshake,
                        ssl_shutdown_timeout=self._bounds.linger,
                    )  # fmt: skip
            handed_over = True
        except (OSError, TimeoutError) as error:  # ssl's errors are OSErrors
            self._statistics.connections_closed[_closed_by(error)] += 1
            _log.debug("handshake with %s failed: %s", tracked.address, error)
        finally:
            self._connections.is_known(tracked)
            if not handed_over:
                connection.close()
                self._connections.gone(tracked)

    async def _in_line(self, tracked: TrackedConnection) -> bool:
        """Wait until the handshake may begin; False if it may not."""
        now = asyncio.get_running_loop().time()
        wait = self._pace_of_source.book(tracked.source, now)
        if wait <= self._bounds.handshake:
            wait = max(wait, self._pace.book("", now))
        if wait > self._bounds.handshake:
            self._statistics.connections_refused["handshakes"] += 1
            return False
        if wait:
            self._statistics.handshakes_delayed += 1
            await asyncio.sleep(wait)
        return True

    async def _speaks_plain_http(self, connection: socket.socket) -> bool:
        """Whether the client speaks plain HTTP on a TLS port. Otherwise the whole first record is there:
        until then a connection costs only a socket."""
        await _readable(connection, _RECORD_HEADER)
        head = _peek(connection)
        if head in _HTTP_STARTS:
            return True
        if len(head) == _RECORD_HEADER and head[0] == _HANDSHAKE_RECORD:
            length = int.from_bytes(head[3:], "big")
            await _readable(connection, _RECORD_HEADER + min(length, _LONGEST_RECORD))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return False

    async def close(self) -> None:
        """Drop connections that were not handed over yet."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _closed_by(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "client_certificate"
    if isinstance(error, ssl.SSLError) and error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "client_certificate"
    return "handshake"


def _peek(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_RECORD_HEADER, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


async def _readable(connection: socket.socket, count: int) -> None:
    """Wait for so many bytes, or the end of what comes."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(connection, wake)
    try:
        await ready
    finally:
        loop.remove_reader(connection)
