"""All ``tocsin/1`` connections of a node: which one carries what goes to an address.

Two nodes keep one connection, whichever side dialled. When both dial at once, the node with the smaller
``instance`` decides: it sends START on the connection to use and GOAWAY on the other, and before START
nothing else is sent, so nothing is lost. A connection that is replaced later is drained. docs/tocsin-1.md
has the rules.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final, Protocol

from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.base import TransportHandler
from tocsin.gossip.transport.mux.settings import MuxConfig
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.connection import PROVEN_AFTER, TLSConnection
from tocsin.gossip.transport.tls.dial import Dialer
from tocsin.gossip.transport.tls.listener import listener_address
from tocsin.gossip.transport.tls.listener_proof import proves_listener
from tocsin.gossip.transport.tls.mux_connection import MuxConnection
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.wire.mux import INSTANCE_SIZE, PROTOCOL, Hello, MuxCode, MuxError
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.refusal import RefusalError

_REMEMBERED: Final = 4096
"""Peers known to speak Alertmanager's framing."""


class MuxUser(Protocol):
    """The pool of links, which learns by which connection an address is reached."""

    def mux_active(self, address: Address, mux: MuxConnection) -> None:
        """From now on ``mux`` carries what goes to ``address``."""

    def mux_gone(
        self, address: Address, mux: MuxConnection, error: Exception | None, *, lost: bool, proven: bool
    ) -> None:
        """``mux`` takes nothing more. ``lost``: packets were; ``proven``: it had worked for a while."""

    def heard_from(self, address: Address) -> None:
        """A peer that listens there has reached us."""


class MuxPeers:
    """Makes, chooses between and closes :class:`MuxConnection` objects."""

    def __init__(
        self,
        config: TLSTransportConfig,
        identity: ClusterIdentity,
        dialer: Dialer,
        handler: TransportHandler,
        statistics: TransportStatistics,
        random_source: random.Random,
        advertised: str,
        scheduler: FairScheduler,
        user: MuxUser,
    ) -> None:
        self._scheduler = scheduler
        self.instance: bytes = random_source.randbytes(INSTANCE_SIZE)
        self._user = user
        self._config = config
        self._mux_config = MuxConfig(
            max_streams=config.max_mux_streams,
            max_packet=config.max_frame_bytes,
            max_queued_packets=config.max_queued_packets,
            max_queued_bytes=config.max_queued_bytes,
            hello_timeout=config.first_frame_timeout,
            heartbeat_interval=config.heartbeat_interval,
        )
        self._identity = identity
        self._dialer = dialer
        self._handler = handler
        self._statistics = statistics
        self._advertised = advertised
        self._loop = asyncio.get_running_loop()
        self._sequence = 0
        self._connections: set[MuxConnection] = set()
        self._active: dict[Address, MuxConnection] = {}
        self._attempts: dict[Address, asyncio.Future[None]] = {}
        self._framing: dict[Address, None] = {}
        self._spares: set[asyncio.Task[TLSConnection]] = set()
        self._closed = False

    def active(self, destination: Address) -> MuxConnection | None:
        """The connection that reaches ``destination``, if there is one."""
        mux = self._active.get(destination)
        return mux if mux is not None and mux.usable else None

    async def connect(self, destination: Address, limit: float) -> MuxConnection | TLSConnection:
        """What reaches ``destination`` within ``limit`` seconds: a shared connection, or if the peer does not
        speak ``tocsin/1`` a new one for the caller alone. Raises like :meth:`Dialer.dial`.
        """
        deadline = self._loop.time() + limit
        shares = self._config.offer_alpn
        while shares and (running := self._attempts.get(destination)) is not None:
            if self.active(destination) is not None or destination in self._framing:
                break
            await asyncio.wait({running}, timeout=max(0.0, deadline - self._loop.time()))
            if not running.done():
                self._statistics.dial_failures["timeout"] += 1
                raise TransportError(f"dialling {destination} took longer than {limit:g} s")
        if (mux := self.active(destination)) is not None:
            return mux
        if not shares or destination in self._attempts:
            return await self._dialled(destination, await self._dialer.dial(destination, limit), deadline)
        attempt = self._attempts[destination] = self._loop.create_future()
        dial = self._loop.create_task(self._dialer.dial(destination, max(0.0, deadline - self._loop.time())))
        try:
            await asyncio.wait({dial, attempt}, return_when=asyncio.FIRST_COMPLETED)
            if not dial.done() and (mux := self.active(destination)) is not None:
                # The peer's own dial was quicker. Ours is closed when it gets through: cutting it now would
                # look like a failed handshake over there.
                self._spares.add(dial)
                dial.add_done_callback(self._close_spare)
                return mux
            return await self._dialled(destination, await dial, deadline)
        except asyncio.CancelledError:
            dial.cancel()
            raise
        finally:
            del self._attempts[destination]
            if not attempt.done():
                attempt.set_result(None)

    def accept(self, connection: TLSConnection) -> None:
        """An accepted connection that negotiated ``tocsin/1``; the peer says HELLO first."""
        self._make(connection, None)

    async def close(self) -> None:
        """GOAWAY on every connection: what is queued arrives. Bounded by the close deadline."""
        self._closed = True
        for spare in list(self._spares):
            spare.cancel()
        ending = [mux.connection.closed for mux in self._connections]
        for mux in list(self._connections):
            mux.close_all()
        if ending:
            await asyncio.wait(ending)

    @property
    def connections(self) -> list[MuxConnection]:
        """All of them, those included that are not in use yet or any more."""
        return list(self._connections)

    async def renew(self, mux: MuxConnection, limit: float) -> None:
        """Open a connection that replaces ``mux``, which then ends once it is drained.

        One that carries nothing of ours is left to its dialler: it is sent GOAWAY, and dials again when it
        has something to send. Raises like :meth:`Dialer.dial`.
        """
        address = mux.destination or next(iter(mux.carries), None)
        if address is None:
            mux.leave()
            return
        connection = await self._dialer.dial(address, limit)
        self._handler.peer_identified(address, connection.peer)
        if connection.application_protocol != PROTOCOL or self._closed or not mux.usable:
            connection.start_close()
            if mux.usable:
                mux.leave()
            return
        new = self._make(connection, address)
        new.renews = True
        # Not naming the one in use says that it is to be replaced.
        self._send_hello(new, current=None, two_way=False)

    def release(self, address: Address) -> None:
        """``address`` is not wanted any more: the last one takes the connection with it."""
        mux = self._active.pop(address, None)
        if mux is not None and mux not in self._active.values():
            mux.leave()

    async def _dialled(
        self, destination: Address, connection: TLSConnection, deadline: float
    ) -> MuxConnection | TLSConnection:
        self._handler.peer_identified(destination, connection.peer)
        if connection.application_protocol != PROTOCOL:
            if self._config.offer_alpn:
                self._framing[destination] = None
                while len(self._framing) > _REMEMBERED:
                    del self._framing[next(iter(self._framing))]
            return connection
        self._framing.pop(destination, None)
        mux = self.active(destination)
        if mux is not None or self._closed:
            connection.start_close()
            if mux is None:
                raise TransportError("the transport was closed")
            return mux
        current = self._latest(destination)
        own = self._make(connection, destination)
        self._send_hello(own, current=current, two_way=False)
        while (mux := self.active(destination)) is None:
            waiting = self._latest(destination)
            if waiting is None:
                raise own.error or TransportError(f"{destination} closed the connection at once")
            if self._loop.time() >= deadline:
                own.abort(TransportError("no HELLO and START in time"))
                self._statistics.dial_failures["timeout"] += 1
                raise TransportError(f"{destination} did not begin to speak {PROTOCOL} in time")
            await asyncio.wait({waiting.settled}, timeout=max(0.0, deadline - self._loop.time()))
        return mux

    def _close_spare(self, dial: asyncio.Task[TLSConnection]) -> None:
        self._spares.discard(dial)
        if not dial.cancelled() and dial.exception() is None:
            dial.result().start_close()

    def _make(self, connection: TLSConnection, destination: Address | None) -> MuxConnection:
        self._sequence += 1
        mux = MuxConnection(
            connection,
            self,
            self._config,
            self._mux_config,
            self._handler,
            self._statistics,
            sequence=self._sequence,
            destination=destination,
            scheduler=self._scheduler,
        )
        if not mux.over:
            self._connections.add(mux)
            self._statistics.connections_mux += 1
        return mux

    def _latest(self, address: Address) -> MuxConnection | None:
        """The newest connection that carries, or may soon carry, what goes to ``address``."""
        alive = (
            mux
            for mux in self._connections
            if address in mux.carries and not mux.session.closing and not mux.ending
        )
        return max(alive, key=lambda mux: mux.sequence, default=None)

    def _send_hello(self, mux: MuxConnection, *, current: MuxConnection | None, two_way: bool) -> None:
        mux.two_way = two_way
        mux.session.send_hello(
            instance=self.instance,
            address=self._advertised,
            sequence=mux.sequence,
            current=current.sequence if current is not None else 0,
            two_way=two_way,
        )
        mux.flush_soon()

    # what happens on connections

    def mux_hello(self, mux: MuxConnection, hello: Hello) -> None:
        """Answer as the accepting side; decide if it is ours to decide."""
        mux.source = listener_address(hello.address, mux.connection.remote)
        self._user.heard_from(mux.source)
        proven = hello.instance != self.instance and proves_listener(
            self._identity, mux.connection, mux.source
        )
        if proven:
            self._handler.peer_identified(mux.source, mux.connection.peer)
        if mux.destination is None:
            current = self._latest(mux.source) if proven else None
            if proven:
                mux.carries.add(mux.source)
            self._send_hello(mux, current=current, two_way=proven)
            if not proven:
                mux.start()
                return
        else:
            mux.two_way = hello.two_way
            if proven and hello.two_way:
                mux.carries.add(mux.source)
        if mux.two_way and self.instance < hello.instance:
            self._decide(mux, hello)

    def _decide(self, mux: MuxConnection, hello: Hello) -> None:
        for address in mux.carries:
            other = self.active(address)
            if mux.renews or other is None or not other.two_way or other.session.peer is None:
                continue
            theirs = other.session.peer
            if theirs.instance == hello.instance and (
                hello.sequence < theirs.sequence or hello.current == theirs.sequence
            ):
                # The peer had the other one when it said HELLO here, or got it since.
                self._statistics.mux_duplicates += 1
                mux.leave(MuxCode.DUPLICATE, "another connection is in use")
                return
        mux.start()
        self._activate(mux)

    def mux_started(self, mux: MuxConnection) -> None:
        """The peer has decided for this one."""
        self._activate(mux)

    def _activate(self, mux: MuxConnection) -> None:
        for address in mux.carries:
            old = self._active.get(address)
            self._active[address] = mux
            if old is not None and old is not mux:
                for data in old.session.take_packets():
                    mux.send_packet(data)
                if old not in self._active.values():
                    old.leave(MuxCode.DUPLICATE, "a newer connection is in use")
            self._user.mux_active(address, mux)
            self._wake(address)
        mux.settle()

    def mux_going(self, mux: MuxConnection) -> None:
        """Nothing new may be sent there."""
        self._detach(mux, None, lost=False)

    def mux_ended(self, mux: MuxConnection, error: RefusalError | TransportError | MuxError | None) -> None:
        """Notify those that wait for it."""
        if mux in self._connections:
            self._connections.discard(mux)
            self._statistics.connections_mux -= 1
        unsent = len(mux.session.take_packets())
        if unsent:
            self._statistics.packets_dropped["lost"] += unsent
        attached = self._detach(mux, error, lost=bool(unsent))
        if unsent and not attached:
            self._handler.packet_failed(mux.source, str(error or "the connection was closed"))
        mux.settle()

    def _detach(self, mux: MuxConnection, error: Exception | None, *, lost: bool) -> bool:
        """Whether it carried something."""
        started = mux.connection.established_at or self._loop.time()
        proven = mux.session.open and self._loop.time() - started >= PROVEN_AFTER
        attached = False
        for address in mux.carries:
            if self._active.get(address) is mux:
                del self._active[address]
                attached = True
                self._user.mux_gone(address, mux, error, lost=lost, proven=proven)
        return attached

    def _wake(self, address: Address) -> None:
        attempt = self._attempts.get(address)
        if attempt is not None and not attempt.done():
            attempt.set_result(None)
