"""The accepting side: bounds on who may connect, and the framing of what they send."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Final

from tocsin.errors import TransportError, WireError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.base import TransportHandler
from tocsin.gossip.transport.scheduler import SLICE, VIOLATION, FairScheduler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.connection import SHORT_LINGER, TLSConnection
from tocsin.gossip.transport.tls.handshakes import Handshakes
from tocsin.gossip.transport.tls.listener import listener_address
from tocsin.gossip.transport.tls.mux_connection import MuxConnection
from tocsin.gossip.transport.tls.mux_peers import MuxPeers
from tocsin.gossip.transport.tls.refusal_log import RefusalLog
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.stream import TLSStream
from tocsin.gossip.wire.framing import FrameDecoder, PacketFrame, StreamStart
from tocsin.gossip.wire.mux import PROTOCOL
from tocsin.sources import source_of
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.refusal import RefusalError

_log = logging.getLogger(__name__)

FRAMES_AT_ONCE: Final = 64
"""Delivered in one iteration of the event loop: a read can hold thousands of small packets."""
SLOWEST: Final = 1000
"""Bytes a second of a frame that is waited for."""


class Inbound:
    """All accepted connections and their bounds."""

    def __init__(
        self,
        config: TLSTransportConfig,
        identity: ClusterIdentity,
        handler: TransportHandler,
        statistics: TransportStatistics,
        refusals: RefusalLog,
        heard_from: Callable[[Address], None],
        mux_peers: MuxPeers,
        scheduler: FairScheduler,
    ) -> None:
        self.mux_peers = mux_peers
        self.scheduler = scheduler
        self.handshakes: Handshakes = Handshakes(config)
        self.heard_from = heard_from
        self.config = config
        self.identity = identity
        self.handler = handler
        self.statistics = statistics
        self.refusals = refusals
        self.connections: dict[TLSConnection, Accepted] = {}
        self._unverified: OrderedDict[TLSConnection, float] = (
            OrderedDict()
        )  # their handshakes, the oldest first
        self._hosts: Counter[str] = Counter()
        self._frame_bytes: Counter[str] = Counter()

    def protocol(self) -> TLSConnection:
        """For a connection that the listener just accepted."""
        accepted = Accepted(self)
        connection = AcceptedConnection(
            self.config, self.statistics, accepted, self.identity.server_context(), self
        )
        accepted.connection = connection
        return connection

    def admit(self, connection: TLSConnection, host: str) -> bool:
        """Count it in; false, and counted as rejected, when a bound is reached. ``host``: its source."""
        config, statistics = self.config, self.statistics
        if len(self.connections) >= config.max_inbound_connections:
            bound = "total"
        elif self._hosts[host] >= config.max_inbound_connections_per_host:
            bound = "host"
        elif not self.handshakes.knows(host) and not self._room_for_unverified():
            bound = "handshakes"
        elif self.handshakes.wait(host) > config.max_host_debt:
            bound = "host_share"
        else:
            self._hosts[host] += 1
            statistics.connections_inbound += 1
            statistics.handshakes_inbound_pending += 1
            assert isinstance(connection.owner, Accepted)  # noqa: S101
            self.connections[connection] = connection.owner
            if not self.handshakes.knows(host):
                self._unverified[connection] = asyncio.get_running_loop().time()
            connection.closed.add_done_callback(lambda _: self._gone(connection, host))
            return True
        statistics.connections_rejected[bound] += 1
        _log.debug("rejected a connection from %s: bound on %s reached", host, bound)
        return False

    def _room_for_unverified(self) -> bool:
        """Handshakes of known sources are counted apart from these."""
        if len(self._unverified) < self.config.max_inbound_handshakes:
            return True
        oldest, since = next(iter(self._unverified.items()))
        if asyncio.get_running_loop().time() - since < self.config.handshake_patience:
            return False
        del self._unverified[oldest]
        self.statistics.connections_rejected["handshakes"] += 1
        oldest.abort()
        return True

    def shaken(self, connection: TLSConnection) -> None:
        """Its handshake is over; if a certificate was accepted, its source is known from now on."""
        self._unverified.pop(connection, None)
        if connection.established_at is not None and connection.peer.certificate:
            self.handshakes.know(source_of(connection.remote.host))

    def _gone(self, connection: TLSConnection, host: str) -> None:
        accepted = self.connections.pop(connection)
        self._unverified.pop(connection, None)
        accepted.gone()
        self.statistics.connections_inbound -= 1
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def hold(self, host: str, more: int) -> bool:
        """Frames of ``host`` take so much more memory, or less; whether it has not too much by now."""
        self._frame_bytes[host] += more
        if not self._frame_bytes[host]:
            del self._frame_bytes[host]
        return self._frame_bytes[host] <= self.config.max_frame_bytes_per_host

    async def close(self) -> None:
        """Close all, streams that nobody closed included."""
        connections = list(self.connections)
        for connection in connections:
            if isinstance(connection.owner, MuxConnection):
                continue  # Its close is under way.
            packets_only = isinstance(connection.owner, Accepted)
            connection.start_close(SHORT_LINGER if packets_only else None)
        if connections:
            await asyncio.wait([connection.closed for connection in connections])


class AcceptedConnection(TLSConnection):
    """A server's side of a connection; it is not admitted yet."""

    def __init__(
        self,
        config: TLSTransportConfig,
        statistics: TransportStatistics,
        owner: Accepted,
        context: ssl.SSLContext,
        inbound: Inbound,
    ) -> None:
        super().__init__(config, statistics, owner, context)
        self._inbound = inbound
        self._host = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, if the bounds allow one more."""
        began = perf_counter()
        peer = transport.get_extra_info("peername")
        self._host = source_of(str(peer[0])) if peer else ""
        if not self._inbound.admit(self, self._host):
            assert isinstance(transport, asyncio.Transport)  # noqa: S101
            self._ended = True
            transport.abort()
            return
        super().connection_made(transport)
        self._inbound.handshakes.charge(self._host, began)

    def data_received(self, data: bytes) -> None:
        """Bytes of the network; those of a handshake when its host may have one."""
        if self.established_at is not None or self._ended:
            super().data_received(data)
            return
        if self._inbound.handshakes.may_go_on(self._host):
            self._shake_hands(data)
            return
        self._inbound.statistics.throttled[self._inbound.handshakes.waits_for(self._host)] += 1
        self.pause_reading()
        self._inbound.handshakes.later(self._host, partial(self._shake_hands_later, data))

    def _shake_hands(self, data: bytes) -> None:
        began = perf_counter()
        super().data_received(data)
        self._inbound.handshakes.charge(self._host, began)

    def _shake_hands_later(self, data: bytes) -> None:
        if not self.closed.done():
            self.resume_reading()  # First: what comes behind the handshake may want to pause again.
            self._shake_hands(data)


class Accepted:
    """The owner of an accepted connection until it becomes a stream: takes PACKET frames from it."""

    def __init__(self, inbound: Inbound) -> None:
        self.connection: TLSConnection | None = None
        self._inbound = inbound
        self._loop = asyncio.get_running_loop()
        self._decoder = FrameDecoder(inbound.config.max_frame_bytes)
        self._handshaking = True
        self._timer: asyncio.TimerHandle | None = None
        self._frames: deque[PacketFrame | StreamStart] = deque()
        self._queued_bytes = 0  # of the frames
        self._held = 0  # what is counted for the host of them, and of one that is not whole
        self._paused = False
        self._ended = False
        self._gone = False
        self._from_text = ""
        self._from = Address("0.0.0.0", 0)
        self._heard_at = 0.0
        self._frame_since: float | None = None
        self.peer: PeerIdentity = PeerIdentity("", frozenset(), "")
        """Who it is, by certificate and host (nodes may share a certificate): its work is charged to it."""

    def gone(self) -> None:
        """The connection is closed."""
        self._handshake_over()
        self._cancel_timer()
        if not self._gone:
            self._gone = True
            self._inbound.hold(source_of(self.peer.host), -self._held)

    def _hold(self) -> bool:
        """Count what is held here; whether the host's connections hold no more than they may."""
        if self._gone:  # What is left of it is being delivered.
            return True
        held = self._decoder.pending + self._queued_bytes
        more, self._held = held - self._held, held
        return self._inbound.hold(source_of(self.peer.host), more)

    def connection_established(self, connection: TLSConnection) -> None:
        """Check the client's names, then wait for its first frame."""
        self._handshake_over()
        assert connection.session is not None  # noqa: S101
        self._inbound.identity.admit(connection.session.tls, connection.context, server_side=True)
        self.peer = connection.peer
        self._inbound.shaken(connection)
        if connection.application_protocol == PROTOCOL:
            self._inbound.mux_peers.accept(connection)
            return
        self._from = connection.remote
        self._frame_since = self._heard_at = self._loop.time()
        self._arm()

    def connection_received(self, connection: TLSConnection, data: bytes) -> None:
        """Whole frames to the handler; from a STREAM header on it is a stream's business."""
        began = perf_counter()
        statistics = self._inbound.statistics
        self._heard_at = self._loop.time()
        try:
            frames = self._decoder.feed(data)
        except WireError as error:
            statistics.frames_refused += 1
            self._inbound.scheduler.penalize(self.peer, VIOLATION)
            _log.debug("closing the connection of %s: %s", connection.remote, error)
            self._cancel_timer()
            connection.abort()
            return
        self._frames.extend(frames)
        self._queued_bytes += sum([len(each.data) for each in frames if isinstance(each, PacketFrame)])
        if not self._decoder.pending:
            self._frame_since = None
        elif frames or self._frame_since is None:
            self._frame_since = self._heard_at
        if not self._paused:
            if self._inbound.scheduler.may_go_on(self.peer):
                self._deliver(connection, began)
            else:
                self._wait_for_scheduler(connection, within=self._inbound.scheduler.charge(self.peer, began))
        if not self._hold():
            statistics.connections_rejected["frame_bytes"] += 1
            _log.debug("closing the connection of %s: its host's frames take too much", connection.remote)
            self._frames.clear()
            self.gone()
            connection.abort()

    def _deliver(self, connection: TLSConnection, began: float | None = None) -> None:
        """Some frames now; nothing is read while the rest wait for later iterations of the event loop.

        ``began``: when the work on them did, if not now.
        """
        inbound = self._inbound
        began = perf_counter() if began is None else began
        statistics = inbound.statistics
        frames = self._frames
        for _ in range(min(len(frames), FRAMES_AT_ONCE)):
            frame = frames.popleft()
            if not isinstance(frame, PacketFrame):
                self._hold()
                connection.resume_reading()
                self._become_stream(connection)
                return
            self._queued_bytes -= len(frame.data)
            if not frame.data:
                statistics.packets_ignored += 1
                continue
            statistics.packets_received += 1
            statistics.packet_bytes_received += len(frame.data)
            source = self._source(connection, frame.from_address)
            inbound.handler.packet_received(frame.data, source, self.peer)
            if perf_counter() - began > SLICE:
                break
        self._hold()
        within = inbound.scheduler.charge(self.peer, began)
        if frames or not within:
            self._wait_for_scheduler(connection, within=within)
        elif self._paused:
            self._paused = False
            if self._frame_since is not None:
                self._frame_since = self._loop.time()  # It was us who did not read.
            connection.resume_reading()
            if self._ended:
                connection.start_close()

    def _wait_for_scheduler(self, connection: TLSConnection, *, within: bool) -> None:
        self._inbound.statistics.throttled["peer"] += not within
        self._paused = True
        connection.pause_reading()
        self._inbound.scheduler.later(self.peer, partial(self._deliver, connection))

    def connection_ended(
        self, connection: TLSConnection, error: RefusalError | TransportError | None
    ) -> None:
        """Refusals are logged on both ends; the rest is a peer that went away."""
        self._cancel_timer()
        if isinstance(error, RefusalError):
            self._inbound.refusals.write(connection.remote, error, self._loop.time())
        elif error is not None:
            _log.debug("connection of %s ended: %s", connection.remote, error)
        elif not self._paused:
            connection.start_close()
        self._ended = True

    def connection_writable(self, connection: TLSConnection) -> None:
        """Nothing is written before the connection is a stream."""

    def _become_stream(self, connection: TLSConnection) -> None:
        self._cancel_timer()
        self._inbound.statistics.streams_accepted += 1
        stream = TLSStream(connection, self._inbound.config.read_timeout, received=self._decoder.take_rest())
        self._inbound.handler.stream_accepted(stream)

    def _source(self, connection: TLSConnection, text: str) -> Address:
        """Where the sender listens, as it announces; it announces the same with every packet."""
        if text != self._from_text:
            self._from_text = text
            self._from = listener_address(text, connection.remote)
            self._inbound.heard_from(self._from)
        return self._from

    def _handshake_over(self) -> None:
        if self._handshaking:
            self._handshaking = False
            self._inbound.statistics.handshakes_inbound_pending -= 1

    def _deadline(self) -> float:
        config = self._inbound.config
        idle = self._heard_at + config.inbound_idle_timeout
        if self._frame_since is None or self._paused:
            return idle
        # A line may be slow, but a byte now and then is no progress.
        patience = config.first_frame_timeout + self._decoder.pending / SLOWEST
        return min(idle, self._frame_since + patience)

    def _arm(self) -> None:
        soon = self._loop.time() + self._inbound.config.first_frame_timeout
        self._timer = self._loop.call_at(min(self._deadline(), soon), self._check_deadline)

    def _check_deadline(self) -> None:
        """One timer for a connection, moved when it fires and not at every frame."""
        self._timer = None
        if self._loop.time() < self._deadline():
            self._arm()
            return
        reason = "idle" if self._frame_since is None else "first_frame"
        self._inbound.statistics.connections_rejected[reason] += 1
        if self.connection is not None:
            self.connection.start_close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
