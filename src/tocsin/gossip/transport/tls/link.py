"""The way packets take to one destination: a bounded queue and one kept-alive connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from tocsin.bounded import PacketQueue
from tocsin.dataclass import dataclass
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.base import TransportHandler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.connection import PROVEN_AFTER, SHORT_LINGER, TLSConnection
from tocsin.gossip.transport.tls.dial import Dialer
from tocsin.gossip.transport.tls.mux_connection import MuxConnection
from tocsin.gossip.transport.tls.mux_peers import MuxPeers
from tocsin.gossip.transport.tls.refusal_log import RefusalLog
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.wire.framing import encode_packet_frame
from tocsin.tls.refusal import RefusalError

_QUEUE_FULL: Final = "the queue of packets to it is full"


@dataclass(frozen=True, slots=True)
class LinkServices:
    """What all links of a transport share."""

    config: TLSTransportConfig
    dialer: Dialer
    mux_peers: MuxPeers
    handler: TransportHandler
    statistics: TransportStatistics
    refusals: RefusalLog
    random: random.Random
    advertised: str
    """The sender's address in each frame."""


class PacketLink:
    """Sends packets to ``destination``, dialling when there is something to send.

    While a dial runs, packets queue (bounded; the oldest goes first). After a failed dial the link is
    *resting* for a growing, jittered time in which packets fail at once: a stale probe helps nobody. Whatever
    happens here holds up no other destination.
    """

    __slots__ = (
        "_advertised",
        "_connection",
        "_dialer",
        "_failures",
        "_handler",
        "_mux",
        "_mux_peers",
        "_on_empty",
        "_queue",
        "_random",
        "_refusals",
        "_rests_until",
        "_statistics",
        "closed",
        "config",
        "destination",
        "dial",
        "last_reason",
        "last_used",
    )

    def __init__(
        self, destination: Address, services: LinkServices, on_empty: Callable[[PacketLink], None]
    ) -> None:
        config = services.config
        self.destination: Address = destination
        self.config: TLSTransportConfig = config
        self.last_used: float = 0.0
        self.last_reason: str = ""
        self.closed: bool = False
        self._dialer = services.dialer
        self._mux_peers = services.mux_peers
        self._mux: MuxConnection | None = None
        self._advertised = services.advertised
        self._handler = services.handler
        self._statistics = services.statistics
        self._refusals = services.refusals
        self._random = services.random
        self._on_empty = on_empty
        self._queue = PacketQueue(config.max_queued_packets, config.max_queued_bytes)
        self._connection: TLSConnection | None = None
        self.dial: asyncio.Task[None] | None = None
        self._failures = 0
        self._rests_until = 0.0

    @property
    def idle(self) -> bool:
        """Nothing queued and no dial under way."""
        return not self._queue and self.dial is None

    @property
    def open(self) -> bool:
        """There is a connection."""
        return self._connection is not None or (self._mux is not None and self._mux.usable)

    @property
    def queued_bytes(self) -> int:
        """Bytes of frames that wait for a dial or for the kernel."""
        return self._queue.size + (self._mux.queued_bytes if self._mux is not None else 0)

    @property
    def used_at(self) -> float:
        """When it was last used, by the peer too if the connection is shared; now, while it has work."""
        mux = self._mux
        if self.queued_bytes or self.dial is not None or (mux is not None and mux.session.streams):
            return asyncio.get_running_loop().time()
        if mux is None:
            return self.last_used
        return max(self.last_used, mux.used_at)

    def send(self, data: bytes, now: float) -> None:
        """Send now, or queue and dial."""
        self.last_used = now
        mux = self._mux
        if mux is not None and mux.usable:
            full = mux.packets_dropped
            mux.send_packet(data)
            if mux.packets_dropped != full:
                self._fail(_QUEUE_FULL)
            return
        connection = self._connection
        if connection is not None and connection.writable and not self._queue:
            self._write(connection, data)
            return
        if connection is None and self.dial is None:
            if now < self._rests_until:
                self._statistics.packets_dropped["backoff"] += 1
                self._fail(self.last_reason)
                return
            self.dial = asyncio.get_running_loop().create_task(self._open())
        if dropped := self._queue.push(data):
            self._statistics.packets_dropped["queue_full"] += dropped
            self._fail(_QUEUE_FULL)

    def adopt(self, mux: MuxConnection) -> None:
        """From now on ``mux`` carries the packets, those that wait first."""
        self._mux = mux
        self._rests_until = 0.0
        for data in self._queue.take_all():
            mux.send_packet(data)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.start_close(SHORT_LINGER if connection.quiet else None)

    def mux_gone(self, mux: MuxConnection, error: Exception | None, *, lost: bool, proven: bool) -> None:
        """``mux`` takes nothing more; ``lost``: with packets that it had taken."""
        if mux is not self._mux:
            return
        self._mux = None
        if proven:
            self._failures = 0
        reason = error if isinstance(error, (RefusalError, TransportError)) else None
        if reason is None and (error is not None or lost):
            reason = TransportError(str(error or "the connection was closed"))
        self._lost(reason, "lost", counts=reason is not None and not proven)

    @property
    def framing(self) -> TLSConnection | None:
        """The connection that it has for itself."""
        return self._connection

    async def renew(self, limit: float) -> None:
        """Open a new connection and close the one in use, which sends what it has taken.

        Raises like :meth:`Dialer.dial`; then nothing has changed.
        """
        old = self._connection
        if old is None:
            return
        new = await self._mux_peers.connect(self.destination, limit)
        if isinstance(new, MuxConnection):
            return  # By now the peer speaks it, and adopt() has closed the old one.
        if self.closed or self._connection is not old:
            new.start_close()
            return
        self._connection = new
        new.hand_over(self)
        old.start_close(SHORT_LINGER if old.quiet else None)
        self.connection_writable(new)

    def give_up(self, error: RefusalError | TransportError) -> None:
        """The connection in use could not be renewed in time."""
        self._lost(error, "lost", counts=True)

    def wake(self) -> None:
        """The peer was heard of: do not rest any longer."""
        self._rests_until = 0.0

    def start_close(self, reason: str) -> TLSConnection | None:
        """Give up what is queued and close in an orderly way; the closing connection, if there is one."""
        self.closed = True
        if self._queue and reason == "evicted":
            self._fail("its connection had to make room")
        self._drop_queue(reason)
        if self.dial is not None:
            self.dial.cancel()
        if self._mux is not None:
            self._mux = None
            self._mux_peers.release(self.destination)
        connection, self._connection = self._connection, None
        if connection is not None:
            # A Go peer leaves its end open for ever, so there is no point in waiting for it.
            connection.start_close(SHORT_LINGER if connection.quiet else None)
        return connection

    async def flush(self) -> None:
        """Wait for the dial, and until the kernel has accepted what is queued. The caller bounds the time."""
        if self.dial is not None:
            await asyncio.wait([self.dial])
        while self._queue and self._connection is not None:
            await self._connection.drain()
            await asyncio.sleep(0)

    async def _open(self) -> None:
        connection: TLSConnection | MuxConnection | None = None
        error: RefusalError | TransportError | None = None
        try:
            connection = await self._mux_peers.connect(self.destination, self.config.dial_timeout)
        except (RefusalError, TransportError) as failure:
            error = failure
        finally:
            self.dial = None
        if connection is None:
            self._lost(error, "dial", counts=True)
        elif isinstance(connection, MuxConnection):
            if self._queue and self._mux is None:
                # It was ours and is gone again.
                self._lost(TransportError("the connection ended at once"), "lost", counts=True)
        elif self.closed or self._mux is not None:
            connection.start_close()
        else:
            self._connection = connection
            connection.hand_over(self)
            self.connection_writable(connection)

    def _write(self, connection: TLSConnection, data: bytes) -> None:
        frame = encode_packet_frame(data, self._advertised)
        try:
            connection.write(frame)
        except TransportError as error:
            self._statistics.packets_dropped["lost"] += 1
            self._lost(error, "lost", counts=False)
            return
        self._statistics.packets_sent += 1
        self._statistics.packet_bytes_sent += len(frame)

    def _lost(self, error: RefusalError | TransportError | None, reason: str, *, counts: bool) -> None:
        """The connection is gone (or never came): back off if it failed, notify the handler, drop the
        queue."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        if isinstance(error, RefusalError):
            self._refusals.write(self.destination, error, now)
            self._dialer.sessions.forget(self.destination)
        self.last_reason = str(error) if error is not None else "the peer closed the connection"
        if counts:
            pause = min(
                self.config.backoff_maximum, self.config.backoff_minimum * 2 ** min(self._failures, 16)
            )
            self._failures += 1
            self._rests_until = now + pause * self._random.uniform(0.5, 1.0)
        failed = error is not None or bool(self._queue)
        self._drop_queue(reason)
        if failed and not self.closed:
            self._fail(self.last_reason)
        if not counts:
            self._on_empty(self)

    def _drop_queue(self, reason: str) -> None:
        if self._queue:
            self._statistics.packets_dropped[reason] += self._queue.clear()

    def _fail(self, reason: str) -> None:
        self._handler.packet_failed(self.destination, reason)

    # the connection's owner

    def connection_established(self, connection: TLSConnection) -> None:
        """The link takes over established connections only."""

    def connection_received(self, connection: TLSConnection, data: bytes) -> None:
        """A packet connection is one-way; what comes is of no use."""

    def connection_ended(
        self, connection: TLSConnection, error: RefusalError | TransportError | None
    ) -> None:
        """Noticed at once, because we always read."""
        if connection is not self._connection:
            return
        now = asyncio.get_running_loop().time()
        started = connection.established_at or now
        proven = now - started >= PROVEN_AFTER
        if proven:
            self._failures = 0
        if error is None:
            self._connection = None
            connection.start_close()
        elif not isinstance(error, RefusalError):
            self._statistics.connections_lost["read"] += 1
        self._lost(error, "lost", counts=not proven)

    def connection_writable(self, connection: TLSConnection) -> None:
        """Send what waited."""
        while self._queue and connection.writable:
            self._write(connection, self._queue.pop())
