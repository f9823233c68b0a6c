"""The node's cluster: membership from gossip, and the replicated states carried on it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tocsin.alerting.protocol.parts import (
    decode_full_state,
    decode_part,
    encode_full_state,
    encode_part,
)
from tocsin.errors import ClosedError, StateError, TocsinError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import (
    Event,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    NameConflict,
    ProtocolTrouble,
    RemoteState,
    UserMessage,
)
from tocsin.gossip.discovery.resolve import resolve
from tocsin.gossip.driver import Gossip
from tocsin.gossip.transport.base import Transport
from tocsin.gossip.wire.messages import MemberState
from tocsin.node.clock import Clock
from tocsin.node.cluster.capability import META, speaks_tocsin
from tocsin.node.cluster.courier import Batch, Courier
from tocsin.node.cluster.inbox import Inbox, Mergeable
from tocsin.node.cluster.peers import PeerBook
from tocsin.node.cluster.settle import Settle
from tocsin.node.config.commandline import split_host_port
from tocsin.node.log import Logger

OVERSIZE_BYTES: Final = 700
"""A longer Part goes by stream to every member; Go peers do the same (specification 4.3)."""
MAX_TOLD: Final = 32
"""Members that get what is told. Whoever comes later waits for so many places that it need not know."""
REFRESH_INTERVAL: Final = 15.0
FORGET_INTERVAL: Final = 300.0
RESOLVE_RETRY: Final = 2.0
LEAVE_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The ``--cluster.*`` flags that concern membership. Times are seconds."""

    name: str
    peers: tuple[str, ...] = ()
    gossip: GossipConfig = field(default_factory=GossipConfig)
    settle_timeout: float = 60.0
    reconnect_interval: float = 10.0
    reconnect_timeout: float = 6 * 3600.0
    peers_resolve_timeout: float = 15.0

    def gossip_config(self) -> GossipConfig:
        """As Alertmanager widens gossip with the number of configured peers (specification 4.3)."""
        wide = max(3, len(self.peers) // 2)
        return replace(self.gossip, user_retransmit_multiplier=wide, gossip_nodes=wide)


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One member as the API shows it."""

    name: str
    address: str


@dataclass(slots=True)
class ClusterStatistics:
    """What the node's metrics tell of the cluster, beside the gossip library's own counters."""

    peers_joined: int = 0
    peers_left: int = 0
    peers_updated: int = 0
    name_conflicts: int = 0
    reconnections: int = 0
    reconnections_failed: int = 0
    refresh_joins: int = 0
    refresh_joins_failed: int = 0
    resolve_failures: int = 0
    trouble: Counter[str] = field(default_factory=Counter)
    """Refused packets, messages and merges, by reason."""
    messages_sent: Counter[str] = field(default_factory=Counter)
    messages_sent_bytes: Counter[str] = field(default_factory=Counter)
    """By kind: "update" (one change), "full_state"."""


class Cluster:
    """Owns the gossip member, keeps peers joined, and says when it has settled and where this node stands."""

    def __init__(
        self,
        settings: ClusterSettings,
        transport: Transport,
        states: Mapping[str, Mergeable],
        *,
        clock: Clock,
        log: Logger,
        on_members: Callable[[], None],
        on_settled: Callable[[], None],
        on_merged: Callable[[str], None],
        advertise: Address | None = None,
    ) -> None:
        self.settings = settings
        self.statistics = ClusterStatistics()
        self.courier = Courier()
        self._states = states
        self._log = log
        self._on_members = on_members
        self._on_settled = on_settled
        self.gossip = Gossip(
            settings.gossip_config(),
            transport,
            name=settings.name,
            address=advertise,
            meta=META,
            local_state=self._local_state,
            on_event=self._handle_event,
            random_source=random.Random(),
        )
        self.inbox = Inbox(states, clock=clock, log=log, on_merged=on_merged, rebroadcast=self.broadcast)
        self.handlers: dict[str, Callable[[bytes, str], None]] = {}
        """Who gets the updates of other keys than those of the replicated states: (data, source)."""
        self._settle: Settle | None = None
        self._closed = False
        self._peers: PeerBook | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    # -- life

    async def start(self) -> None:
        """Listen, then join in the background: the API need not wait for any peer."""
        places = [split_host_port("--cluster.peer", peer) for peer in self.settings.peers]
        await self.gossip.start()
        now = self._loop.time()
        self._peers = PeerBook(
            own=self.gossip.local.address, reconnect_timeout=self.settings.reconnect_timeout
        )
        self._settle = Settle(
            interval=10 * self.settings.gossip.gossip_interval,
            deadline=now + self.settings.settle_timeout,
            now=now,
        )
        self._log.info(
            "cluster listening",
            name=self.settings.name,
            address=str(self.gossip.local.address),
            peers=len(places),
        )
        self._spawn(self._join_first(places))
        self._spawn(self._settle_down(self._settle))
        self._spawn(self._reconnect_forever(self._peers))
        self._spawn(self._refresh_forever(places))
        self._spawn(self._forget_forever(self._peers))

    async def close(self) -> None:
        """Leave, telling the others, then close. Bounded in time; idempotent."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._peers is not None:
            with contextlib.suppress(ClosedError):
                if not await self.gossip.leave(LEAVE_TIMEOUT):
                    self._log.warn("leaving the cluster was not heard in time", timeout=LEAVE_TIMEOUT)
        await self.gossip.close()
        await self.inbox.close()

    # -- views

    @property
    def settled(self) -> bool:
        """Whether notifications may go out."""
        return self._settle is not None and self._settle.settled

    @property
    def position(self) -> int:
        """Our place among the live members' names, sorted by bytes (specification 4.7)."""
        own = self.settings.name.encode()
        return sum(member.name.encode() < own for member in self.gossip.members)

    @property
    def failed_peers(self) -> int:
        """Addresses that should be members and are not."""
        return self._peers.failed_count if self._peers is not None else 0

    def peers(self) -> list[PeerStatus]:
        """The live members, ourselves included, by name."""
        members = sorted(self.gossip.members, key=lambda member: member.name)
        return [PeerStatus(member.name, str(member.address)) for member in members]

    # -- replication

    def broadcast(self, key: str, changes: Sequence[bytes]) -> None:
        """Tell all members of changes to the state ``key``, each one delimited entry."""
        for change in changes:
            part = encode_part(key, change)
            self.statistics.messages_sent["update"] += 1
            self.statistics.messages_sent_bytes["update"] += len(part)
            if len(part) > OVERSIZE_BYTES:
                own = self.settings.name
                others = [member.name for member in self.gossip.members if member.name != own]
                self.courier.add(others, key, change)
            else:
                self.gossip.broadcast(part)
        self._dispatch_batches()

    @property
    def tocsin_peers(self) -> frozenset[str]:
        """The names of the other live members that are Tocsin nodes."""
        own = self.settings.name
        return frozenset(
            [each.name for each in self.gossip.members if each.name != own and speaks_tocsin(each.meta)]
        )

    def tell(self, key: str, data: bytes) -> None:
        """Send a small Part at once, in a packet, to the other Tocsin nodes: to those who come first, if they
        are many. It may be lost."""
        part = encode_part(key, data)
        for name in sorted(self.tocsin_peers, key=str.encode)[:MAX_TOLD]:
            self.statistics.messages_sent["update"] += 1
            self.statistics.messages_sent_bytes["update"] += len(part)
            self.gossip.send_best_effort(name, part)

    def _local_state(self, join: bool) -> bytes:  # noqa: ARG002
        state = encode_full_state({key: state.encode_state() for key, state in self._states.items()})
        self.statistics.messages_sent["full_state"] += 1
        self.statistics.messages_sent_bytes["full_state"] += len(state)
        return state

    def _dispatch_batches(self) -> None:
        for batch in self.courier.batches():
            self._spawn(self._deliver(batch))

    async def _deliver(self, batch: Batch) -> None:
        try:
            await self.gossip.send_reliable(batch.member, encode_part(batch.key, batch.data))
        except TocsinError as error:
            self._log.debug("large changes not delivered", peer=batch.member, error=str(error))
            self.courier.finished(batch, success=False)
        else:
            self.courier.finished(batch, success=True)
        self._dispatch_batches()
        for name in self.courier.missed():
            member = self.gossip.endpoint.member(name)
            if member is not None and member.live:
                await self.gossip.join([member.address])

    # -- events of the gossip member

    def _handle_event(self, event: Event) -> None:
        match event:
            case UserMessage(payload=payload):
                try:
                    key, data = decode_part(payload)
                except StateError as error:
                    self.inbox.refused(str(error), str(event.source))
                else:
                    handler = self.handlers.get(key)
                    if handler is not None:
                        handler(data, str(event.source))
                    else:
                        self.inbox.update(key, data, str(event.source))
            case RemoteState(payload=payload):
                try:
                    parts = decode_full_state(payload)
                except StateError as error:
                    self.inbox.refused(str(error), str(event.source))
                else:
                    self.inbox.full_state(parts, str(event.source))
            case MemberJoined(member=member):
                self.statistics.peers_joined += 1
                if self._peers is not None and self._peers.joined(member.name, member.address):
                    self.statistics.reconnections += 1
                self._log.info("peer joined", peer=member.name, address=str(member.address))
                self._on_members()
            case MemberLeft(member=member):
                self.statistics.peers_left += 1
                on_purpose = member.state is MemberState.LEFT
                if self._peers is not None:
                    now = self._loop.time()
                    self._peers.left(member.name, member.address, now, on_purpose=on_purpose)
                self.courier.forget(member.name)
                how = "peer left" if on_purpose else "peer failed"
                self._log.info(how, peer=member.name, address=str(member.address))
                self._on_members()
            case MemberUpdated():
                self.statistics.peers_updated += 1
                self._on_members()
            case NameConflict(existing=existing, claimed=claimed):
                self.statistics.name_conflicts += 1
                self._log.warn(
                    "another address claims the name of a member",
                    peer=existing.name,
                    address=str(existing.address),
                    claimed=str(claimed),
                )
            case ProtocolTrouble(reason=reason, detail=detail, source=source):
                self.statistics.trouble[reason] += 1
                self._log.debug("refused from peer", reason=reason, detail=detail, source=str(source))
            case _:
                pass

    # -- keeping peers joined

    async def _join_first(self, places: list[tuple[str, int]]) -> None:
        addresses = await self._resolve(places, retry_until=self.settings.peers_resolve_timeout)
        assert self._peers is not None  # noqa: S101  (set before this task starts)
        missing = self._peers.configured(addresses, self._loop.time())
        joined = sum([result.joined for result in await self.gossip.join(missing)])
        if missing:
            self._log.info("joined the cluster", peers=joined, failed=len(missing) - joined)

    async def _settle_down(self, settle: Settle) -> None:
        started = self._loop.time()
        while (due := settle.next_timeout()) is not None:
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            settle.handle_timeout(len(self.gossip.members), self._loop.time())
        elapsed = round(self._loop.time() - started, 3)
        if settle.timed_out:
            self._log.warn("gossip not settled but continuing anyway", elapsed=elapsed)
        else:
            self._log.info("gossip settled; proceeding", elapsed=elapsed)
        self._on_settled()

    async def _reconnect_forever(self, peers: PeerBook) -> None:
        while True:
            await asyncio.sleep(self.settings.reconnect_interval)
            results = await self.gossip.join(peers.to_reconnect())
            failed = [result for result in results if not result.joined]
            self.statistics.reconnections_failed += len(failed)
            for result in failed:
                self._log.debug("reconnecting failed", peer=str(result.address), error=result.error)

    async def _refresh_forever(self, places: list[tuple[str, int]]) -> None:
        while places:
            await asyncio.sleep(REFRESH_INTERVAL)
            assert self._peers is not None  # noqa: S101
            addresses = await self._resolve(places, retry_until=0.0)
            missing = self._peers.configured(addresses, self._loop.time())
            results = await self.gossip.join(missing)
            failed = sum([not result.joined for result in results])
            self.statistics.refresh_joins += len(results) - failed
            self.statistics.refresh_joins_failed += failed

    async def _forget_forever(self, peers: PeerBook) -> None:
        while True:
            await asyncio.sleep(FORGET_INTERVAL)
            for address in peers.forget(self._loop.time()):
                self._log.info("peer forgotten after the reconnect timeout", address=str(address))

    async def _resolve(self, places: list[tuple[str, int]], *, retry_until: float) -> list[Address]:
        """All addresses of the configured peers. Names that do not resolve are tried again for a while."""
        deadline = self._loop.time() + retry_until

        async def one(host: str, port: int) -> list[Address]:
            while True:
                left = max(deadline - self._loop.time(), RESOLVE_RETRY)
                try:
                    return await resolve(host, port, timeout=left)
                except TransportError as error:
                    self.statistics.resolve_failures += 1
                    self._log.warn("peer does not resolve", peer=f"{host}:{port}", error=str(error))
                if self._loop.time() + RESOLVE_RETRY > deadline:
                    return []
                await asyncio.sleep(RESOLVE_RETRY)

        found = await asyncio.gather(*(one(host, port) for host, port in places))
        return [address for addresses in found for address in addresses]

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None or isinstance(error, ClosedError):
            return
        self._log.error("a cluster task failed", error=repr(error))
