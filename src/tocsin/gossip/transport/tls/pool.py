"""All packet links of a node: how many there may be, which one makes room, which one is idle."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict

from tocsin.aio import LoopTimer
from tocsin.gossip.address import Address
from tocsin.gossip.transport.base import TransportHandler
from tocsin.gossip.transport.eviction import victim
from tocsin.gossip.transport.scheduler import FairScheduler
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.connection import TLSConnection
from tocsin.gossip.transport.tls.dial import Dialer
from tocsin.gossip.transport.tls.link import LinkServices, PacketLink
from tocsin.gossip.transport.tls.mux_connection import MuxConnection
from tocsin.gossip.transport.tls.mux_peers import MuxPeers
from tocsin.gossip.transport.tls.refusal_log import RefusalLog
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.tls.identity import ClusterIdentity


class PacketPool:
    """Links by destination, least recently used first."""

    def __init__(
        self,
        config: TLSTransportConfig,
        identity: ClusterIdentity,
        dialer: Dialer,
        handler: TransportHandler,
        statistics: TransportStatistics,
        refusals: RefusalLog,
        random_source: random.Random,
        advertised: str,
        scheduler: FairScheduler,
    ) -> None:
        self._config = config
        self.mux_peers: MuxPeers = MuxPeers(
            config, identity, dialer, handler, statistics, random_source, advertised, scheduler, user=self
        )
        """The connections of ``tocsin/1``, which report to this pool what they carry."""
        self._services = LinkServices(
            config, dialer, self.mux_peers, handler, statistics, refusals, random_source, advertised
        )
        self._statistics = statistics
        self._loop = asyncio.get_running_loop()
        self._links: OrderedDict[Address, PacketLink] = OrderedDict()
        self._closing: set[TLSConnection] = set()
        self._sweep_timer = LoopTimer(self._sweep)
        self._counted = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._links)

    def send(self, destination: Address, data: bytes) -> None:
        """Queue or send one packet."""
        now = self._loop.time()
        self._link(destination).send(data, now)
        if self._sweep_timer.armed_for is None and not self._closed:
            self._arm(now)

    def connected(self) -> list[Address]:
        """The destinations with an open connection."""
        return [destination for destination, link in self._links.items() if link.open]

    def reaches(self, destination: Address) -> bool:
        """Whether there is an open connection to ``destination``."""
        link = self._links.get(destination)
        return link is not None and link.open

    def backlog(self, destination: Address) -> int:
        """Bytes queued for one destination."""
        link = self._links.get(destination)
        return link.queued_bytes if link is not None else 0

    def _link(self, destination: Address) -> PacketLink:
        """The link there, from now on the most recently used."""
        link = self._links.get(destination)
        if link is not None:
            self._links.move_to_end(destination)
            return link
        while len(self._links) >= self._config.max_outbound_connections:
            self._evict()
        link = self._links[destination] = PacketLink(destination, self._services, self._forget)
        self._count()
        return link

    def mux_active(self, address: Address, mux: MuxConnection) -> None:
        """What goes to ``address`` takes ``mux`` from now on."""
        if self._closed and address not in self._links:
            return
        link = self._link(address)
        link.last_used = self._loop.time()
        link.adopt(mux)
        if self._sweep_timer.armed_for is None and not self._closed:
            self._arm(link.last_used)

    def mux_gone(
        self, address: Address, mux: MuxConnection, error: Exception | None, *, lost: bool, proven: bool
    ) -> None:
        """``mux`` takes nothing more."""
        link = self._links.get(address)
        if link is not None:
            link.mux_gone(mux, error, lost=lost, proven=proven)

    @property
    def links(self) -> list[PacketLink]:
        """All of them."""
        return list(self._links.values())

    def heard_from(self, address: Address) -> None:
        """A peer reached us: a link that rests after failures may dial again at once."""
        link = self._links.get(address)
        if link is not None:
            link.wake()

    async def close(self) -> None:
        """Send what is queued and close all links, within the close deadline."""
        self._closed = True
        self._sweep_timer.stop()
        flushes = [self._loop.create_task(link.flush()) for link in self._links.values() if not link.idle]
        if flushes:
            _, late = await asyncio.wait(flushes, timeout=self._config.close_timeout)
            for task in late:
                task.cancel()
        links = list(self._links.values())
        self._links.clear()
        self._count()
        await self.mux_peers.close()
        dials = [link.dial for link in links if link.dial is not None]
        for link in links:
            self._close(link, "closed")
        endings: list[asyncio.Future[None]] = [*dials, *(one.closed for one in self._closing)]
        if endings:
            await asyncio.wait(endings)

    def _evict(self) -> None:
        """Make room: the least recently used idle link; with none idle, the least recently used."""
        self._statistics.connections_evicted += 1
        self._remove(victim(self._links.values()), "evicted")

    def _sweep(self) -> None:
        now = self._loop.time()
        border = now - self._config.outbound_idle_timeout
        for link in self.links:  # each once: one that carries streams is in use whenever it is asked
            used = link.used_at
            if used > link.last_used:
                link.last_used = used  # By the peer: links are in the order of our own use.
                self._links.move_to_end(link.destination)
                continue
            if used > border:
                break
            self._statistics.connections_idled += 1
            self._remove(link, "evicted")
        if self._links:
            self._arm(now)

    def _arm(self, now: float) -> None:
        oldest = next(iter(self._links.values()), None)
        if oldest is not None:
            when = max(oldest.last_used + self._config.outbound_idle_timeout, now)
            self._sweep_timer.arm(when)

    def _remove(self, link: PacketLink, reason: str) -> None:
        self._links.pop(link.destination, None)
        self._close(link, reason)
        self._count()

    def _close(self, link: PacketLink, reason: str) -> None:
        connection = link.start_close(reason)
        if connection is not None:
            self._closing.add(connection)
            connection.closed.add_done_callback(lambda _: self._closing.discard(connection))

    def _forget(self, link: PacketLink) -> None:
        """The link's connection ended after it had worked; the next packet makes a new link."""
        if self._links.get(link.destination) is link and link.idle:
            del self._links[link.destination]
            self._count()

    def _count(self) -> None:
        # Others may count on the same gauge.
        self._statistics.connections_outbound += len(self._links) - self._counted
        self._counted = len(self._links)
