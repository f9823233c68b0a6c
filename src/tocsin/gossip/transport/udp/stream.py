"""A stream to one peer: a TCP connection of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final

from tocsin.bounded import ReadBuffer
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.udp.settings import UDPTransportConfig

_BUFFER_LIMIT: Final = 256 * 1024
"""Unread bytes past which the network is left waiting."""
_SLICE: Final = 64 * 1024
"""Written at a time, so that a large state neither holds the event loop nor shares one write deadline."""
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)


class TCPStream(asyncio.Protocol):
    """A :class:`~tocsin.gossip.transport.base.Stream`. ``made`` and ``gone`` are called at its beginning and
    end; ``made`` may say no."""

    def __init__(
        self,
        config: UDPTransportConfig,
        made: Callable[[TCPStream], bool] = lambda _: True,
        gone: Callable[[TCPStream], None] = lambda _: None,
    ) -> None:
        self._config = config
        self._made = made
        self._gone = gone
        self._transport: asyncio.Transport | None = None
        self._remote = Address("0.0.0.0", 0)
        self._buffer = ReadBuffer(_BUFFER_LIMIT)
        self._writing_paused = False
        self._ended = False
        self._lost = False
        self._admitted = False
        self._error: OSError | None = None
        self._changed = asyncio.Event()
        self._reading = False
        self._closed = False

    @property
    def remote(self) -> Address:
        """The remote address of the connection."""
        return self._remote

    @property
    def peer(self) -> PeerIdentity | None:
        """Nobody is authenticated."""
        return None

    async def write(self, data: bytes) -> None:
        """Send ``data``."""
        view = memoryview(data)
        for start in range(0, len(view), _SLICE):
            self._check()
            assert self._transport is not None  # noqa: S101 (checked)
            self._transport.write(view[start : start + _SLICE])
            try:
                async with asyncio.timeout(self._config.write_timeout):
                    while self._writing_paused and not self._lost:
                        await self._wait()
            except TimeoutError:
                raise TransportError(f"the peer took nothing for {self._config.write_timeout:g} s") from None
        self._check()

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        if self._reading:
            raise TransportError("another read on this stream is waiting")
        self._reading = True
        try:
            async with asyncio.timeout(self._config.read_timeout):
                while not (self._buffer or self._ended or self._closed):
                    await self._wait()
        except TimeoutError:
            raise TransportError(f"nothing was received for {self._config.read_timeout:g} s") from None
        finally:
            self._reading = False
        if self._buffer:
            chunk, resume = self._buffer.pop()
            if resume and self._transport is not None:
                self._transport.resume_reading()
            return chunk
        if self._error is not None:
            raise TransportError(str(self._error))
        return b""

    async def close(self) -> None:
        """Orderly: the peer gets everything and then the end; waits a bounded time for its end."""
        if self._closed:
            return
        self._finish()
        transport = self._transport
        if transport is None or self._lost:
            return
        try:
            if transport.can_write_eof() and not transport.is_closing():
                transport.write_eof()
            if self._buffer.paused:
                transport.resume_reading()
            async with asyncio.timeout(self._config.close_timeout):
                while not self._ended:
                    await self._wait()
        except (TimeoutError, OSError):
            pass
        finally:
            transport.abort() if not self._ended else transport.close()

    def abort(self) -> None:
        """Drop the connection at once; the peer sees a failure and not an end."""
        self._finish()
        self._error = self._error or OSError("the stream was aborted")
        if self._transport is not None and not self._lost:
            raw = self._transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            self._transport.abort()

    # -- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, if there is room for one more."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        peer = transport.get_extra_info("peername")
        if peer:
            host = peer[0].partition("%")[0]
            mapped = host.startswith("::ffff:") and "." in host
            self._remote = Address(host.removeprefix("::ffff:") if mapped else host, peer[1])
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._admitted = self._made(self)
        if not self._admitted:
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Keep it for the reader."""
        if self._closed:
            return
        if self._buffer.push(data) and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The peer writes no more; we may."""
        self._ended = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if exc is not None and self._error is None:
            self._error = exc if isinstance(exc, OSError) else OSError(str(exc))
        self._ended = self._lost = True
        self._wake()
        if self._admitted:
            self._admitted = False
            self._gone(self)

    def pause_writing(self) -> None:
        """The peer takes no more at present."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """It does again."""
        self._writing_paused = False
        self._wake()

    # -- within

    def _finish(self) -> None:
        self._closed = True
        self._buffer.clear()
        self._wake()

    def _check(self) -> None:
        if self._closed or self._transport is None:
            raise TransportError("the stream is closed")
        if self._error is not None:
            raise TransportError(str(self._error))
        if self._lost:
            raise TransportError("the connection is closed")

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
