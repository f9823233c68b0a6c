"""A transport for moving a running cluster from clear text to mutual TLS, node by node.

It listens for both on one port number, and reaches each peer over TLS if that takes it, else in clear text. A
node on the way out of clear text can thus talk to those that have not moved yet and to those that are done.
It is not protection: an attacker who disturbs a TLS handshake gets clear text. Leave it when all have TLS.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from tocsin.bounded import PacketQueue
from tocsin.errors import ClosedError, TocsinError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.base import Certificates, Stream, TransportHandler
from tocsin.gossip.transport.datagram import BACKLOG, bind_pair
from tocsin.gossip.transport.migrating.demultiplexer import Demultiplexer
from tocsin.gossip.transport.migrating.reach import Reach
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.transport import TLSTransport
from tocsin.gossip.transport.udp.settings import UDPTransportConfig
from tocsin.gossip.transport.udp.transport import UDPTransport

_log = logging.getLogger(__name__)

MAX_TRIALS: Final = 256
"""Of TLS at the same time: a sender of datagrams can name any address to be answered at. What goes to
more destinations goes in clear text meanwhile."""
MAX_HELD: Final = 32 * 1024 * 1024
"""Bytes of packets that wait for the outcome of trials."""
_COUNT_INTERVAL: Final = 1.0


class MigratingTransport:
    """A :class:`~tocsin.gossip.transport.base.Transport` made of two, which share port and counters."""

    def __init__(
        self, tls: TLSTransport, udp_config: UDPTransportConfig, *, random_source: random.Random | None = None
    ) -> None:
        """``udp_config.listen_address`` is the one that counts; ``tls`` is not started."""
        chance = random_source or random.Random()
        self.statistics: TransportStatistics = tls.statistics
        self.tls = tls
        self.clear: UDPTransport = UDPTransport(udp_config, statistics=self.statistics)
        self._tls_config = tls.config
        self._udp_config = udp_config
        self._reach = Reach(chance)
        self._demultiplexer: Demultiplexer | None = None
        self._server: asyncio.Server | None = None
        self._handler: TransportHandler | None = None
        self._held: dict[Address, PacketQueue] = {}
        self._held_bytes = 0
        self._trials: dict[Address, asyncio.Task[None]] = {}
        self._count_at = 0.0
        self._closed = False

    @property
    def listen_address(self) -> Address:
        """The bound address; known after :meth:`start`."""
        return self.clear.listen_address

    @property
    def advertise_address(self) -> Address:
        """What peers are given; known after :meth:`start`."""
        return self.tls.advertise_address

    @property
    def scheduler(self) -> FairScheduler | None:
        """Shares the work among peers, once started."""
        return self.tls.scheduler

    @property
    def certificates(self) -> Certificates:
        """Those of TLS."""
        return self.tls

    async def start(self, handler: TransportHandler) -> None:
        """Bind both sockets; :class:`~tocsin.errors.ConfigError` if they cannot be bound."""
        if self._closed:
            raise ClosedError("the transport was closed")
        self.tls.check_addresses()
        streams, datagrams = bind_pair(self._udp_config.listen_address)
        bound = Address(self._udp_config.listen_address.host, streams.getsockname()[1])
        self._handler = handler
        self.tls.attach(_OverTLS(self, handler), bound)
        self.clear.attach(handler, bound, datagrams)
        self._demultiplexer = Demultiplexer(
            self.tls.accepted,
            self.clear.accepted,
            self.statistics,
            max_waiting=self._tls_config.max_inbound_handshakes,
            max_waiting_per_host=self._tls_config.max_inbound_connections_per_host,
            first_byte_timeout=self._tls_config.first_frame_timeout,
        )
        self._server = await asyncio.get_running_loop().create_server(
            self._demultiplexer.protocol, sock=streams, backlog=BACKLOG
        )

    # -- packets

    def send_packet(self, destination: Address, data: bytes, node: str = "") -> None:
        """Over TLS if the peer takes it, else as a datagram; it waits while that is found out."""
        if self._closed or self._demultiplexer is None:
            self.statistics.packets_dropped["closed"] += 1
            return
        self._find_out(destination)
        if self._reach.undecided(destination):
            self._hold(destination, data)
        else:
            self._chosen(destination).send_packet(destination, data, node)

    def backlog(self, destination: Address) -> int:
        """Bytes of packets that wait, on either way."""
        held = self._held.get(destination)
        return self.tls.backlog(destination) + self.clear.backlog(destination) + (held.size if held else 0)

    @property
    def connection_limit(self) -> None:
        """A packet can be sent without a connection."""
        return

    def connected(self) -> tuple[Address, ...]:
        """A packet can be sent without a connection."""
        return ()

    def lost_over_tls(self, destination: Address) -> None:
        """The peer is gone, or back with clear text: the next packet finds out."""
        self._reach.lost(destination, asyncio.get_running_loop().time())

    def heard_over_tls(self, source: Address) -> None:
        """The peer has dialled us, and so may take TLS itself by now."""
        self._reach.heard(source)

    # -- streams

    async def open_stream(self, destination: Address, timeout: float, node: str = "") -> Stream:
        """Over TLS if the peer takes it; while that is being found out, waits half of the time for it."""
        if self._closed or self._demultiplexer is None:
            raise ClosedError("the transport was closed, or never started")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        self._find_out(destination)
        if (trial := self._trials.get(destination)) is not None and not self._reach.takes_tls(destination):
            await asyncio.wait({trial}, timeout=timeout / 2)
        left = max(0.0, deadline - loop.time())
        if not self._reach.takes_tls(destination):
            return await self.clear.open_stream(destination, left, node)
        try:
            return await self.tls.open_stream(destination, left, node)
        except TransportError:
            self.lost_over_tls(destination)
            raise

    # -- the end

    async def close(self) -> None:
        """As both transports do."""
        if self._closed:
            return
        self._closed = True
        if self._server is not None:
            self._server.close()
        if self._demultiplexer is not None:
            self._demultiplexer.close()
        if self._trials:  # What is held back goes out when they end.
            trials = list(self._trials.values())
            _, late = await asyncio.wait(trials, timeout=self._tls_config.close_timeout)
            for trial in late:
                trial.cancel()
            if late:
                await asyncio.wait(late)
        await asyncio.gather(self.tls.close(), self.clear.close())

    # -- within

    def _chosen(self, destination: Address) -> TLSTransport | UDPTransport:
        return self.tls if self._reach.takes_tls(destination) else self.clear

    def _find_out(self, destination: Address) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._count_at:
            self._count(now)  # One that is used no more ceases to count.
        due = self._reach.should_try(destination, now)
        if not self._reach.takes_tls(destination) and self.tls.reaches(destination):
            self._succeeded(destination)  # The peer dialled us.
        elif due and destination not in self._trials:
            if len(self._trials) >= MAX_TRIALS:
                self.statistics.trials_postponed += 1
                self._reach.postponed(destination, now)
            else:
                self._trials[destination] = loop.create_task(self._try_tls(destination))
            self.statistics.peers_in_clear = max(1, self.statistics.peers_in_clear)

    def _hold(self, destination: Address, data: bytes) -> None:
        """Keep a packet until it is known how to send it; a full queue drops its oldest."""
        held = self._held.get(destination)
        if held is None:
            config = self._tls_config
            held = self._held[destination] = PacketQueue(config.max_queued_packets, config.max_queued_bytes)
        size = held.size
        dropped = held.push(data)
        self._held_bytes += held.size - size
        while held and self._held_bytes > MAX_HELD:
            self._held_bytes -= len(held.pop())
            dropped += 1
        if not dropped:
            return
        self.statistics.packets_dropped["queue_full"] += dropped
        if self._handler is not None:
            self._handler.packet_failed(destination, "the queue of packets to it is full")

    def _let_go(self, destination: Address) -> None:
        held = self._held.pop(destination, None)
        if held is not None:
            self._held_bytes -= held.size
            for data in held.take_all():
                self._chosen(destination).send_packet(destination, data)

    async def _try_tls(self, destination: Address) -> None:
        """Whatever becomes of it, nothing goes on waiting for it."""
        problem = "the trial was cut short"
        try:
            await self.tls.reach(destination, self._tls_config.dial_timeout)
            problem = ""
        except TocsinError as error:
            problem = str(error)
        finally:
            del self._trials[destination]
            # One that dialled us meanwhile takes TLS, whatever became of our own dial.
            if not problem or self.tls.reaches(destination):
                self._succeeded(destination)
            else:
                self._failed(destination, problem)

    def _succeeded(self, destination: Address) -> None:
        now = asyncio.get_running_loop().time()
        self._reach.succeeded(destination, now)
        self._count(now)
        self._let_go(destination)

    def _failed(self, destination: Address, problem: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._reach.failed(destination, now) and not self._closed:
            _log.info("%s is reached in clear text, as it does not take TLS: %s", destination, problem)
        self._count(now)
        self._let_go(destination)

    def _count(self, now: float) -> None:
        self.statistics.peers_in_clear = self._reach.in_clear(now)
        self._count_at = now + _COUNT_INTERVAL


class _OverTLS:
    """Stands between the TLS transport and the handler, to learn of peers that take it and those that no
    longer do."""

    def __init__(self, transport: MigratingTransport, handler: TransportHandler) -> None:
        self._transport = transport
        self._handler = handler
        self.peer_identified = handler.peer_identified
        self.stream_accepted = handler.stream_accepted
        self.is_member = handler.is_member

    def packet_received(self, data: bytes, source: Address, peer: PeerIdentity | None = None) -> None:
        self._transport.heard_over_tls(source)
        self._handler.packet_received(data, source, peer)

    def packet_failed(self, destination: Address, reason: str) -> None:
        self._transport.lost_over_tls(destination)
        self._handler.packet_failed(destination, reason)
