"""What a transport owes the driver. The conformance suite (tests/conformance) is this file as tests."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Protocol

from tocsin.gossip.address import Address


class Stream(Protocol):
    """A reliable, ordered, two-way byte stream to one peer."""

    @property
    def remote(self) -> Address:
        """The peer's address (of an accepted stream: of its connection, not its listener)."""

    @property
    def peer(self) -> Hashable:
        """Whom the work that comes of it is charged to: whatever tells peers apart."""

    async def write(self, data: bytes) -> None:
        """Send ``data``; over TLS it is never put into one record with another write.

        :class:`~tocsin.errors.TransportError` when the connection failed or the write deadline passed.
        """

    async def read(self) -> bytes:
        """Some bytes, at least one; empty at the end of the stream.

        :class:`~tocsin.errors.TransportError` when the connection failed or the read deadline passed.
        """

    async def close(self) -> None:
        """Close in an orderly way: everything written reaches the peer. Bounded in time, never raises."""

    def abort(self) -> None:
        """Drop the connection at once."""


class TransportHandler(Protocol):
    """What the driver offers the transport. Called on the event loop; must not block and never raises."""

    def packet_received(self, data: bytes, source: Address) -> None:
        """One packet. ``source`` is where an answer without source fields would go."""

    def packet_failed(self, destination: Address, reason: str) -> None:
        """A packet to ``destination`` is known not to have been delivered.

        Because of a failed dial, a dead connection, a full queue, or a connection that had to make room.
        """

    def stream_accepted(self, stream: Stream) -> None:
        """A peer opened a stream. The handler owns it and must close it."""


class Transport(Protocol):
    """Carries packets (best effort, message borders kept) and streams."""

    @property
    def listen_address(self) -> Address:
        """The bound address; known after :meth:`start`."""

    async def start(self, handler: TransportHandler) -> None:
        """Bind and begin to deliver to ``handler``; :class:`~tocsin.errors.ConfigError` if it cannot bind."""

    def send_packet(self, destination: Address, data: bytes, node: str = "") -> None:
        """Queue a packet. Never blocks, never raises; a full queue drops and counts."""

    def backlog(self, destination: Address) -> int:
        """Bytes of packets to ``destination`` that are queued and not yet with the system."""

    @property
    def connection_limit(self) -> int | None:
        """How many destinations it keeps a connection to at most; None: it needs none to send a packet."""

    def connected(self) -> Collection[Address]:
        """The destinations that a packet reaches without a dial."""

    async def open_stream(self, destination: Address, timeout: float, node: str = "") -> Stream:
        """Dial a stream within ``timeout`` seconds; :class:`~tocsin.errors.TransportError` otherwise."""

    async def close(self) -> None:
        """Flush what is queued (bounded in time), close everything, stop listening. Idempotent."""
