"""A stream of a multiplexed connection, for the driver."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.mux.stream import WRITE_AHEAD, MuxStream

if TYPE_CHECKING:
    from tocsin.gossip.transport.tls.mux_connection import MuxConnection


class MultiplexedStream:
    """A :class:`~tocsin.gossip.transport.base.Stream` that shares its connection."""

    def __init__(self, connection: MuxConnection, state: MuxStream, remote: Address) -> None:
        self._connection = connection
        self.state = state
        self._remote = remote
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def remote(self) -> Address:
        """Where it was opened to; of an accepted one the remote address of the connection."""
        return self._remote

    @property
    def peer(self) -> PeerIdentity:
        """Whom the connection's handshake has shown."""
        return self._connection.connection.peer

    def changed(self) -> None:
        """The session moved something: check again."""
        self._changed.set()

    async def write(self, data: bytes) -> None:
        """Send ``data``; waits while too much is under way."""
        view = memoryview(data)
        for start in range(0, len(view), WRITE_AHEAD):
            self._check()
            while not self.state.writable:
                await self._wait(self._connection.config.write_timeout, "the peer took no data")
                self._check()
            self._connection.session.write(self.state, view[start : start + WRITE_AHEAD])
            self._connection.flush_soon()
        self._check()

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        state = self.state
        while True:
            if self._closed:
                return b""
            if state.unread:
                data = self._connection.session.read(state)
                self._connection.flush_soon()
                return data
            if state.end_received:
                return b""
            if state.error:
                raise TransportError(state.error)
            await self._wait(self._connection.config.read_timeout, "nothing was received")

    async def close(self) -> None:
        """Orderly: the peer gets everything and then the end; waits a bounded time for its end."""
        if self._closed:
            return
        self._closed = True
        session, state = self._connection.session, self.state
        session.finish(state)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._connection.config.close_timeout):
                while not state.over:
                    session.read(state)
                    self._connection.flush_soon()
                    self._changed.clear()
                    await self._changed.wait()
        self._connection.let_go(state)

    def abort(self) -> None:
        """Cut the stream at once."""
        self._closed = True
        self._connection.let_go(self.state)
        self.state.error = self.state.error or "the stream was aborted"
        self._changed.set()

    def _check(self) -> None:
        if self._closed:
            raise TransportError("the stream is closed")
        if self.state.error:
            raise TransportError(self.state.error)

    async def _wait(self, limit: float, problem: str) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(limit):
                await self._changed.wait()
        except TimeoutError:
            raise TransportError(f"{problem} for {limit:g} s") from None
