"""Alertmanager's TLS transport: TCP only, one port, kept-alive connections for packets, one for each stream.

Source: wire 3.2. With a peer that offers or chooses the ALPN protocol ``tocsin/1`` one
connection carries everything (:mod:`.mux_peers`); one that does not gets Alertmanager's framing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tocsin.errors import ClosedError, ConfigError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.base import Certificates, Stream, TransportHandler
from tocsin.gossip.transport.listening import bound_socket
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.dial import Dialer
from tocsin.gossip.transport.tls.inbound import Inbound
from tocsin.gossip.transport.tls.mux_connection import MuxConnection
from tocsin.gossip.transport.tls.mux_peers import MuxPeers
from tocsin.gossip.transport.tls.pool import PacketPool
from tocsin.gossip.transport.tls.refusal_log import RefusalLog
from tocsin.gossip.transport.tls.rotation import Rotation
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.stream import TLSStream
from tocsin.gossip.transport.views import ConnectionView, RefusalView, TrustView
from tocsin.gossip.wire.framing import STREAM_HEADER, packet_frame_size
from tocsin.gossip.wire.mux import PROTOCOL
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.refusal import RefusalError
from tocsin.tls.settings import ClusterTLSConfig


class TLSTransport:
    """A :class:`~tocsin.gossip.transport.base.Transport` that Go Alertmanagers speak too."""

    def __init__(
        self,
        config: TLSTransportConfig,
        tls: ClusterTLSConfig | None = None,
        *,
        source: Callable[[], ClusterTLSConfig] | None = None,
        watched: Sequence[Path] = (),
        random_source: random.Random | None = None,
        statistics: TransportStatistics | None = None,
    ) -> None:
        """Reads certificates, keys and authorities at once: :class:`ConfigError` if they cannot be used.

        ``statistics``: of a transport that this one is a part of.
        ``tls``, or a ``source`` of it that is asked again when one of the files ``watched`` has changed.
        """
        self.identity: ClusterIdentity = ClusterIdentity(
            tls, [PROTOCOL] if config.offer_alpn else [], source=source, watched=watched
        )
        self.statistics: TransportStatistics = statistics or TransportStatistics()
        self.config = config
        self._random = random_source or random.Random()
        self._server: asyncio.Server | None = None
        self._listen_address = config.listen_address
        self._advertised = ""
        self._pool: PacketPool | None = None
        self._mux_peers: MuxPeers | None = None
        self._inbound: Inbound | None = None
        self._rotation: Rotation | None = None
        self._dialer = Dialer(config, self.identity, self.statistics)
        self._refusals = RefusalLog()
        self._handler: TransportHandler | None = None
        self._closed = False
        self.scheduler: FairScheduler | None = None
        """What shares the event loop among the peers; made by :meth:`start`."""

    @property
    def listen_address(self) -> Address:
        """The bound address; known after :meth:`start`."""
        return self._listen_address

    @property
    def advertise_address(self) -> Address:
        """What goes out with each packet as the sender's address; known after :meth:`start`."""
        advertised = self.config.advertise_address or self._listen_address
        return advertised if advertised.port else Address(advertised.host, self._listen_address.port)

    @property
    def certificates(self) -> Certificates:
        """Its own."""
        return self

    async def start(self, handler: TransportHandler, listener: socket.socket | None = None) -> None:
        """Bind and listen, on ``listener`` if that is bound already.

        :class:`ConfigError` when the address cannot be bound or advertised.
        """
        if self._closed:
            raise ClosedError("the transport was closed")
        self.check_addresses()
        wanted = self.config.listen_address
        try:
            listener = listener or bound_socket(wanted)
            # No connection is accepted before the loop's next iteration.
            self._server = await asyncio.get_running_loop().create_server(
                self.accepted, sock=listener, backlog=512
            )
        except (OSError, OverflowError) as error:
            problem = getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                "listen_address", f"cannot listen on {wanted}: {problem}", "choose a free address"
            ) from None
        self.attach(handler, Address(wanted.host, self._server.sockets[0].getsockname()[1]))

    def check_addresses(self) -> None:
        """:class:`ConfigError` when there is no address that peers could get."""
        wanted = self.config.listen_address
        if self.config.advertise_address is None and ipaddress.ip_address(wanted.host).is_unspecified:
            raise ConfigError("listen_address", f"{wanted} is a wildcard", "set advertise_address as well")

    def accepted(self) -> asyncio.Protocol:
        """For a connection that a listener on the bound address just accepted."""
        assert self._inbound is not None  # noqa: S101 (nobody is accepted before :meth:`attach`)
        return self._inbound.protocol()

    def attach(self, handler: TransportHandler, bound: Address) -> None:
        """Begin to work for ``handler``; somebody listens on ``bound`` for us."""
        self._listen_address = bound
        self._advertised = str(self.advertise_address)
        self._handler = handler
        scheduler = self.scheduler = FairScheduler(self.config.peer_share, self.config.peer_burst)
        self._pool = PacketPool(
            self.config,
            self.identity,
            self._dialer,
            handler,
            self.statistics,
            self._refusals,
            self._random,
            self._advertised,
            scheduler,
        )
        mux_peers = self._mux_peers = self._pool.mux_peers
        self._inbound = Inbound(
            self.config,
            self.identity,
            handler,
            self.statistics,
            self._refusals,
            self._heard_from,
            mux_peers,
            scheduler,
        )
        self._rotation = Rotation(
            self.config,
            self.identity,
            self._dialer,
            self._inbound,
            mux_peers,
            self._pool,
            self.statistics,
            self._refusals,
            self._random,
        )

    def reload(self) -> None:
        """Read certificates, keys, authorities, revocation lists and allowed names anew, now.

        It happens by itself too, soon after a file has changed. :class:`ConfigError`: they cannot be used,
        and the old ones stay.
        """
        self.identity.reload()

    async def reload_aside(self) -> None:
        """:meth:`reload`, with all reading done in a thread: revocation lists may be large."""
        await self.identity.reload_aside()

    def expect_names(self, names: Mapping[Address, str]) -> None:
        """What listens at these addresses must show a certificate with that DNS name.

        Replaces what was expected before; open connections to them are made anew. Where ``server_name`` is
        set, that counts instead; addresses without an expectation are verified by the IP address.
        """
        changed = [Address(*one) for one in self.identity.expect(dict(names.items()))]
        for address in changed:
            self._dialer.sessions.forget(address)
        if changed and self._rotation is not None:
            self._rotation.renew(changed)

    def peer_expiries(self) -> dict[str, float]:
        """When the certificates of connected peers run out (Unix time), by address; the first 256."""
        return self._rotation.peer_expiries() if self._rotation is not None else {}

    def trust(self) -> dict[str, TrustView]:
        """Whom this node trusts, by side."""
        return {
            side: TrustView(
                authorities=tuple(one.public_bytes(Encoding.DER) for one in trust.authorities),
                allowed_names=tuple(sorted(trust.allowed)),
                required=trust.required and trust.verified,
                revocations_from=trust.revocations.last_update,
                revocations_until=trust.revocations.next_update,
            )
            for side, trust in self.identity.sides.items()
        }

    def connections(self) -> list[ConnectionView]:
        """The open connections."""
        return self._rotation.connections() if self._rotation is not None else []

    def refusals(self) -> list[RefusalView]:
        """Who was refused, or refused us, lately."""
        return self._refusals.latest()

    @property
    def renewing(self) -> int:
        """Connections that are being made anew, as certificates have changed."""
        return self._rotation.renewing if self._rotation is not None else 0

    def send_packet(self, destination: Address, data: bytes, node: str = "") -> None:  # noqa: ARG002
        """Queue one packet as one frame, sealed in TLS records of its own."""
        if self._pool is None or self._closed:
            self.statistics.packets_dropped["closed"] += 1
            return
        if not data:
            # An empty packet crashes old Go peers.
            self.statistics.packets_dropped["empty"] += 1
            return
        if packet_frame_size(len(data), len(self._advertised)) > self.config.max_frame_bytes:
            self.statistics.packets_dropped["too_big"] += 1
            return
        self._pool.send(destination, data)

    def backlog(self, destination: Address) -> int:
        """Bytes that wait for a dial, or for a peer that takes them slowly."""
        return self._pool.backlog(destination) if self._pool is not None else 0

    @property
    def connection_limit(self) -> int:
        """The pool's bound."""
        return self.config.max_outbound_connections

    def connected(self) -> list[Address]:
        """The destinations that a packet reaches without a dial."""
        return self._pool.connected() if self._pool is not None else []

    def reaches(self, destination: Address) -> bool:
        """Whether a packet gets there without a dial."""
        return self._pool is not None and self._pool.reaches(destination)

    async def reach(self, destination: Address, timeout: float) -> None:
        """Complete a handshake with ``destination`` within ``timeout`` seconds, if that was not done already.

        :class:`TransportError` otherwise. A connection that carries both ways stays open.
        """
        if self._closed or self._mux_peers is None:
            raise ClosedError("the transport was closed, or never started")
        try:
            connection = await self._mux_peers.connect(destination, timeout)
        except RefusalError as refusal:
            raise TransportError(f"dialling {destination}: {refusal}") from refusal
        if not isinstance(connection, MuxConnection):
            connection.start_close()

    async def open_stream(self, destination: Address, timeout: float, node: str = "") -> Stream:  # noqa: ARG002
        """On the connection that the peer shares with us; else dial, and send the STREAM header.

        :class:`TransportError` otherwise, also when TLS refuses.
        """
        if self._closed or self._mux_peers is None:
            raise ClosedError("the transport was closed, or never started")
        try:
            connection = await self._mux_peers.connect(destination, timeout)
        except RefusalError as refusal:
            self._refused(destination, refusal)
            raise TransportError(f"dialling {destination}: {refusal}") from refusal
        if isinstance(connection, MuxConnection):
            return connection.open_stream(destination)
        stream = TLSStream(connection, self.config.read_timeout, refused=self._refused)
        if self._closed:
            stream.abort()
            raise ClosedError("the transport was closed")
        try:
            await stream.write(STREAM_HEADER)
        except BaseException:
            stream.abort()
            raise
        self.statistics.streams_opened += 1
        return stream

    async def close(self) -> None:
        """Stop listening, flush, close every connection in an orderly way; bounded by the close deadline."""
        if self._closed:
            return
        self._closed = True
        if self._server is not None:
            self._server.close()
        if self._rotation is not None:
            self._rotation.stop()
        if self._pool is not None and self._inbound is not None:
            await asyncio.gather(self._pool.close(), self._inbound.close())

    def _refused(self, destination: Address, refusal: RefusalError) -> None:
        self._dialer.sessions.forget(destination)
        self._refusals.write(destination, refusal, asyncio.get_running_loop().time())

    def _heard_from(self, address: Address) -> None:
        if self._pool is not None:
            self._pool.heard_from(address)
