"""One TCP port for clear text and TLS: the first byte of a connection decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from tocsin.bounded import Quota
from tocsin.gossip.transport.statistics import TransportStatistics

TLS_HANDSHAKE: Final = 22
"""The first byte of every TLS connection (RFC 8446, 5.1); no message of memberlist begins with it."""


class Demultiplexer:
    """Makes the protocol for each accepted connection. Those that have said nothing yet are bounded, in all
    and for each host."""

    def __init__(
        self,
        tls: Callable[[], asyncio.Protocol],
        clear: Callable[[], asyncio.Protocol],
        statistics: TransportStatistics,
        *,
        max_waiting: int,
        max_waiting_per_host: int,
        first_byte_timeout: float,
    ) -> None:
        self.tls = tls
        self.clear = clear
        self.first_byte_timeout = first_byte_timeout
        self._statistics = statistics
        self._waiting: set[_Undecided] = set()
        self._hosts: Quota[str] = Quota(max_waiting_per_host, max_waiting)
        self._closed = False

    def protocol(self) -> asyncio.Protocol:
        """For a connection that the listener just accepted."""
        return _Undecided(self)

    def close(self) -> None:
        """Send away who has said nothing yet, and who comes."""
        self._closed = True
        for connection in list(self._waiting):
            connection.send_away()

    def enter(self, connection: _Undecided) -> bool:
        """Count it in; false, and counted as rejected, when a bound is reached. False too once closed."""
        if self._closed:
            return False
        if not self._hosts.acquire(connection.host):
            bound = "handshakes" if self._hosts.full else "host"
            self._statistics.connections_rejected[bound] += 1
            return False
        self._waiting.add(connection)
        return True

    def leave(self, connection: _Undecided) -> None:
        """Count it out, if it was in."""
        if connection in self._waiting:
            self._waiting.discard(connection)
            self._hosts.release(connection.host)

    def said_nothing(self, connection: _Undecided) -> None:
        """Its time is over."""
        self._statistics.connections_rejected["first_frame"] += 1
        connection.send_away()


class _Undecided(asyncio.Protocol):
    def __init__(self, demultiplexer: Demultiplexer) -> None:
        self.host: str = ""
        self._demultiplexer = demultiplexer
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (asyncio's own promise)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.host = str(peer[0]) if peer else ""
        if not self._demultiplexer.enter(self):
            transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(
            self._demultiplexer.first_byte_timeout, self._demultiplexer.said_nothing, self
        )

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        self._leave()
        if transport is None or transport.is_closing():
            return
        protocol = self._demultiplexer.tls() if data[0] == TLS_HANDSHAKE else self._demultiplexer.clear()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._leave()

    def send_away(self) -> None:
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        self._demultiplexer.leave(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
