"""The asyncio side: two UDP sockets and a timer around :mod:`.incoming` and :mod:`.outgoing`, and TLS beside.

Each direction has associations of its own, dialled from a socket of its own: two nodes that dial each other
at once do not meet, and a node that restarted comes from another port and collides with nothing of its
previous run. Streams, and packets that do not fit a datagram, go the way of the TLS transport, on the same
port number.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter

from tocsin.aio import LoopTimer
from tocsin.bounded import Quota
from tocsin.errors import ClosedError, ConfigError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.base import Certificates, Stream, TransportHandler
from tocsin.gossip.transport.datagram import DatagramEndpoint, DatagramSettings, bind_datagrams, bind_pair
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.gossip.transport.dtls.cookies import Cookies
from tocsin.gossip.transport.dtls.incoming import Incoming
from tocsin.gossip.transport.dtls.outgoing import Outgoing
from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig, DTLSTransportStatistics
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.refusal_log import RefusalLog
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.transport.udp.receiving import Receiving
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.settings import ClusterTLSConfig


class DTLSTransport:
    """A :class:`~tocsin.gossip.transport.base.Transport` between Tocsin nodes."""

    def __init__(
        self,
        config: DTLSTransportConfig,
        tls: ClusterTLSConfig | None = None,
        *,
        source: Callable[[], ClusterTLSConfig] | None = None,
        watched: Sequence[Path] = (),
        random_source: random.Random | None = None,
    ) -> None:
        """Reads certificates, keys and authorities at once: :class:`ConfigError` if they cannot be used.

        ``tls``, ``source`` and ``watched`` as with the TLS transport.
        """
        self.statistics: DTLSTransportStatistics = DTLSTransportStatistics()
        self._config = config
        self._random = random_source or random.Random()
        self._tls = TLSTransport(
            config.tls,
            tls,
            source=source,
            watched=watched,
            random_source=self._random,
            statistics=self.statistics,
        )
        self._contexts = DTLSContexts(self._tls.identity, self.statistics.dtls)
        self._refusals = RefusalLog()
        self._handler: TransportHandler | None = None
        self._incoming: _Listening | None = None
        self._outgoing: _Dialling | None = None
        self._timer: LoopTimer | None = None
        self._draining = False
        self._flushed = asyncio.Event()
        self._late: Quota[PeerIdentity] = Quota(config.max_late_packets)
        self._closed = False

    @property
    def scheduler(self) -> FairScheduler | None:
        """Shares the work among peers, once started."""
        return self._tls.scheduler

    @property
    def listen_address(self) -> Address:
        """The bound address; known after :meth:`start`."""
        return self._tls.listen_address

    @property
    def advertise_address(self) -> Address:
        """What peers are given; known after :meth:`start`."""
        return self._tls.advertise_address

    @property
    def identity(self) -> ClusterIdentity:
        """Of both, TLS and DTLS."""
        return self._tls.identity

    def reload(self) -> None:
        """Read certificates and all else anew, now; :class:`ConfigError` if they cannot be used."""
        self._tls.reload()

    def expect_names(self, names: Mapping[Address, str]) -> None:
        """What listens at these addresses must show a certificate with that DNS name, from the next dial."""
        self._tls.expect_names(names)

    def peer_expiries(self) -> dict[str, float]:
        """Of the TLS connections."""
        return self._tls.peer_expiries()

    @property
    def certificates(self) -> Certificates:
        """Those of both, TLS and DTLS."""
        return self._tls

    async def start(self, handler: TransportHandler) -> None:
        """Bind; :class:`ConfigError` when the address cannot be bound or advertised."""
        if self._closed:
            raise ClosedError("the transport was closed")
        listen = self._config.tls.listen_address
        streams, datagrams = bind_pair(listen)
        try:
            dialling = bind_datagrams(Address(listen.host, 0))
        except OSError as error:
            streams.close()
            datagrams.close()
            raise ConfigError(
                "listen_address", f"no second UDP socket: {error.strerror}", "choose another address"
            ) from None
        try:
            await self._tls.start(handler, streams)
        except BaseException:
            for each in (streams, datagrams, dialling):
                each.close()
            raise
        self._handler = handler
        self._timer = LoopTimer(self._timed_out)
        cookies = Cookies(lambda: os.urandom(32))
        incoming = Incoming(self._config, self._contexts, cookies, self.statistics)
        port = self._tls.advertise_address.port
        outgoing = Outgoing(self._config, self._contexts, self.statistics, self._random, port)
        self._incoming = _Listening(incoming, self._config, self.statistics, self._drain, handler)
        self._outgoing = _Dialling(outgoing, self._config, self.statistics, self._drain)
        self._incoming.endpoint.start(datagrams)
        self._outgoing.endpoint.start(dialling)

    def send_packet(self, destination: Address, data: bytes, node: str = "") -> None:
        """Seal one packet into one datagram; a longer one goes over TLS."""
        if self._outgoing is None or self._closed:
            self.statistics.packets_dropped["closed"] += 1
        elif not data:
            self.statistics.packets_dropped["empty"] += 1
        elif len(data) > self._config.max_packet_bytes:
            self._tls.send_packet(destination, data, node)
        else:
            self._outgoing.part.send(destination, data, asyncio.get_running_loop().time())
            self._drain()

    def backlog(self, destination: Address) -> int:
        """Bytes that wait for a handshake, for the kernel, or for a peer that reads slowly."""
        outgoing = self._outgoing
        if outgoing is None:
            return 0
        waiting = outgoing.part.backlog(destination) + outgoing.endpoint.backlog(destination)
        return waiting + self._tls.backlog(destination)

    @property
    def connection_limit(self) -> int:
        """Outbound associations at most."""
        return self._config.max_outbound_associations

    def connected(self) -> list[Address]:
        """The destinations that a packet reaches without a handshake."""
        return self._outgoing.part.connected() if self._outgoing is not None else []

    async def open_stream(self, destination: Address, timeout: float, node: str = "") -> Stream:
        """As the TLS transport does."""
        return await self._tls.open_stream(destination, timeout, node)

    async def close(self) -> None:
        """Flush, send close_notify to the peers, close everything; bounded by the close deadline.
        Idempotent."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(self._tls.close(), self._close_associations())

    async def _close_associations(self) -> None:
        incoming, outgoing = self._incoming, self._outgoing
        if incoming is None or outgoing is None:
            return
        if outgoing.part.busy:
            self._flushed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.tls.close_timeout):
                    await self._flushed.wait()
        outgoing.part.close()
        incoming.part.close()
        self._drain()
        if self._timer is not None:
            self._timer.stop()
        self._incoming = self._outgoing = None
        await asyncio.gather(outgoing.close(), incoming.close())

    def _drain(self) -> None:
        """Carry out effects until there are none; then arm the timer."""
        if self._draining or self._incoming is None or self._outgoing is None:
            return  # The handler came back to us: the loop below goes on with what that made.
        self._draining = True
        handler, outgoing = self._handler, self._outgoing.part
        now = asyncio.get_running_loop().time()
        try:
            again = True
            while again:
                again = False
                for side in (self._incoming, self._outgoing):
                    effects = side.take()
                    for address, datagram in effects.datagrams:
                        side.send(address, datagram)
                    for address, refusal in effects.refusals:
                        self._refusals.write(address, refusal, now)
                    if handler is None:
                        continue
                    for address, peer in effects.identified:
                        handler.peer_identified(address, peer)
                    for packet, source, peer in effects.packets:
                        outgoing.heard_from(source)
                        self._deliver(packet, source, peer)
                    for address, reason in effects.failures:
                        handler.packet_failed(address, reason)
                    again = again or bool(effects.packets or effects.failures or effects.identified)
        finally:
            self._draining = False
        self.statistics.receive_buffer_bytes = self._incoming.wire.receive_buffer_bytes
        self.statistics.receive_buffer_drops = (
            self._incoming.wire.receive_buffer_drops + self._outgoing.wire.receive_buffer_drops
        )
        if not outgoing.busy:
            self._flushed.set()
        self._arm()

    def _deliver(self, packet: bytes, source: Address, peer: PeerIdentity) -> None:
        """Now, or when the peer may cause more work: nobody can be kept from sending datagrams."""
        scheduler, dtls = self.scheduler, self.statistics.dtls
        if scheduler is None or scheduler.may_go_on(peer):
            self._receive(packet, source, peer)
        elif not self._late.acquire(peer):
            dtls.datagrams_ignored["share"] += 1
        else:
            self.statistics.throttled["peer"] += 1
            scheduler.later(peer, partial(self._receive_late, packet, source, peer))

    def _receive_late(self, packet: bytes, source: Address, peer: PeerIdentity) -> None:
        self._late.release(peer)
        self._receive(packet, source, peer)

    def _receive(self, packet: bytes, source: Address, peer: PeerIdentity) -> None:
        began = perf_counter()
        if self._handler is not None:
            self._handler.packet_received(packet, source, peer)
        if self.scheduler is not None:
            self.scheduler.charge(peer, began)

    def _arm(self) -> None:
        if self._incoming is None or self._outgoing is None:
            return
        due = [
            when
            for when in (self._incoming.part.next_timeout(), self._outgoing.part.next_timeout())
            if when is not None
        ]
        if self._timer is not None:
            self._timer.arm(min(due, default=None))

    def _timed_out(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._incoming is not None and self._outgoing is not None:
            self._incoming.part.handle_timeout(now)
            self._outgoing.part.handle_timeout(now)
            self._drain()


class _Side:
    """A socket, and what is counted on it."""

    def __init__(
        self,
        config: DTLSTransportConfig,
        statistics: DTLSTransportStatistics,
        drain: Callable[[], None],
    ) -> None:
        self.wire = TransportStatistics(packets_dropped=statistics.dtls.datagrams_dropped)
        self._config = config
        self._statistics = statistics.dtls
        self._loop = asyncio.get_running_loop()
        self._receiving = Receiving(self._read, self.is_member, statistics.packets_shed, config.shares)
        self.drain = drain
        self.endpoint = DatagramEndpoint(
            self,
            self.wire,
            DatagramSettings(
                max_queued_packets=config.tls.max_queued_packets,
                max_queued_bytes=config.tls.max_queued_bytes,
                close_timeout=config.tls.close_timeout,
            ),
        )

    def send(self, address: Address, datagram: bytes) -> None:
        """Pass a datagram to the kernel."""
        self._statistics.datagrams_sent += 1
        self._statistics.datagram_bytes_sent += len(datagram)
        self.endpoint.send(address, datagram)

    def datagram_received(self, data: bytes, source: Address) -> None:
        """A datagram from the kernel."""
        self._statistics.datagrams_received += 1
        self._statistics.datagram_bytes_received += len(data)
        if len(data) > self._config.max_datagram_bytes:
            self._statistics.datagrams_ignored["too_long"] += 1
            return
        self._receiving.received(data, source)

    def _read(self, data: bytes, source: Address) -> None:
        """Read one now: what was in it is dealt with before the next one is read."""
        self.receive(data, source, self._loop.time())
        self.drain()

    async def close(self) -> None:
        """What waits is lost; what is queued is sent."""
        self._receiving.close()
        await self.endpoint.close()

    def datagram_failed(self, destination: Address, reason: str) -> None:
        """One was not sent, or refused on its way."""

    def is_member(self, source: Address) -> bool:
        """Whether what comes from there is worked on before what others send: nothing is verified yet."""
        raise NotImplementedError

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Into the associations."""
        raise NotImplementedError


class _Listening(_Side):
    """The port that others know."""

    def __init__(
        self,
        part: Incoming,
        config: DTLSTransportConfig,
        statistics: DTLSTransportStatistics,
        drain: Callable[[], None],
        handler: TransportHandler,
    ) -> None:
        super().__init__(config, statistics, drain)
        self.part = part
        self._handler = handler
        self.take = part.drain

    def is_member(self, source: Address) -> bool:
        return self._handler.is_member(source.host) or self.part.knows(source)

    def receive(self, data: bytes, source: Address, now: float) -> None:
        self.part.receive(data, source, now)


class _Dialling(_Side):
    """A port of the system's choice."""

    def __init__(
        self,
        part: Outgoing,
        config: DTLSTransportConfig,
        statistics: DTLSTransportStatistics,
        drain: Callable[[], None],
    ) -> None:
        super().__init__(config, statistics, drain)
        self.part = part
        self.take = part.drain
        self._refused = 0

    def is_member(self, source: Address) -> bool:
        return self.part.dials(source)

    def receive(self, data: bytes, source: Address, now: float) -> None:
        self.part.receive(data, source, now)

    def datagram_failed(self, destination: Address, reason: str) -> None:
        refused = self.wire.dial_failures.total()
        if refused != self._refused:
            self._refused = refused
            self.part.unreachable(destination, reason, self._loop.time())
        else:
            self.part.effects.failures.append((destination, reason))
        self._loop.call_soon(self.drain)
