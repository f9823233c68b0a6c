"""memberlist's default transport (wire 3.1): UDP for packets, TCP for streams, one port number.

Nothing is encrypted or authenticated here. Who wants that seals packets and streams with a keyring.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress

from tocsin.bounded import Quota
from tocsin.errors import ClosedError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.base import Stream, TransportHandler
from tocsin.gossip.transport.datagram import BACKLOG, DatagramEndpoint, bind_pair
from tocsin.gossip.transport.problems import dial_problem
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.udp.receiving import Receiving
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.stream import TCPStream

_log = logging.getLogger(__name__)


class UDPTransport:
    """A :class:`~tocsin.gossip.transport.base.Transport` that every memberlist speaks by default."""

    def __init__(self, config: UDPTransportConfig, *, statistics: TransportStatistics | None = None) -> None:
        self.statistics: TransportStatistics = statistics or TransportStatistics()
        self._config = config
        self._listen_address = config.listen_address
        self._handler: TransportHandler | None = None
        self._server: asyncio.Server | None = None
        self._datagrams: DatagramEndpoint | None = None
        self._receiving: Receiving | None = None
        self._inbound: set[TCPStream] = set()
        self._outbound: set[TCPStream] = set()
        self._hosts: Quota[str] = Quota(
            config.max_inbound_connections_per_host, config.max_inbound_connections
        )
        self._closed = False
        self.scheduler: FairScheduler | None = None
        """Work on streams is scheduled round robin over hosts; made once there is an event loop."""

    @property
    def listen_address(self) -> Address:
        """The bound address; known after :meth:`start`."""
        return self._listen_address

    @property
    def advertise_address(self) -> Address:
        """The bound address."""
        return self.listen_address

    @property
    def certificates(self) -> None:
        """Peers are not authenticated."""
        return

    async def start(self, handler: TransportHandler) -> None:
        """Bind both sockets; :class:`~tocsin.errors.ConfigError` if they cannot be bound."""
        if self._closed:
            raise ClosedError("the transport was closed")
        wanted = self._config.listen_address
        streams, datagrams = bind_pair(wanted)
        self.attach(handler, Address(wanted.host, streams.getsockname()[1]), datagrams)
        self._server = await asyncio.get_running_loop().create_server(
            self.accepted, sock=streams, backlog=BACKLOG
        )

    def accepted(self) -> asyncio.Protocol:
        """For a connection that a listener on the bound address just accepted."""
        return TCPStream(self._config, self._accept, self._accepted_gone)

    def attach(self, handler: TransportHandler, bound: Address, datagrams: socket.socket) -> None:
        """Begin to work for ``handler``; somebody listens on ``bound`` for us."""
        self._listen_address = bound
        self._handler = handler
        self._receiving = Receiving(
            handler.packet_received,
            lambda address: handler.is_member(address.host),
            self.statistics.packets_shed,
            self._config.shares,
        )
        self._datagrams = DatagramEndpoint(self, self.statistics, self._config.datagrams)
        self._datagrams.start(datagrams)
        # Streams go round robin over hosts, but none is throttled: who dials may be a member behind NAT.
        self.scheduler = FairScheduler(1.0, 1.0)

    # -- packets

    def send_packet(self, destination: Address, data: bytes, node: str = "") -> None:  # noqa: ARG002
        """Queue one datagram."""
        if self._datagrams is None or self._closed:
            self.statistics.packets_dropped["closed"] += 1
            return
        self._datagrams.send(destination, data)

    def backlog(self, destination: Address) -> int:
        """Bytes that the kernel has not accepted yet."""
        return self._datagrams.backlog(destination) if self._datagrams is not None else 0

    @property
    def connection_limit(self) -> None:
        """Packets need no connection."""
        return

    def connected(self) -> tuple[Address, ...]:
        """Packets need no connection."""
        return ()

    def datagram_received(self, data: bytes, source: Address) -> None:
        """A packet."""
        if self._receiving is not None:
            self._receiving.received(data, source)

    def datagram_failed(self, destination: Address, reason: str) -> None:
        """A packet did not arrive."""
        if self._handler is not None:
            self._handler.packet_failed(destination, reason)

    # -- streams

    async def open_stream(self, destination: Address, timeout: float, node: str = "") -> Stream:  # noqa: ARG002
        """Dial; :class:`~tocsin.errors.TransportError` when that fails or takes too long."""
        if self._closed or self._datagrams is None:
            raise ClosedError("the transport was closed, or never started")
        statistics = self.statistics
        statistics.dials += 1
        try:
            async with asyncio.timeout(max(timeout, 0.0)):
                _, stream = await asyncio.get_running_loop().create_connection(
                    lambda: TCPStream(self._config, self._dialled, self._dialled_gone),
                    destination.host,
                    destination.port,
                )
        except TimeoutError:
            statistics.dial_failures["timeout"] += 1
            raise TransportError(f"dialling {destination} took longer than {timeout:g} s") from None
        except (OSError, OverflowError) as error:
            statistics.dial_failures["connect"] += 1
            raise TransportError(f"dialling {destination} failed: {dial_problem(error)}") from None
        if self._closed:
            stream.abort()
            raise ClosedError("the transport was closed")
        statistics.streams_opened += 1
        return stream

    def _dialled(self, stream: TCPStream) -> bool:
        self._outbound.add(stream)
        self.statistics.connections_outbound += 1
        self.statistics.connections_open += 1
        return True

    def _dialled_gone(self, stream: TCPStream) -> None:
        self._outbound.discard(stream)
        self.statistics.connections_outbound -= 1
        self.statistics.connections_open -= 1

    def _accept(self, stream: TCPStream) -> bool:
        """Count it in and hand it over; false, and counted as rejected, when a bound is reached."""
        host = stream.remote.host
        if self._hosts.acquire(host):
            self._inbound.add(stream)
            self.statistics.connections_inbound += 1
            self.statistics.connections_open += 1
            self.statistics.streams_accepted += 1
            if self._handler is not None:
                self._handler.stream_accepted(stream)
            return True
        bound = "total" if self._hosts.full else "host"
        self.statistics.connections_rejected[bound] += 1
        _log.debug("rejected a connection from %s: bound on %s reached", host, bound)
        return False

    def _accepted_gone(self, stream: TCPStream) -> None:
        host = stream.remote.host
        self._inbound.discard(stream)
        self._hosts.release(host)
        self.statistics.connections_inbound -= 1
        self.statistics.connections_open -= 1

    # -- the end

    async def close(self) -> None:
        """Flush, close every stream in an orderly way, stop listening; bounded by the close deadline."""
        if self._closed:
            return
        self._closed = True
        if self._server is not None:
            self._server.close()
        if self._receiving is not None:
            self._receiving.close()
        closing = [stream.close() for stream in (*self._inbound, *self._outbound)]
        if self._datagrams is not None:
            closing.append(self._datagrams.close())
        with suppress(TransportError):
            await asyncio.gather(*closing)
