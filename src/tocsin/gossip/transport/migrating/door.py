"""One TCP port for clear text and TLS: the first byte of a connection tells which it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from tocsin.gossip.transport.statistics import TransportStatistics

TLS_HANDSHAKE: Final = 22
"""The first byte of every TLS connection (RFC 8446, 5.1); no message of memberlist begins with it."""


class Door:
    """Makes the protocol for each accepted connection. Those that have said nothing yet are bounded."""

    def __init__(
        self,
        tls: Callable[[], asyncio.Protocol],
        clear: Callable[[], asyncio.Protocol],
        statistics: TransportStatistics,
        *,
        max_waiting: int,
        first_byte_timeout: float,
    ) -> None:
        self.tls = tls
        self.clear = clear
        self.statistics = statistics
        self.max_waiting = max_waiting
        self.first_byte_timeout = first_byte_timeout
        self.waiting: set[_Visitor] = set()

    def protocol(self) -> asyncio.Protocol:
        """For a connection that the listener just accepted."""
        return _Visitor(self)

    def close(self) -> None:
        """Send away who has said nothing yet."""
        for visitor in list(self.waiting):
            visitor.send_away()


class _Visitor(asyncio.Protocol):
    def __init__(self, door: Door) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (asyncio's own promise)
        self._transport = transport
        door = self._door
        if len(door.waiting) >= door.max_waiting:
            door.statistics.connections_rejected["handshakes"] += 1
            transport.abort()
            return
        door.waiting.add(self)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(door.first_byte_timeout, self._said_nothing)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        self._leave()
        if transport is None or transport.is_closing():
            return
        protocol = self._door.tls() if data[0] == TLS_HANDSHAKE else self._door.clear()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._leave()

    def send_away(self) -> None:
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def _said_nothing(self) -> None:
        self._door.statistics.connections_rejected["first_frame"] += 1
        self.send_away()

    def _leave(self) -> None:
        self._door.waiting.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
