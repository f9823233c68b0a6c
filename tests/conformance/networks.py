"""The transports under test, each with a way to make nodes, black holes and free addresses."""

from __future__ import annotations

import abc
import asyncio
import itertools
import socket
from dataclasses import dataclass, field
from typing import Any

from tests.support.certificates import CertificateAuthority
from tests.support.transports import Recorder
from tocsin.gossip.address import Address
from tocsin.gossip.transport.base import Transport
from tocsin.gossip.transport.datagram import LARGEST, DatagramSettings
from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig
from tocsin.gossip.transport.dtls.transport import DTLSTransport
from tocsin.gossip.transport.memory import MemoryNetwork, MemoryTransport
from tocsin.gossip.transport.migrating.transport import MigratingTransport
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.transport import UDPTransport
from tocsin.tls.settings import ClusterTLSConfig

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Limits:
    """Bounds that every transport has, small where a test wants to reach them."""

    max_queued_packets: int = 1024
    max_packet_bytes: int = 64 * 1024
    max_inbound: int = 1024
    dial_timeout: float = 5.0
    read_timeout: float = 5.0
    close_timeout: float = 2.0


@dataclass
class Node:
    """A started transport with its recorder."""

    transport: Transport
    statistics: TransportStatistics
    recorder: Recorder = field(default_factory=Recorder)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self.transport.listen_address


class Network(abc.ABC):
    """One kind of transport; :meth:`close` ends all it made."""

    ways = 1
    """How many ways the first node tries before it gives an address up."""

    largest_packet = 64 * 1024
    """Bytes that every transport of this kind carries in one packet."""
    one_way = True
    """All packets go one way, and so stay in order. Otherwise a short one may overtake a long one."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    @abc.abstractmethod
    def make(self, address: Address, limits: Limits) -> Node:
        """A transport that is not started."""

    @abc.abstractmethod
    async def black_hole(self) -> Address:
        """An address that takes connections' bytes and never answers."""

    @abc.abstractmethod
    def nobody(self) -> Address:
        """An address at which nobody listens."""

    async def node(self, limits: Limits | None = None, address: Address | None = None) -> Node:
        """A started node."""
        node = self.make(address or Address(LOOPBACK, 0), limits or Limits())
        await node.transport.start(node.recorder)
        self.nodes.append(node)
        return node

    async def kill(self, node: Node) -> None:
        """End a node without any farewell to streams and peers that a crash would not give."""
        await node.transport.close()

    def streams_rejected(self, opener: Node, accepter: Node) -> dict[str, int]:
        """What was counted when the bound on inbound streams was reached."""
        return dict(accepter.statistics.connections_rejected)

    async def close(self) -> None:
        """End everything."""
        await asyncio.gather(*(node.transport.close() for node in self.nodes))


class InMemory(Network):
    """:mod:`tocsin.gossip.transport.memory`."""

    def __init__(self) -> None:
        super().__init__()
        self.network = MemoryNetwork()

    def make(self, address: Address, limits: Limits) -> Node:
        transport = MemoryTransport(
            self.network,
            address,
            max_queued_packets=limits.max_queued_packets,
            max_packet_bytes=limits.max_packet_bytes,
            max_accepted_streams=limits.max_inbound,
            read_timeout=limits.read_timeout,
            close_timeout=limits.close_timeout,
        )
        return Node(transport, transport.statistics)

    async def black_hole(self) -> Address:
        address = self.nobody()
        self.network.black_holes.add(address)
        return address

    def nobody(self) -> Address:
        return Address(LOOPBACK, self.network.free_port())


def _tls_settings(address: Address, limits: Limits, **more: Any) -> TLSTransportConfig:
    return TLSTransportConfig(
        listen_address=address,
        dial_timeout=limits.dial_timeout,
        read_timeout=limits.read_timeout,
        close_timeout=limits.close_timeout,
        max_queued_packets=limits.max_queued_packets,
        # The frame around a packet: length, version, kind, address.
        max_frame_bytes=limits.max_packet_bytes + 64,
        max_inbound_connections=limits.max_inbound,
        max_mux_streams=limits.max_inbound,
        **more,
    )


class OverTLS(Network):
    """:mod:`tocsin.gossip.transport.tls` with mutual TLS."""

    def __init__(
        self, authority: CertificateAuthority, tls: ClusterTLSConfig, offers: tuple[bool, ...] = (False,)
    ) -> None:
        """``offers``: whether the first node, the second and so on offers ``tocsin/1``; then again."""
        super().__init__()
        self.authority = authority
        self.tls = tls
        self._offers = itertools.cycle(offers)
        self._sockets: list[socket.socket] = []

    def make(self, address: Address, limits: Limits) -> Node:
        config = _tls_settings(address, limits, offer_alpn=next(self._offers))
        transport = TLSTransport(config, self.tls)
        return Node(transport, transport.statistics)

    async def black_hole(self) -> Address:
        """A listener that never accepts: the system completes TCP's handshake, nobody the one of TLS."""
        listener = socket.create_server((LOOPBACK, 0))
        self._sockets.append(listener)
        return Address(LOOPBACK, listener.getsockname()[1])

    def nobody(self) -> Address:
        """A port that is bound, so that nobody else takes it, but not listened on."""
        bound = socket.socket()
        bound.bind((LOOPBACK, 0))
        self._sockets.append(bound)
        return Address(LOOPBACK, bound.getsockname()[1])

    async def close(self) -> None:
        await super().close()
        for one in self._sockets:
            one.close()


class Multiplexed(OverTLS):
    """``tocsin/1`` between all."""

    def __init__(self, authority: CertificateAuthority, tls: ClusterTLSConfig) -> None:
        super().__init__(authority, tls, (True,))

    def streams_rejected(self, opener: Node, accepter: Node) -> dict[str, int]:
        """The opener counts."""
        return mux_streams_rejected(opener)


def mux_streams_rejected(opener: Node) -> dict[str, int]:
    """The opener keeps to what the accepter has said, so it counts."""
    refused = opener.statistics.mux.streams_refused
    return {"total": refused["peer_limit"]} if set(refused) <= {"peer_limit"} else dict(refused)


class OverUDP(Network):
    """:mod:`tocsin.gossip.transport.udp`."""

    largest_packet = LARGEST

    def __init__(self) -> None:
        super().__init__()
        self._sockets: list[socket.socket] = []

    def make(self, address: Address, limits: Limits) -> Node:
        transport = UDPTransport(self.udp_config(address, limits))
        return Node(transport, transport.statistics)

    @staticmethod
    def udp_config(address: Address, limits: Limits) -> UDPTransportConfig:
        """With the bounds that the test wants."""
        return UDPTransportConfig(
            listen_address=address,
            datagrams=DatagramSettings(
                max_datagram_bytes=min(limits.max_packet_bytes, LARGEST),
                max_queued_packets=limits.max_queued_packets,
                close_timeout=limits.close_timeout,
            ),
            read_timeout=limits.read_timeout,
            close_timeout=limits.close_timeout,
            max_inbound_connections=limits.max_inbound,
        )

    async def black_hole(self) -> Address:
        """Datagrams that nobody reads, and a listener whose queue of connections is full."""
        port = self.nobody().port
        listener, datagrams = self._sockets[-2:]
        datagrams.connect((LOOPBACK, 0))
        listener.listen(0)
        for _ in range(3):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex((LOOPBACK, port))
            self._sockets.append(waiting)
        return Address(LOOPBACK, port)

    def nobody(self) -> Address:
        """A port that is bound for both, so that nobody else takes it, and closed to all but itself."""
        while True:
            bound, datagrams = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
            bound.bind((LOOPBACK, 0))
            place = bound.getsockname()
            try:
                datagrams.bind(place)
                datagrams.connect(place)
            except OSError:
                bound.close()
                datagrams.close()
                continue
            self._sockets += [bound, datagrams]
            return Address(*place)

    async def close(self) -> None:
        await super().close()
        for one in self._sockets:
            one.close()


class Migrating(OverUDP):
    """:mod:`tocsin.gossip.transport.migrating`, perhaps beside nodes that do not move yet, or are done."""

    def __init__(self, tls: ClusterTLSConfig, kinds: tuple[str, ...] = ("migrating",)) -> None:
        """``kinds``: what the first node, the second and so on is; then again."""
        super().__init__()
        self.tls = tls
        self.ways = 2 if kinds[0] == "migrating" else 1
        self._kinds = itertools.cycle(kinds)

    def make(self, address: Address, limits: Limits) -> Node:
        kind = next(self._kinds)
        if kind == "udp":
            return super().make(address, limits)
        strict = TLSTransport(_tls_settings(address, limits), self.tls)
        if kind == "tls":
            return Node(strict, strict.statistics)
        transport = MigratingTransport(strict, self.udp_config(address, limits))
        return Node(transport, transport.statistics)

    def streams_rejected(self, opener: Node, accepter: Node) -> dict[str, int]:
        """They all speak ``tocsin/1`` with each other."""
        return mux_streams_rejected(opener)


class OverDTLS(OverUDP):
    """:mod:`tocsin.gossip.transport.dtls`: longer packets and streams over TLS."""

    largest_packet = 64 * 1024
    one_way = False

    def __init__(self, tls: ClusterTLSConfig) -> None:
        super().__init__()
        self.tls = tls

    def make(self, address: Address, limits: Limits) -> Node:
        tls = _tls_settings(address, limits, handshake_timeout=limits.dial_timeout, offer_alpn=False)
        transport = DTLSTransport(DTLSTransportConfig(tls=tls), self.tls)
        return Node(transport, transport.statistics)
