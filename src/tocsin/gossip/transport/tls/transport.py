"""Alertmanager's TLS transport: TCP only, one port, kept-alive connections for packets, one for each stream.

Source: wire specification 3.2. With a peer that offers or chooses the ALPN protocol ``tocsin/1`` one
connection carries everything (:mod:`.mux_peers`); one that does not gets Alertmanager's framing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random

from tocsin.errors import ClosedError, ConfigError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.base import Stream, TransportHandler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.config import ClusterTLSConfig
from tocsin.gossip.transport.tls.dial import Dialer
from tocsin.gossip.transport.tls.identity import ClusterIdentity
from tocsin.gossip.transport.tls.inbound import Inbound
from tocsin.gossip.transport.tls.mux_connection import MuxConnection
from tocsin.gossip.transport.tls.mux_peers import MuxPeers
from tocsin.gossip.transport.tls.pool import PacketPool
from tocsin.gossip.transport.tls.refusal import RefusalError
from tocsin.gossip.transport.tls.refusal_log import RefusalLog
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.stream import TLSStream
from tocsin.gossip.transport.turns import Turns
from tocsin.gossip.wire.framing import STREAM_HEADER, packet_frame_size
from tocsin.gossip.wire.mux import PROTOCOL


class TLSTransport:
    """A :class:`~tocsin.gossip.transport.base.Transport` that Go Alertmanagers speak too."""

    def __init__(
        self,
        config: TLSTransportConfig,
        tls: ClusterTLSConfig,
        *,
        random_source: random.Random | None = None,
    ) -> None:
        """Reads certificates, keys and authorities at once: :class:`ConfigError` if they cannot be used."""
        self.identity = ClusterIdentity(tls, [PROTOCOL] if config.offer_alpn else [])
        self.statistics = TransportStatistics()
        self._config = config
        self._random = random_source or random.Random()
        self._server: asyncio.Server | None = None
        self._listen_address = config.listen_address
        self._advertised = ""
        self._pool: PacketPool | None = None
        self._mux_peers: MuxPeers | None = None
        self._inbound: Inbound | None = None
        self._dialer = Dialer(config, self.identity, self.statistics)
        self._refusals = RefusalLog()
        self._handler: TransportHandler | None = None
        self._closed = False
        self.turns: Turns | None = None
        """What shares the event loop among the peers; made by :meth:`start`."""

    @property
    def listen_address(self) -> Address:
        """The bound address; known after :meth:`start`."""
        return self._listen_address

    @property
    def advertise_address(self) -> Address:
        """What goes out with each packet as the sender's address; known after :meth:`start`."""
        advertised = self._config.advertise_address or self._listen_address
        return advertised if advertised.port else Address(advertised.host, self._listen_address.port)

    async def start(self, handler: TransportHandler) -> None:
        """Bind and listen. :class:`ConfigError` when the address cannot be bound or advertised."""
        if self._closed:
            raise ClosedError("the transport was closed")
        wanted = self._config.listen_address
        if self._config.advertise_address is None and ipaddress.ip_address(wanted.host).is_unspecified:
            raise ConfigError(
                "cluster.listen-address", f"{wanted} is a wildcard", "set cluster.advertise-address as well"
            )
        loop = asyncio.get_running_loop()
        inbound: Inbound | None = None

        def protocol() -> asyncio.Protocol:
            assert inbound is not None  # noqa: S101 (nobody is accepted before start returns)
            return inbound.protocol()

        try:
            self._server = await loop.create_server(protocol, wanted.host, wanted.port, backlog=512)
        except (OSError, OverflowError) as error:
            problem = getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                "cluster.listen-address", f"cannot listen on {wanted}: {problem}", "choose a free address"
            ) from None
        bound = self._server.sockets[0].getsockname()
        self._listen_address = Address(wanted.host, bound[1])
        self._advertised = str(self.advertise_address)
        self._handler = handler
        turns = self.turns = Turns(self._config.peer_share, self._config.peer_burst)
        mux_peers = self._mux_peers = MuxPeers(
            self._config,
            self.identity,
            self._dialer,
            handler,
            self.statistics,
            self._random,
            self._advertised,
            turns,
        )
        inbound = self._inbound = Inbound(
            self._config,
            self.identity,
            handler,
            self.statistics,
            self._refusals,
            self._heard_from,
            mux_peers,
            turns,
        )
        self._pool = mux_peers.user = PacketPool(
            self._config,
            self._dialer,
            mux_peers,
            handler,
            self.statistics,
            self._refusals,
            self._random,
            self._advertised,
        )

    def send_packet(self, destination: Address, data: bytes, node: str = "") -> None:  # noqa: ARG002
        """Queue one packet as one frame, sealed in TLS records of its own."""
        if self._pool is None or self._closed:
            self.statistics.packets_dropped["closed"] += 1
            return
        if not data:
            # An empty packet crashes old Go peers.
            self.statistics.packets_dropped["empty"] += 1
            return
        if packet_frame_size(len(data), len(self._advertised)) > self._config.max_frame_bytes:
            self.statistics.packets_dropped["too_big"] += 1
            return
        self._pool.send(destination, data)

    def backlog(self, destination: Address) -> int:
        """Bytes that wait for a dial, or for a peer that takes them slowly."""
        return self._pool.backlog(destination) if self._pool is not None else 0

    @property
    def connection_limit(self) -> int:
        """The pool's bound."""
        return self._config.max_outbound_connections

    def connected(self) -> list[Address]:
        """The destinations that a packet reaches without a dial."""
        return self._pool.connected() if self._pool is not None else []

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
        stream = TLSStream(connection, self._config.read_timeout, refused=self._refused)
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
        if self._pool is not None and self._inbound is not None:
            await asyncio.gather(self._pool.close(), self._inbound.close())

    def _refused(self, destination: Address, refusal: RefusalError) -> None:
        self._dialer.sessions.forget(destination)
        self._refusals.write(destination, refusal, asyncio.get_running_loop().time())

    def _heard_from(self, address: Address) -> None:
        if self._pool is not None:
            self._pool.heard_from(address)
