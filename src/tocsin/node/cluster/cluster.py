"""The node's cluster: membership from gossip, and the replicated states carried on it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final

from tocsin.alerting.protocol.parts import (
    decode_full_state,
    decode_part,
    encode_part,
)
from tocsin.errors import ClosedError, StateError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import (
    Event,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    NameConflict,
    PacketsLost,
    ProtocolTrouble,
    RemoteState,
    StreamOpened,
    UserMessage,
)
from tocsin.gossip.discovery.resolve import resolve
from tocsin.gossip.driver import Gossip
from tocsin.gossip.transport.base import Transport
from tocsin.gossip.wire.messages import MemberState
from tocsin.node.clock import Clock
from tocsin.node.cluster.antientropy import KEY as DIGESTS
from tocsin.node.cluster.capability import META, speaks_tocsin
from tocsin.node.cluster.convergence import Convergence, Replicated
from tocsin.node.cluster.inbox import Inbox
from tocsin.node.cluster.peers import PeerBook
from tocsin.node.cluster.replication import Replication
from tocsin.node.cluster.settings import ClusterSettings, ClusterStatistics, PeerStatus
from tocsin.node.cluster.settle import Settle
from tocsin.node.config.commandline import split_host_port
from tocsin.node.log import Logger

MAX_TOLD: Final = 32
"""Members that get what is told. Whoever comes later waits for so many places that it need not know."""
REFRESH_INTERVAL: Final = 15.0
FORGET_INTERVAL: Final = 300.0
RESOLVE_RETRY: Final = 2.0
JOIN_RETRY: Final = 0.25
LEAVE_TIMEOUT: Final = 10.0
FLUSH_TIMEOUT: Final = 2.0
RESETTLE_TIMEOUT: Final = 5.0
"""Seconds that notifications wait at most for what was missed."""


class Cluster:
    """Owns the gossip member, keeps peers joined, and says when it has settled and where this node stands."""

    def __init__(
        self,
        settings: ClusterSettings,
        transport: Transport,
        states: Mapping[str, Replicated],
        *,
        clock: Clock,
        log: Logger,
        on_members: Callable[[], None],
        on_settled: Callable[[], None],
        on_merged: Callable[[str], None],
        on_growth: Callable[[int], None] = lambda _: None,
        advertise: Address | None = None,
        once_kept: Callable[[Callable[[], None]], None] = lambda tell: tell(),
    ) -> None:
        self.settings = settings
        self.statistics = ClusterStatistics()
        self.flush_timeout = FLUSH_TIMEOUT
        self.convergence = Convergence(
            settings.name, states, clock=clock, log=log, on_full_state=self._full_state_sent
        )
        self._log = log
        self._on_members = on_members
        self._on_settled = on_settled
        self.gossip = Gossip(
            settings.gossip_config(),
            transport,
            name=settings.name,
            incarnation=settings.incarnation,
            address=advertise,
            meta=META,
            state_for=self.convergence.state_for,
            on_event=self._handle_event,
            random_source=random.Random(),
        )
        self.replication = Replication(
            self.gossip,
            {key: state.key_of for key, state in states.items()},
            resync=self.resync,
            random=random.Random(),
            log=log,
        )
        self.inbox = Inbox(
            states,
            clock=clock,
            log=log,
            on_merged=on_merged,
            relay=lambda *news: once_kept(partial(self.replication.relay, *news)),
            on_growth=on_growth,
        )
        self.convergence.attach(self.gossip, self.inbox)
        self._dialling: set[Address] = set()
        self.handlers: dict[str, Callable[[bytes, str], None]] = {
            DIGESTS: self.convergence.anti_entropy.receive
        }
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
        self._peers = PeerBook(
            own=self.gossip.local.address, reconnect_timeout=self.settings.reconnect_timeout
        )
        self._settle = self.convergence.start(self.settings.settle_timeout, self._on_settled)
        self._log.info(
            "cluster listening",
            name=self.settings.name,
            address=str(self.gossip.local.address),
            peers=len(places),
        )
        for number, place in enumerate(places):
            self._settle.wait_for(_place(number), self._loop.time())
            self._spawn(self._join_first(number, place, self._settle))
        self._settle.start()
        self.convergence.poke()
        self._spawn(self._reconnect_forever(self._peers))
        self._spawn(self._refresh_forever(places))
        self._spawn(self._forget_forever(self._peers))

    def settle_again(self) -> bool:
        """Ask the members what was missed; ``on_settled`` comes again. False while settling for the first
        time."""
        if self._closed or self._settle is None or not self._settle.settled:
            return False
        timeout = min(self.settings.settle_timeout, RESETTLE_TIMEOUT)
        self._settle = self.convergence.start_again(timeout, self._on_settled)
        return True

    async def close(self) -> None:
        """Leave, telling the others, then close. Bounded in time; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._peers is not None:
            await self._flush()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.replication.close()
        await self.convergence.close()
        if self._peers is not None:
            with contextlib.suppress(ClosedError):
                if not await self.gossip.leave(LEAVE_TIMEOUT):
                    self._log.warn("leaving the cluster was not heard in time", timeout=LEAVE_TIMEOUT)
        await self.gossip.close()
        await self.inbox.close()

    async def _flush(self) -> None:
        """Before the goodbye, which moves the others up: they would notify again what we have just sent."""
        try:
            async with asyncio.timeout(self.flush_timeout):
                while self._untold:  # noqa: ASYNC110 (bounded above)
                    await asyncio.sleep(self.settings.gossip.gossip_interval / 8)
        except TimeoutError:
            self._log.warn("left with changes that not all members were told", timeout=self.flush_timeout)

    @property
    def _untold(self) -> bool:
        if self.replication.courier.busy:
            return True
        own = self.settings.name
        return any(self.gossip.backlog(each.name) for each in self.gossip.members if each.name != own)

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
        self.replication.broadcast(key, changes)

    async def resync(self, member_name: str) -> bool:
        """Make the state of a member, who lacks something, and ours equal; whether that went well."""
        return await self.convergence.resync(member_name)

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
            self.gossip.send_best_effort(name, part)

    def _full_state_sent(self, size: int) -> None:
        self.statistics.full_states_sent += 1
        self.statistics.full_state_bytes_sent += size

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
                        self.inbox.update(key, data, event.source)
            case RemoteState(payload=payload):
                try:
                    parts = decode_full_state(payload)
                except StateError as error:
                    self.inbox.refused(str(error), str(event.source))
                else:
                    self.inbox.full_state(parts, event.source)
                    self.convergence.remote_state(payload, event.source)
            case StreamOpened(destination=destination) if self._settle is not None:
                self._settle.heard(str(destination))
            case MemberJoined(member=member):
                self.statistics.peers_joined += 1
                if self._peers is not None and self._peers.joined(member.name, member.address):
                    self.statistics.reconnections += 1
                self.replication.member_changed(member)
                self._log.info("peer joined", peer=member.name, address=str(member.address))
                if self._settle is not None:
                    self._settle.done(str(member.address))
                self.convergence.member_joined(member)
                self._on_members()
            case MemberLeft(member=member):
                self.statistics.peers_left += 1
                on_purpose = member.state is MemberState.LEFT
                if self._peers is not None:
                    now = self._loop.time()
                    self._peers.left(member.name, member.address, now, on_purpose=on_purpose)
                self.replication.member_gone(member, on_purpose=on_purpose)
                self.convergence.member_left(member)
                how = "peer left" if on_purpose else "peer failed"
                self._log.info(how, peer=member.name, address=str(member.address))
                self._on_members()
            case MemberUpdated(member=member):
                self.statistics.peers_updated += 1
                self.replication.member_changed(member)
                self._on_members()
            case PacketsLost(destination=destination):
                self.replication.packets_lost(destination)
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

    async def _join_first(self, number: int, place: tuple[str, int], settle: Settle) -> None:
        """Join one configured peer, trying again for as long as settling waits for it."""
        addresses = await self._resolve([place], retry_until=self.settings.peers_resolve_timeout)
        assert self._peers is not None  # noqa: S101  (set before this task starts)
        missing = self._peers.configured(addresses, self._loop.time())
        for address in missing:
            settle.wait_for(str(address), self._loop.time())
        settle.done(_place(number))
        self.convergence.poke()
        await asyncio.gather(*(self._join_one(address, settle) for address in missing))

    async def _join_one(self, address: Address, settle: Settle) -> None:
        while True:
            [result] = await self.gossip.join([address])
            if result.joined:
                settle.done(str(address))
                self.convergence.poke()
                self._log.info("joined the cluster", peer=str(address))
                return
            self._log.info("a peer cannot be joined", peer=str(address), error=result.error)
            await asyncio.sleep(JOIN_RETRY)
            if str(address) not in settle.waiting(self._loop.time()):
                return  # The reconnecting goes on with it.

    async def _reconnect_forever(self, peers: PeerBook) -> None:
        while True:
            await asyncio.sleep(self.settings.reconnect_interval)
            for address in peers.to_reconnect():
                self._dial_again(address, self._reconnect)

    async def _refresh_forever(self, places: list[tuple[str, int]]) -> None:
        while places:
            await asyncio.sleep(REFRESH_INTERVAL)
            assert self._peers is not None  # noqa: S101
            addresses = await self._resolve(places, retry_until=0.0)
            for address in self._peers.configured(addresses, self._loop.time()):
                self._dial_again(address, self._refresh)

    def _dial_again(self, address: Address, dial: Callable[[Address], Coroutine[Any, Any, None]]) -> None:
        """In a task of its own, one for each address: a peer that never answers holds up no other."""

        async def once() -> None:
            try:
                await dial(address)
            finally:
                self._dialling.discard(address)

        if address not in self._dialling:
            self._dialling.add(address)
            self._spawn(once())

    async def _reconnect(self, address: Address) -> None:
        [result] = await self.gossip.join([address])
        if not result.joined:
            self.statistics.reconnections_failed += 1
            self._log.debug("reconnecting failed", peer=str(address), error=result.error)

    async def _refresh(self, address: Address) -> None:
        [result] = await self.gossip.join([address])
        self.statistics.refresh_joins += result.joined
        self.statistics.refresh_joins_failed += not result.joined

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


def _place(number: int) -> str:
    """What settling calls a configured peer whose name is not resolved yet."""
    return f"--cluster.peer {number}"
