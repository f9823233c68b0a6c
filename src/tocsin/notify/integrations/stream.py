"""A bounded asyncio connection with httpcore's interface, for requests without a proxy."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from typing import Any, Final

import httpcore

from tocsin.notify.integrations.keepalive import keep_alive
from tocsin.notify.integrations.statistics import ClientStatistics

READ_BYTES: Final = 8 * 1024
"""Bytes of one read: all of them are parsed at once."""
MAX_BUFFERED: Final = 64 * 1024
"""Bytes received and not read yet; past it reading from the socket is paused."""
HANDSHAKE_SECONDS: Final = 10.0
"""Time for a TLS handshake, as in Go's client: an attempt may have an hour, and another one may succeed."""
HANDSHAKE_TIMEOUT: Final = "TLS handshake timeout"
"""Go's message."""
_NEXT_ADDRESS_SECONDS: Final = 0.25
"""Seconds before the next address of a name is tried beside the one before (RFC 8305)."""
_MAX_ADDRESSES: Final = 16
"""Addresses of one name that are dialled."""


class HandshakeError(httpcore.ConnectError):
    """The TLS handshake with the receiver failed, through a proxy or not."""


class DirectStream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection."""

    def __init__(self, statistics: ClientStatistics, max_response: int) -> None:
        """``max_response``: bytes that may come after a request was written, until the next one is."""
        self._statistics = statistics
        self._max_response = max_response
        self._transport: asyncio.Transport | None = None
        self._socket: Any = None
        self._poll = select.poll()
        self._received = bytearray()
        self._read_since_write = 0
        self._reading = True
        self._ended = False
        self._lost = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._writable = True

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        *,
        context: ssl.SSLContext | None,
        server_name: str,
        statistics: ClientStatistics,
        max_response: int,
    ) -> DirectStream:
        """Dial, with TLS if there is a ``context``; ``httpcore.ConnectError``."""
        tls: dict[str, Any] = {}
        if context is not None:
            tls = {"server_hostname": server_name, "ssl_handshake_timeout": HANDSHAKE_SECONDS}
        try:
            _, stream = await asyncio.get_running_loop().create_connection(
                lambda: cls(statistics, max_response), ssl=context, sock=await _dialled(host, port), **tls
            )
        except OSError as error:
            if isinstance(error, ConnectionAbortedError) and error.errno is None:  # asyncio's own
                raise HandshakeError(HANDSHAKE_TIMEOUT) from error
            raise httpcore.ConnectError(str(error)) from error
        return stream

    # -- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is made."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        if self._socket is not None:
            self._poll.register(self._socket.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Buffer the bytes until they are read."""
        self._received += data
        if len(self._received) > MAX_BUFFERED and self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()
        _wake(self._reader)
        _wake(self._writer)

    def eof_received(self) -> bool:
        """The server sends no more. Stay open until the buffered bytes were read; TLS always closes."""
        self._ended = True
        _wake(self._reader)
        _wake(self._writer)
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._lost = self._ended = True
        self._error = exc
        _wake(self._reader)
        _wake(self._writer)

    def pause_writing(self) -> None:
        """The kernel's send buffer is full."""
        self._writable = False

    def resume_writing(self) -> None:
        """There is room in it again."""
        self._writable = True
        _wake(self._writer)

    # -- called by the HTTP connection

    @property
    def touched(self) -> bool:
        """Whether there is anything unread: bytes, or the end of the connection."""
        return self._ended or bool(self._received)

    @property
    def was_left(self) -> bool:
        """As :attr:`touched`, or the kernel has something that the event loop has not read yet."""
        if self.touched or self._transport is None:
            return True
        if self._socket is None or self._socket.fileno() < 0:
            return True  # It was lost; the event loop reports that in its next iteration.
        return bool(self._poll.poll(0))

    @property
    def has_unsent(self) -> bool:
        """Whether some written bytes are not in the kernel's send buffer yet."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Received bytes, at least one; empty at the end. ``httpcore.ReadError``. ``timeout`` is not used,
        here and in :meth:`write`: the attempt has a deadline.
        """
        while not self._received and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if not self._received:
            if self._error is not None:
                raise httpcore.ReadError(str(self._error)) from self._error
            return b""
        count = min(max_bytes, READ_BYTES)
        data = bytes(self._received[:count])
        del self._received[:count]
        if not self._reading and not self._lost and self._transport is not None:
            self._reading = True
            self._transport.resume_reading()
        self._read_since_write += len(data)
        if self._read_since_write > self._max_response:
            self._statistics.bounds_reached["answer_head"] += 1
            raise httpcore.ReadError("a head, or interim answers without end")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send bytes, and wait until the kernel accepts more or something is received: an answer may come
        before the request is complete. ``httpcore.WriteError``."""
        self._read_since_write = 0
        if self._lost or self._transport is None:
            raise httpcore.WriteError(str(self._error or "")) from self._error
        if not buffer:
            return
        self._transport.write(buffer)
        while not self._writable and not self._lost and not self.touched:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None
        if self._lost:
            raise httpcore.WriteError(str(self._error or "")) from self._error

    async def aclose(self) -> None:
        """Close it, whatever is under way on it."""
        self.abort()

    def abort(self) -> None:
        """Close it, whatever is under way on it."""
        self._ended = True
        _wake(self._reader)
        if self._transport is not None:
            self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """``ssl_object``, ``socket`` or ``is_readable``."""
        if info == "is_readable":
            return self.was_left
        return self._transport.get_extra_info(info) if self._transport is not None else None


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


async def _dialled(host: str, port: int) -> socket.socket:
    """A socket connected to one of the addresses of ``host``; the next one is tried when one is slow.
    asyncio's own race is not used, as it leaves a socket open when it is cancelled at its end. OSError: the
    error of the first address.
    """
    loop = asyncio.get_running_loop()
    try:  # An IP address needs no thread: lookups that get no answer may hold them all.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found = found[:_MAX_ADDRESSES]
    tries: list[asyncio.Task[socket.socket]] = []
    won: socket.socket | None = None
    try:
        for family, kind, protocol, _, address in found:
            tries.append(loop.create_task(_connected(family, kind, protocol, address)))
            last = len(tries) == len(found)
            while won is None and (waiting := [each for each in tries if not each.done()]):
                seconds = None if last else _NEXT_ADDRESS_SECONDS
                over, _ = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                won = next((each.result() for each in over if each.exception() is None), None)
                if not last:
                    break
            if won is not None:
                return won
        return tries[0].result()
    finally:
        for each in tries:
            each.cancel()
            each.add_done_callback(lambda each: _close_loser(each, won))


def _close_loser(over: asyncio.Task[socket.socket], won: socket.socket | None) -> None:
    if not over.cancelled() and over.exception() is None and over.result() is not won:
        over.result().close()


async def _connected(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, address)
        keep_alive(made)
    except BaseException:
        made.close()
        raise
    return made
