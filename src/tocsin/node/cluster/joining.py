"""Keeps this node joined with the peers that discovery lists, and with members that were lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from tocsin.aio import Tasks
from tocsin.errors import ClosedError
from tocsin.gossip.address import Address
from tocsin.gossip.core.member import Member
from tocsin.gossip.discovery.policy import (
    Answered,
    Discovered,
    Discovery,
    DiscoveryEvent,
    Forgotten,
    Renamed,
)
from tocsin.gossip.discovery.sources import Literal, Name, Target
from tocsin.gossip.gossip import Gossip
from tocsin.node.cluster.discovery import REMEMBERED, DiscoveryLoop, Resolvers, dump_targets
from tocsin.node.cluster.gaps import Gap, Gaps, explained
from tocsin.node.cluster.names import doubt, set_names
from tocsin.node.cluster.peers import PeerBook
from tocsin.node.cluster.settings import ClusterSettings, ClusterStatistics
from tocsin.node.cluster.settle import Settle
from tocsin.node.config.peers import parse_peer
from tocsin.node.log import Logger

FORGET_INTERVAL: Final = 300.0
JOIN_RETRY: Final = 0.25
REMIND_INTERVAL: Final = 60.0
DISMISSED_INTERVAL: Final = 300.0
"""Seconds after which a forgotten peer that is still listed is dialled once: it may only have been cut off.
If both sides had to forget each other, neither would end the partition."""
MAX_CHECKED: Final = 64
"""Names of this node that are compared with its certificate."""


class Joining:
    """Dials what is listed and not a member; calls ``notify`` when what is waited for may have changed."""

    def __init__(
        self,
        settings: ClusterSettings,
        gossip: Gossip,
        statistics: ClusterStatistics,
        settle: Settle,
        *,
        notify: Callable[[], None],
        keep: Callable[[Mapping[str, str]], None],
        log: Logger,
    ) -> None:
        """:class:`~tocsin.errors.ConfigError` for an invalid peer. Gossip must have started."""
        self._settings = settings
        self._gossip = gossip
        self._statistics = statistics
        self._settle = settle
        self._notify = notify
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._dialling: set[Address] = set()
        self._checked: set[str] = set()
        self._errors: dict[Address, str] = {}
        """The last one of each address that could not be joined."""
        self._tasks = Tasks(self._task_failed)
        self.peers = PeerBook(own=gossip.local.address, reconnect_timeout=settings.reconnect_timeout)
        self.discovery = Discovery(
            [parse_peer(peer) for peer in settings.peers],
            interval=settings.discovery_interval,
            random=random.Random(),
            now=self._loop.time(),
            restored=settings.restored,
        )
        roots = self.discovery.roots
        self._enumerated = any(
            one.dns if isinstance(one, Name) else not isinstance(one, Literal) for one in roots
        )
        """Whether some source lists the whole cluster, and not only a peer or two to join."""
        self._discovering = DiscoveryLoop(
            self.discovery,
            Resolvers(settings.dns_servers, timeout=settings.peers_resolve_timeout),
            on_events=self._handle,
            on_answer=self._refresh_all,
            keep=lambda targets: keep({REMEMBERED: dump_targets(targets)}),
            log=log,
        )

    def start(self) -> None:
        """Ask the sources, and dial in the background: the API need not wait for any peer."""
        self._check_own(self._gossip.local.address.host)
        for source in self.discovery.roots:
            self._settle.wait_for(source, self._loop.time())
        self._discovering.start()
        self._tasks.spawn(self._reconnect_forever())
        self._tasks.spawn(self._forget_forever())
        self._tasks.spawn(self._remind_forever())
        self._tasks.spawn(self._redial_dismissed_forever())

    async def close(self) -> None:
        """Stop dialling."""
        await self._discovering.close()
        await self._tasks.cancel()

    @property
    def gaps(self) -> Gaps:
        """Peers that should be members and are not, and sources that do not answer."""
        failed = self.peers.to_reconnect()
        for address in self._errors.keys() - set(failed):
            del self._errors[address]
        return Gaps(
            tuple([Gap(self._named(address), self._errors.get(address, "")) for address in failed]),
            tuple([Gap(str(source), error) for source, error in self._discovering.failing.items()]),
        )

    def _named(self, address: Address) -> str:
        host = self.discovery.host(address)
        return f"{host} at {address}" if host else str(address)

    # -- members

    def member_joined(self, member: Member) -> bool:
        """Whether it had been lost."""
        self._settle.done(member.address)
        return self.peers.joined(member.name, member.address)

    def member_left(self, member: Member, *, on_purpose: bool) -> None:
        """It is dialled again unless it left on purpose or discovery no longer lists it."""
        self.peers.left(member.name, member.address, self._loop.time(), on_purpose=on_purpose)

    def dismiss(self, peer: str) -> list[Address]:
        """Forget a lost peer by its name or address: it is no longer waited for, dialled, or counted as
        missing."""
        gone = self.peers.dismiss(peer)
        for address in gone:
            self._settle.gone(address)
            self._log.info("peer forgotten on request", address=str(address))
        if gone:
            self._notify()
        return gone

    # -- discovery

    def _handle(self, events: list[DiscoveryEvent]) -> None:
        now = self._loop.time()
        if any(isinstance(event, Discovered | Forgotten | Renamed) for event in events):
            targets = self.discovery.targets
            set_names(self._gossip.transport, targets)
            for target in targets:
                if target.address == self._gossip.local.address:
                    self._check_own(target.host or target.address.host)
            self._gossip.set_listed([target.address for target in targets])
        for event in events:
            match event:
                case Discovered(target=target):
                    self._discovered(target, now)
                case Forgotten(target=Target(address=address, host=host)):
                    self._settle.gone(address)
                    if self.peers.unlisted(address):
                        self._log.info(
                            "peer removed: discovery no longer lists it", address=str(address), host=host
                        )
                case Answered(source=source, sources=sources):
                    for each in sources:
                        self._settle.wait_for(each, now)
                    self._settle.done(source)
        self._notify()

    def _check_own(self, host: str) -> None:
        """Whether peers can verify this node by the name under which they find it."""
        if host in self._checked or len(self._checked) >= MAX_CHECKED:
            return
        self._checked.add(host)
        if problem := doubt(self._gossip.transport, host):
            hint = f"issue it anew with that host too: tocsinctl certs issue NAME --host {host} ..."
            self._log.warn("peers cannot verify this node", problem=problem, hint=hint)

    def _discovered(self, target: Target, now: float) -> None:
        for address in self.peers.configured([target.address], now):
            self._settle.wait_for(address, now)
            self._log.debug("peer discovered", address=str(address), host=target.host)
            self._dial(address, self._join)

    def _refresh_all(self, addresses: list[Address]) -> None:
        for address in self.peers.configured(addresses, self._loop.time()):
            if self.discovery.lists(address):
                self._dial(address, self._refresh)

    # -- dialling

    def _dial(self, address: Address, dial: Callable[[Address], Coroutine[Any, Any, None]]) -> None:
        """In a task of its own, one for each address: a peer that never answers holds up no other."""

        async def once() -> None:
            try:
                await dial(address)
            finally:
                self._dialling.discard(address)

        if address not in self._dialling:
            self._dialling.add(address)
            self._tasks.spawn(once())

    async def _joined(self, address: Address) -> str:
        """Why ``address`` could not be joined; empty when it could."""
        [result] = await self._gossip.join([address])
        if not result.joined:
            error = self._errors[address] = explained(result.error)
            self._settle.not_joined(address)
            self._notify()
            return error
        self._errors.pop(address, None)
        self.peers.reached(address, self._loop.time())
        self._settle.done(address)
        self._notify()
        return ""

    async def _join(self, address: Address) -> None:
        before = ""
        while error := await self._joined(address):
            say = self._log.debug if error == before else self._log.warn
            before = error
            say("a peer cannot be joined", peer=str(address), error=error)
            await asyncio.sleep(JOIN_RETRY)
            if not self._settle.waits_for(address, self._loop.time()):
                return  # Reconnecting dials it again.
        self._log.info("joined the cluster", peer=str(address))

    async def _reconnect(self, address: Address) -> None:
        before = self._errors.get(address)
        if error := await self._joined(address):
            self._statistics.reconnections_failed += 1
            say = self._log.debug if error == before else self._log.warn
            say("reconnecting failed", peer=str(address), error=error)

    async def _refresh(self, address: Address) -> None:
        error = await self._joined(address)
        self._statistics.refresh_joins += not error
        self._statistics.refresh_joins_failed += bool(error)

    async def _reconnect_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.reconnect_interval)
            for address in self.peers.to_reconnect():
                self._dial(address, self._reconnect)

    async def _forget_forever(self) -> None:
        grace = self.discovery.grace
        while True:
            await asyncio.sleep(min(FORGET_INTERVAL, grace / 2))
            # A source that lists the whole cluster also shows which members are gone: dead ones that others
            # have gossiped.
            listed = self.discovery.lists if self._enumerated and self.discovery.complete else None
            for address in self.peers.forget(self._loop.time(), grace=grace, listed=listed):
                self._log.info("peer removed: lost for too long, or no longer listed", address=str(address))

    async def _redial_dismissed_forever(self) -> None:
        while True:
            await asyncio.sleep(DISMISSED_INTERVAL)
            for address in self.peers.dismissed:
                if self.discovery.lists(address):
                    self._dial(address, self._redial)

    async def _redial(self, address: Address) -> None:
        await self._gossip.join(
            [address]
        )  # If it is a member again it is no longer dismissed; otherwise it is not missing.

    async def _remind_forever(self) -> None:
        """A line about what is missing, for as long as it is."""
        while True:
            await asyncio.sleep(REMIND_INTERVAL)
            gaps = self.gaps
            if not gaps.whole:
                self._log.warn("the cluster is not whole", **gaps.shown)

    def _task_failed(self, error: BaseException) -> None:
        if not isinstance(error, ClosedError):
            self._log.error("a cluster task failed", error=repr(error))
