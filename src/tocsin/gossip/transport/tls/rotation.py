"""What becomes of open connections when certificates, authorities or revocation lists change.

A peer that would be refused now is cut off at once. With every other one we shake hands again: a new
connection is made first, then the old one sends what it has taken and closes. A connection that a peer
dialled for packets in Alertmanager's framing stays open as long as the peer is trusted: only the peer could
make a new one, and a Go peer that finds it closed loses a packet.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Collection, Coroutine
from typing import Any

from tocsin.errors import TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.transport.statistics import TransportStatistics
from tocsin.gossip.transport.tls.connection import TLSConnection
from tocsin.gossip.transport.tls.dial import Dialer
from tocsin.gossip.transport.tls.inbound import Inbound
from tocsin.gossip.transport.tls.link import PacketLink
from tocsin.gossip.transport.tls.mux_connection import MuxConnection
from tocsin.gossip.transport.tls.mux_peers import MuxPeers
from tocsin.gossip.transport.tls.pool import PacketPool
from tocsin.gossip.transport.tls.refusal_log import RefusalLog
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.gossip.transport.views import ConnectionView
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.refusal import RefusalError

_log = logging.getLogger(__name__)

MAX_PEERS_SHOWN = 256


class Rotation:
    """Watches the files and the peers' expiry; acts on the connections of one transport."""

    def __init__(
        self,
        config: TLSTransportConfig,
        identity: ClusterIdentity,
        dialer: Dialer,
        inbound: Inbound,
        mux_peers: MuxPeers,
        pool: PacketPool,
        statistics: TransportStatistics,
        refusals: RefusalLog,
        random_source: random.Random,
    ) -> None:
        self._config = config
        self._identity = identity
        self._dialer = dialer
        self._inbound = inbound
        self._mux_peers = mux_peers
        self._pool = pool
        self._statistics = statistics
        self._refusals = refusals
        self._random = random_source
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe = identity.subscribe(self.changed)
        self._spawn(self._watch())

    def stop(self) -> None:
        """Watch no more."""
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()

    def changed(self) -> None:
        """New contexts are in use."""
        # Nothing here may run within a handshake, which may be what noticed the change.
        self._loop.call_soon(self._act)

    def peer_expiries(self) -> dict[str, float]:
        """When the certificates of the peers that we dialled or share a connection with run out, Unix time.

        At most :data:`MAX_PEERS_SHOWN`, those that come first.
        """
        found: dict[str, float] = {}
        for link in self._pool.links:
            if link.framing is not None and link.framing.expires_at is not None:
                found[str(link.destination)] = link.framing.expires_at
        for mux in self._mux_peers.connections:
            if mux.usable and mux.connection.expires_at is not None:
                found[str(mux.destination or mux.source)] = mux.connection.expires_at
        return dict(sorted(found.items(), key=lambda one: one[1])[:MAX_PEERS_SHOWN])

    def connections(self) -> list[ConnectionView]:
        """The open connections."""
        own = {id(mux.connection): mux.destination or mux.source for mux in self._mux_peers.connections}
        dialled = {id(link.framing): link.destination for link in self._pool.links if link.framing}
        found = []
        for each in self._established():
            assert each.session is not None  # noqa: S101
            assert each.established_at is not None  # noqa: S101
            tls = each.session.tls
            cipher = tls.cipher()
            found.append(
                ConnectionView(
                    address=own.get(id(each)) or dialled.get(id(each)) or each.remote,
                    dialled=not each.server_side,
                    protocol=each.application_protocol,
                    tls_version=tls.version() or "",
                    cipher=cipher[0] if cipher is not None else "",
                    certificate=each.certificate,
                    verified_name=each.server_hostname or "",
                    since=each.established_at,
                )
            )
        return found

    @property
    def renewing(self) -> int:
        """Connections that are being made anew."""
        return len(self._tasks) - 1  # One watches.

    # within

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._config.reload_interval)
            try:
                await self._identity.poll()
                self._end_expired()
            except Exception:
                _log.exception("watching the TLS files failed")

    def renew(self, addresses: Collection[Address]) -> None:
        """Something else is expected at these addresses: shake hands anew with what is there."""
        for link in self._pool.links:
            if link.framing is not None and link.destination in addresses:
                self._spawn(self._renew_link(link, link.framing))
        for mux in self._mux_peers.connections:
            if mux.usable and not mux.carries.isdisjoint(addresses):
                self._spawn(self._renew_mux(mux))

    def _act(self) -> None:
        for connection in self._established():
            assert connection.session is not None  # noqa: S101
            try:
                self._identity.check_open(connection.session.tls, server_side=connection.server_side)
            except RefusalError as error:
                self._end(connection, error)
        for link in self._pool.links:
            if link.framing is not None:
                self._spawn(self._renew_link(link, link.framing))
        for mux in self._mux_peers.connections:
            if mux.usable:
                self._spawn(self._renew_mux(mux))

    def _end_expired(self) -> None:
        now = time.time()
        for connection in self._established():
            if connection.expires_at is not None and connection.expires_at < now:
                self._end(connection, RefusalError("expired", "certificate has expired"))

    def _established(self) -> list[TLSConnection]:
        found = [*self._dialer.open, *self._inbound.connections]
        return [one for one in found if one.established_at is not None and not one.ended]

    def _end(self, connection: TLSConnection, error: RefusalError) -> None:
        self._statistics.connections_cut[error.reason] += 1
        self._refusals.write(connection.remote, error, self._loop.time())
        connection.refuse(error)

    async def _renew_link(self, link: PacketLink, old: TLSConnection) -> None:
        end = self._loop.time() + self._config.renewal_time
        await self._pause(end)
        while link.framing is old and not link.closed:
            try:
                await link.renew(min(self._config.dial_timeout, max(0.1, end - self._loop.time())))
            except (RefusalError, TransportError) as error:
                self._statistics.renewals_failed += 1
                if isinstance(error, RefusalError) and not error.by_peer:
                    self._end(old, error)
                    return
                _log.debug("renewing the connection to %s: %s", link.destination, error)
                if self._loop.time() >= end:
                    link.give_up(error)
                    return
                await self._pause(end)
            else:
                self._statistics.connections_renewed += 1

    async def _renew_mux(self, old: MuxConnection) -> None:
        end = self._loop.time() + self._config.renewal_time
        await self._pause(end)
        while old.usable:
            try:
                await self._mux_peers.renew(
                    old, min(self._config.dial_timeout, max(0.1, end - self._loop.time()))
                )
                await asyncio.sleep(self._config.renewal_time / 4)  # it goes once the new one is in use
            except (RefusalError, TransportError) as error:
                if isinstance(error, RefusalError) and not error.by_peer and old.usable:
                    self._statistics.renewals_failed += 1
                    self._end(old.connection, error)
                    return
                _log.debug("renewing the connection to %s: %s", old.source, error)
                await self._pause(end)
            if not old.usable:
                self._statistics.connections_renewed += 1
            else:
                self._statistics.renewals_failed += 1
                if self._loop.time() >= end:
                    old.leave()
                    return

    async def _pause(self, end: float) -> None:
        """Not all at once, and in time for another attempt."""
        left = max(0.0, end - self._loop.time())
        await asyncio.sleep(self._random.uniform(0.0, left / 4) + 0.01)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a task of the rotation failed", exc_info=error)
