"""A stream to one peer: what is left of a connection after the framing's STREAM header."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from tocsin.bounded import ReadBuffer
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.tls.connection import TLSConnection
from tocsin.tls.refusal import RefusalError

_BUFFER_LIMIT: Final = 256 * 1024
"""Unread bytes past which the network is left waiting."""

_SLICE: Final = 64 * 1024
"""Written at a time, so that a large state neither holds the event loop nor shares one write deadline."""


class TLSStream:
    """A :class:`~tocsin.gossip.transport.base.Stream` on a connection of its own; it owns the connection."""

    def __init__(
        self,
        connection: TLSConnection,
        read_timeout: float,
        *,
        received: bytes = b"",
        refused: Callable[[Address, RefusalError], None] | None = None,
    ) -> None:
        """``received`` came behind the STREAM header already; ``refused`` hears of a late refusal."""
        self._connection = connection
        self._read_timeout = read_timeout
        self._refused = refused
        self._buffer = ReadBuffer(_BUFFER_LIMIT)
        if received and self._buffer.push(received):
            connection.pause_reading()
        self._ended = False
        self._error: RefusalError | TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        connection.hand_over(self)

    @property
    def remote(self) -> Address:
        """The remote address of the connection."""
        return self._connection.remote

    @property
    def peer(self) -> PeerIdentity:
        """Whom the connection's handshake has shown."""
        return self._connection.peer

    async def write(self, data: bytes) -> None:
        """Send ``data`` in TLS records of its own."""
        view = memoryview(data)
        for start in range(0, len(view), _SLICE):
            if start:
                await asyncio.sleep(0)
            self._check()
            self._connection.write(view[start : start + _SLICE])
            await self._connection.drain()
        self._check()

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        if not self._buffer and not self._ended:
            if self._waiter is not None:
                raise TransportError("another read on this stream is waiting")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._read_timeout):
                    await self._waiter
            except TimeoutError:
                raise TransportError(f"nothing was received for {self._read_timeout:g} s") from None
            finally:
                self._waiter = None
        if self._buffer:
            chunk, resume = self._buffer.pop()
            if resume:
                self._connection.resume_reading()
            return chunk
        if self._error is not None:
            raise TransportError(str(self._error))
        return b""

    async def close(self) -> None:
        """Orderly: the peer gets everything and then the end; waits a bounded time for its end."""
        self._finish()
        await self._connection.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._finish()
        self._error = self._error or TransportError("the stream was aborted")
        self._connection.abort()

    def _finish(self) -> None:
        self._closed = True
        self._buffer.clear()
        self._wake()

    def _check(self) -> None:
        if self._closed:
            raise TransportError("the stream is closed")
        if self._error is not None:
            raise TransportError(str(self._error))

    def _wake(self) -> None:
        self._ended = self._ended or self._closed
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # the connection's owner

    def connection_established(self, connection: TLSConnection) -> None:
        """A stream begins on an established connection."""

    def connection_received(self, connection: TLSConnection, data: bytes) -> None:
        """Keep it for the reader."""
        if self._closed:
            return
        if self._buffer.push(data):
            connection.pause_reading()
        self._wake()

    def connection_ended(
        self,
        connection: TLSConnection,
        error: RefusalError | TransportError | None,
    ) -> None:
        """Wake the reader."""
        self._ended = True
        self._error = error
        if isinstance(error, RefusalError) and self._refused is not None and not self._closed:
            self._refused(connection.remote, error)
        self._wake()

    def connection_writable(self, connection: TLSConnection) -> None:
        """Writers wait in the connection's ``drain``."""
