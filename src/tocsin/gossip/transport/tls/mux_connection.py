"""Joins a :class:`MuxSession` to a TLS connection, to the clock and to who handles packets and streams."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import Final, Protocol

from tocsin.aio import LoopTimer
from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.base import TransportHandler
from tocsin.gossip.transport.mux.outgoing import BATCH
from tocsin.gossip.transport.mux.session import MuxSession
from tocsin.gossip.transport.mux.settings import (
    GoingAway,
    HelloReceived,
    MuxConfig,
    MuxEvent,
    PacketReceived,
    Started,
    StreamChanged,
    StreamOpened,
)
from tocsin.gossip.transport.mux.stream import MuxStream
from tocsin.gossip.transport.scheduler import SLICE, VIOLATION, FairScheduler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.connection import SHORT_LINGER, TLSConnection
from tocsin.gossip.transport.tls.mux_stream import MultiplexedStream
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.wire import mux as wire
from tocsin.gossip.wire.mux import Hello, MuxCode, MuxError
from tocsin.tls.refusal import RefusalError

_log = logging.getLogger(__name__)

_DRAIN_TIME: Final = 60.0
"""How long streams may go on after a GOAWAY that is not our own end."""

_UNSENT: Final = 128 * 1024
"""Bytes that the kernel may hold unsent: a packet never waits behind more of a stream."""


class MuxOwner(Protocol):
    """Gets the events of a connection. Called on the event loop; never raises."""

    def mux_hello(self, mux: MuxConnection, hello: Hello) -> None:
        """The peer said who it is: answer, decide."""

    def mux_started(self, mux: MuxConnection) -> None:
        """The peer sent START."""

    def mux_going(self, mux: MuxConnection) -> None:
        """The peer sent GOAWAY: nothing new can be sent."""

    def mux_ended(self, mux: MuxConnection, error: RefusalError | TransportError | MuxError | None) -> None:
        """It is over; called once. What was not sent is still in the session."""


class MuxConnection:
    """One connection that speaks ``tocsin/1``. ``destination``: where we dialled, None if we accepted it."""

    def __init__(
        self,
        connection: TLSConnection,
        owner: MuxOwner,
        config: TLSTransportConfig,
        mux_config: MuxConfig,
        handler: TransportHandler,
        statistics: TransportStatistics,
        *,
        sequence: int,
        destination: Address | None,
        scheduler: FairScheduler,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.peer: PeerIdentity = connection.peer
        """Whom the work that comes of it is charged to."""
        self._scheduler = scheduler
        self.connection = connection
        self.destination = destination
        self.config = config
        self.sequence = sequence
        self.source: Address = connection.remote
        """The listener's address that the peer announces; the connection's remote address until it has
        announced one."""
        self.carries: set[Address] = set() if destination is None else {destination}
        """What goes to these addresses may go here: the peer has proven to be what listens there."""
        self.used_at: float = loop.time()
        """When it last brought or took a packet or a stream."""
        self.renews = False
        """It is to replace another one, made under older certificates."""
        self.two_way = False
        """The accepting side may use it for its own packets and streams too."""
        self.over: bool = False
        self.error: RefusalError | TransportError | None = None
        """Why it ended."""
        self.settled: asyncio.Future[None] = loop.create_future()
        """Done when it is in use, or over."""
        self.session: MuxSession = MuxSession(
            mux_config, loop.time(), dialler=destination is not None, statistics=statistics.mux
        )
        self._owner = owner
        self._handler = handler
        self._statistics = statistics
        self._loop = loop
        self._streams: dict[int, MultiplexedStream] = {}
        self._events: deque[MuxEvent] = deque()
        self._more = False
        self._working = False
        self._ending: tuple[RefusalError | TransportError | None] | None = None
        """Why nothing more comes, once that is so and not all that came has been read."""
        self._flushing = False
        self._drains_until = 0.0
        self._timer = LoopTimer(self._timed_out)
        self._limit_unsent()
        self._arm()
        connection.hand_over(self)

    @property
    def usable(self) -> bool:
        """Packets and streams can be sent."""
        return self.session.open and not self.session.closing and not self.over and not self.ending

    @property
    def ending(self) -> bool:
        """The peer has ended it, and what it had sent is still being read."""
        return self._ending is not None

    @property
    def queued_bytes(self) -> int:
        """Bytes of packets that wait for the kernel to accept more."""
        return self.session.queued_packet_bytes

    @property
    def packets_dropped(self) -> int:
        """Packets that a full queue has dropped, on all connections."""
        return self.session.statistics.packets_dropped["queue_full"]

    def send_packet(self, data: bytes) -> bool:
        """Queue a packet; false if it cannot go this way any more."""
        if self.over or self.ending or not self.session.send_packet(data):
            return False
        self.used_at = self._loop.time()
        self.flush_soon()
        return True

    def open_stream(self, destination: Address) -> MultiplexedStream:
        """A stream, at once; :class:`TransportError` when there can be none now."""
        if self.over or self.ending:
            raise TransportError("the connection is closed")
        state = self.session.open_stream()
        self.used_at = self._loop.time()
        stream = self._streams[state.identifier] = MultiplexedStream(self, state, destination)
        self._statistics.streams_opened += 1
        self.flush_soon()
        return stream

    def let_go(self, state: MuxStream) -> None:
        """The application has done with a stream."""
        self._streams.pop(state.identifier, None)
        self.session.let_go(state)
        self.flush_soon()

    def start(self) -> None:
        """Send START."""
        self.session.start()
        self._arm()
        self.flush_soon()

    def leave(self, code: MuxCode = MuxCode.NONE, text: str = "") -> None:
        """Orderly: what is queued goes out, then GOAWAY; closes when the peer did so too, or late."""
        if self.over or self.session.goaway_queued:
            return
        self.session.send_goaway(code, text)
        self._drains_until = self._loop.time() + _DRAIN_TIME
        self._arm(self._loop.time() + self.config.close_timeout)
        self.flush_soon()

    def close_all(self) -> None:
        """:meth:`leave`, and the end of every stream that nobody closed."""
        for stream in self._streams.values():
            self.session.finish(stream.state)
        if self.session.open or self.session.peer is not None:
            self.leave()
            self._drains_until = self._loop.time()
        else:
            self._end(TransportError("the transport was closed"))
            self.connection.start_close(SHORT_LINGER)

    def settle(self) -> None:
        """Wake those who wait for :attr:`settled`."""
        if not self.settled.done():
            self.settled.set_result(None)

    def abort(self, error: TransportError | MuxError) -> None:
        """End it at once."""
        self._end(error)
        self.connection.abort()

    def flush_soon(self) -> None:
        """Send once this iteration of the event loop is over: what one iteration sends shares records."""
        if not self._flushing and not self.over:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        connection = self.connection
        try:
            while connection.writable and not self.over:
                data = self.session.data_to_send(BATCH)
                if not data:
                    break
                connection.write(data)
                packets, size = self.session.take_sent()
                self._statistics.packets_sent += packets
                self._statistics.packet_bytes_sent += size
        except TransportError as error:
            self.abort(error)
            return
        self._take_events()
        if self.session.finished and not self.over:
            self._end(None)
            self.connection.start_close()

    # the connection's owner

    def connection_established(self, connection: TLSConnection) -> None:
        """It is established already."""

    def connection_received(self, connection: TLSConnection, data: bytes) -> None:  # noqa: ARG002
        """Frames; some now, the rest in later iterations of the event loop, and nothing is read meanwhile."""
        if self._working or not self._scheduler.may_go_on(self.peer):
            # A peer that is in debt waits also on a connection that it has just made.
            self.session.receive(data, self._loop.time(), 0)
            self._wait_for_scheduler(within=not self._scheduler.wait(self.peer))
        else:
            self._receive(data)

    def connection_ended(
        self, connection: TLSConnection, error: RefusalError | TransportError | None
    ) -> None:
        """Process all that was received, in later iterations; then end."""
        if self._working and not self.over:
            self._ending = (error,)
            return
        self._end(error)
        if error is None:
            connection.start_close()

    def connection_writable(self, connection: TLSConnection) -> None:  # noqa: ARG002
        """Send what waited."""
        self._flush()

    # within

    def _receive(self, data: bytes) -> None:
        began, now = perf_counter(), self._loop.time()
        for _ in range(self.session.config.frames_at_once):
            try:
                # One by one: what a packet costs is known only afterwards.
                self._more = self.session.receive(data, now, 1)
            except MuxError as error:
                self._scheduler.penalize(self.peer, VIOLATION)
                self._take_events()
                self._broken(error)
                return
            data = b""
            self._take_events()
            if not self._more or self.over or perf_counter() - began > SLICE:
                break
        within = self._scheduler.charge(self.peer, began)
        if (self._more or not within) and not self.over:
            self._wait_for_scheduler(within=within)
        self.flush_soon()

    def _wait_for_scheduler(self, *, within: bool) -> None:
        if not self._working:
            self._statistics.throttled["peer"] += not within
            self._working = True
            self.connection.pause_reading()
            self._scheduler.later(self.peer, self._work)

    def _work(self) -> None:
        self._working = False
        if self.over:
            return
        self._more = False
        self._receive(b"")
        if self._working:
            return
        if self._ending is None:
            self.connection.resume_reading()
            return
        [error] = self._ending
        self._end(error)
        if error is None:
            self.connection.start_close()

    def _take_events(self) -> None:
        for event in self.session.events():
            if isinstance(event, PacketReceived):
                self._packet(event.data)
            elif isinstance(event, StreamChanged):
                stream = self._streams.get(event.stream)
                if stream is not None:
                    stream.changed()
            elif isinstance(event, StreamOpened):
                self._accept(event.stream)
            elif isinstance(event, HelloReceived):
                self._owner.mux_hello(self, event.hello)
            elif isinstance(event, Started):
                self._arm()
                self._owner.mux_started(self)
            elif isinstance(event, GoingAway):
                _log.debug("%s sent GOAWAY: %s %s", self.source, event.code.name, event.text)
                self._owner.mux_going(self)
                self.leave()

    def _packet(self, data: bytes) -> None:
        statistics = self._statistics
        if not data:
            statistics.packets_ignored += 1
            return
        self.used_at = self._loop.time()
        statistics.packets_received += 1
        statistics.packet_bytes_received += len(data)
        self._handler.packet_received(data, self.source, self.connection.peer)

    def _accept(self, identifier: int) -> None:
        state = self.session.stream(identifier)
        if state is None:
            self.session.forget(identifier)  # Opened and reset in one read.
            return
        self.used_at = self._loop.time()
        stream = self._streams[identifier] = MultiplexedStream(self, state, self.connection.remote)
        self._statistics.streams_accepted += 1
        self._handler.stream_accepted(stream)

    def _broken(self, error: MuxError) -> None:
        """Send the reason to the peer (GOAWAY), and close."""
        if self.over:
            return
        _log.debug("closing the connection of %s: %s", self.connection.remote, error)
        self._statistics.frames_refused += 1
        if self.connection.writable:
            with suppress(TransportError):
                self.connection.write(wire.encode_reason(wire.GOAWAY, 0, error.code, error.problem))
        self._end(error)
        self.connection.start_close(SHORT_LINGER)

    def _end(self, error: RefusalError | TransportError | MuxError | None) -> None:
        if self.over:
            return
        self.over = True
        self.session.drop_unfinished()
        self._timer.stop()
        for stream in list(self._streams.values()):
            state = stream.state
            if not state.over:
                state.cut(f"the connection ended{f': {error}' if error is not None else ''}")
            stream.changed()
        self._streams.clear()
        self.error = TransportError(str(error)) if isinstance(error, MuxError) else error
        self._owner.mux_ended(self, error)

    def _arm(self, at: float | None = None) -> None:
        self._timer.arm(self.session.next_timeout() if at is None else at)

    def _timed_out(self) -> None:
        if self.over:
            return
        now = self._loop.time()
        if self.session.goaway_queued:
            if self.session.streams and now < self._drains_until:
                self._arm(now + self.config.close_timeout)
                return
            self._end(TransportError("the orderly close took too long"))
            self.connection.start_close(SHORT_LINGER)
            return
        try:
            self.session.handle_timeout(now)
        except MuxError as error:
            reason = "heartbeat" if self.session.open else "hello"
            self._statistics.connections_lost[reason] += 1
            self.abort(TransportError(error.problem))
            return
        self.flush_soon()
        self._arm()

    def _limit_unsent(self) -> None:
        sock = self.connection.tcp_socket
        if sock is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
