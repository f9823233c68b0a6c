"""The node's cluster: membership from gossip, and the replicated states carried on it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import thread_time
from typing import TYPE_CHECKING, Final

from tocsin.aio import Tasks
from tocsin.alerting.protocol.parts import (
    decode_full_state,
    decode_part,
    encode_part,
)
from tocsin.errors import ClosedError, ConfigError, NotFoundError, StateError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import (
    Event,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    NameConflict,
    PacketsLost,
    ProtocolError,
    RemoteState,
    StreamOpened,
    UserMessage,
)
from tocsin.gossip.core.member import Member
from tocsin.gossip.gossip import Gossip
from tocsin.gossip.transport.base import Transport
from tocsin.gossip.wire.messages import MemberState
from tocsin.node.clock import Clock
from tocsin.node.cluster.antientropy import KEY as DIGESTS
from tocsin.node.cluster.capability import META, speaks_tocsin
from tocsin.node.cluster.convergence import Convergence, Replicated
from tocsin.node.cluster.gaps import Gaps
from tocsin.node.cluster.inbox import Inbox
from tocsin.node.cluster.joining import Joining
from tocsin.node.cluster.keyring.keyfile import KeyringFile
from tocsin.node.cluster.keyring.refusals import KeyringRefusals
from tocsin.node.cluster.name import remembered
from tocsin.node.cluster.replication import Replication
from tocsin.node.cluster.settings import ClusterSettings, ClusterStatistics, PeerStatus
from tocsin.node.cluster.settle import Settle
from tocsin.node.log import Logger
from tocsin.node.log_bound import LogBound, LogStatistics

if TYPE_CHECKING:  # Loaded with a keyring.
    from tocsin.node.cluster.keyring.service import KeyringService

MAX_RECIPIENTS: Final = 32
"""Members, first in order of position, that get a message of :meth:`Cluster.send_to_tocsin`. Later ones wait
for so many others that they need not."""
QUICK: Final = 0.0002
SELDOM: Final = 10
"""Seconds of work that noticing a change of the members may take, and times it that pass until the next if it
took more."""
LEAVE_TIMEOUT: Final = 10.0
FLUSH_TIMEOUT: Final = 2.0
RESETTLE_TIMEOUT: Final = 5.0
"""Seconds that notifications wait at most for what was missed."""


LABEL_LINES: Final = 8
"""Log lines about peers with another label, in ten seconds; one for each host."""
_ADVERTISE: Final = "--cluster.advertise-address"
_FLAGS_OF: Final = {"listen_address": "--cluster.listen-address", "advertise_address": _ADVERTISE}
"""The flag for each argument of the transport."""


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
        once_kept: Callable[[Callable[[], None]], None] = lambda relay: relay(),
        keyring: KeyringFile | None = None,
        keep: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.statistics = ClusterStatistics()
        self.flush_timeout = FLUSH_TIMEOUT
        self._log = log
        self.log_statistics = LogStatistics()
        self._trouble_lines = LogBound(statistics=self.log_statistics)
        self._labels = LogBound(lines=1, total=LABEL_LINES, statistics=self.log_statistics)
        # Many nodes of one host, or of a large cluster, may legitimately come and go.
        self._member_lines = LogBound(lines=32, total=512, statistics=self.log_statistics)
        self._on_members = on_members
        self._noticing: asyncio.TimerHandle | None = None
        self._unnoticed = False
        self._on_settled = on_settled
        ring = keyring.keyring if keyring is not None else None
        self._keyring_trouble = KeyringRefusals(ring, log, self.log_statistics)
        self.keyring_service: KeyringService | None = None
        if keyring is not None:
            from tocsin.node.cluster.keyring.service import KeyringService

            self.keyring_service = KeyringService(
                settings.name,
                keyring,
                members=lambda: self.gossip.endpoint.known_members(),
                log=log,
                bound=self._trouble_lines,
            )
        self.gossip = Gossip(
            settings.gossip_config(),
            transport,
            name=settings.name,
            incarnation=settings.incarnation,
            address=advertise,
            meta=META,
            state_for=lambda request: self.convergence.state_for(request),
            on_event=self._handle_event,
            keyring=ring,
            on_request=self.keyring_service.receive if self.keyring_service is not None else None,
            random_source=random.Random(),
            static_membership=settings.static_membership,
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
            relay=lambda *fresh: once_kept(partial(self.replication.relay, *fresh)),
            on_growth=on_growth,
            bound=self._trouble_lines,
            is_member=self.replication.listens,
        )
        self.convergence = Convergence(
            settings.name,
            states,
            self.gossip,
            self.inbox,
            clock=clock,
            log=log,
            on_full_state=self._full_state_sent,
            static_membership=settings.static_membership,
        )
        self.handlers: dict[str, Callable[[bytes, UserMessage], None]] = {
            DIGESTS: self.convergence.anti_entropy.receive
        }
        """Handlers of user messages by key, beside those of the replicated states; called with (data,
        event)."""
        self._settle: Settle | None = None
        self._closed = False
        self._keep = keep
        self.joining: Joining | None = None
        self._sending = Tasks(lambda error: log.error("a message to a peer failed", error=repr(error)))

    # -- start and stop

    async def start(self) -> None:
        """Listen, then join in the background: the API need not wait for any peer."""
        try:
            await self.gossip.start()
        except ConfigError as error:
            flag = _FLAGS_OF.get(error.location, error.location)
            hint = error.hint.replace("advertise_address", _ADVERTISE)
            raise ConfigError(flag, error.problem, hint) from None
        self._settle = self.convergence.start(self.settings.settle_timeout, self._on_settled)
        self.joining = Joining(
            self.settings,
            self.gossip,
            self.statistics,
            self._settle,
            notify=self.convergence.notify,
            keep=self._keep,
            log=self._log,
        )
        self._log.info(
            "cluster listening",
            name=self.settings.name,
            address=str(self.gossip.local.address),
            peers=len(self.settings.peers),
        )
        self.joining.start()
        self._settle.start()
        self.convergence.notify()

    def settle_again(self) -> bool:
        """Ask the members what was missed; ``on_settled`` comes again. False while settling for the first
        time."""
        if self._closed or self._settle is None or not self._settle.settled:
            return False
        timeout = min(self.settings.settle_timeout, RESETTLE_TIMEOUT)
        self._settle = self.convergence.start_again(timeout, self._on_settled)
        return True

    async def close(self) -> None:
        """Send the leave message, then close. Bounded in time; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._noticing is not None:
            self._noticing.cancel()
        if self.joining is not None:
            await self._flush()
            await self.joining.close()
        await self._sending.cancel()
        await self.replication.close()
        await self.convergence.close()
        if self.joining is not None:
            with contextlib.suppress(ClosedError):
                if not await self.gossip.leave(LEAVE_TIMEOUT):
                    self._log.warn("timeout waiting for the leave broadcast", timeout=LEAVE_TIMEOUT)
        await self.gossip.close()
        await self.inbox.close()

    async def _flush(self) -> None:
        """Send queued changes before leaving: leaving moves the others up in position, and they would notify
        again what we have just sent."""
        try:
            async with asyncio.timeout(self.flush_timeout):
                while self._leave_pending:  # noqa: ASYNC110 (bounded above)
                    await asyncio.sleep(self.settings.gossip.gossip_interval / 8)
        except TimeoutError:
            self._log.warn("left the cluster with undelivered changes", timeout=self.flush_timeout)

    @property
    def _leave_pending(self) -> bool:
        if self.replication.outbound.busy:
            return True
        own = self.settings.name
        return any(self.gossip.backlog(each.name) for each in self.gossip.members if each.name != own)

    # -- views

    async def reload_identity(self) -> None:
        """Read the transport's certificates anew; :class:`ConfigError` if they cannot be used."""
        if (certificates := self.gossip.transport.certificates) is not None:
            await certificates.reload_aside()

    @property
    def settled(self) -> bool:
        """Whether notifications may go out."""
        return self._settle is not None and self._settle.settled

    @property
    def position(self) -> int:
        """Our position among the live members' names, sorted by bytes (wire 4.7)."""
        own = self.settings.name.encode()
        return sum(member.name.encode() < own for member in self.gossip.members)

    @property
    def standing(self) -> tuple[int, frozenset[str], int]:
        """Our position, the Tocsin nodes among the others, and how many others there are."""
        return self.position, self.tocsin_peers, len(self.gossip.members) - 1

    @property
    def remembered(self) -> dict[str, str]:
        """What the store keeps about this node for its next run."""
        return remembered(self.gossip.local)

    @property
    def failed_peers(self) -> int:
        """Addresses that should be members and are not."""
        return self.joining.peers.failed_count if self.joining is not None else 0

    @property
    def gaps(self) -> Gaps:
        """Missing peers, and sources of peers that do not answer."""
        return self.joining.gaps if self.joining is not None else Gaps()

    def peers(self) -> list[PeerStatus]:
        """The live members, ourselves included, by name."""
        members = sorted(self.gossip.members, key=lambda member: member.name)
        return [PeerStatus(member.name, str(member.address)) for member in members]

    def discovered_host(self, address: Address) -> str:
        """The name by which discovery found the peer at ``address``; empty when it has none."""
        return self.joining.discovery.host(address) if self.joining is not None else ""

    # -- replication

    def broadcast(self, key: str, changes: Sequence[bytes]) -> None:
        """Broadcast changes to the state ``key`` to all members, each one delimited entry."""
        self.replication.broadcast(key, changes)

    async def resync(self, member_name: str) -> bool:
        """Exchange states with a member that lacks something; whether that succeeded."""
        return await self.convergence.resync(member_name)

    @property
    def tocsin_peers(self) -> frozenset[str]:
        """The names of the other live members that are Tocsin nodes."""
        own = self.settings.name
        return frozenset(
            [each.name for each in self.gossip.members if each.name != own and speaks_tocsin(each.meta)]
        )

    def send_to_tocsin(self, key: str, data: bytes) -> None:
        """Send a small Part at once, in a packet if it fits one, to the other Tocsin nodes: to the first ones
        in order of position, if they are many. It may be lost."""
        part, room = encode_part(key, data), self.gossip.packet_room
        for name in sorted(self.tocsin_peers, key=str.encode)[:MAX_RECIPIENTS]:
            if room is None or len(part) <= room:
                self.gossip.send_best_effort(name, part)
            else:
                self._sending.spawn(self._send_by_stream(name, part))

    async def _send_by_stream(self, name: str, part: bytes) -> None:
        with contextlib.suppress(ClosedError, NotFoundError, TransportError):
            await self.gossip.send_reliable(name, part)

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
                        handler(data, event)
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
                self._settle.heard(destination)
            case MemberJoined(member=member):
                self.statistics.peers_joined += 1
                if self.joining is not None and self.joining.member_joined(member):
                    self.statistics.reconnections += 1
                self.replication.member_changed(member)
                self._say("peer joined", member)
                self.convergence.member_joined(member)
                self._members_changed()
            case MemberLeft(member=member):
                self.statistics.peers_left += 1
                on_purpose = member.state is MemberState.LEFT
                if self.joining is not None:
                    self.joining.member_left(member, on_purpose=on_purpose)
                self.replication.member_gone(member, on_purpose=on_purpose)
                self.convergence.member_left(member)
                self._say("peer left" if on_purpose else "peer failed", member)
                self._members_changed()
            case MemberUpdated(member=member):
                self.statistics.peers_updated += 1
                if self.joining is not None:
                    self.joining.member_joined(member)  # perhaps at another address
                self.replication.member_changed(member)
                self._members_changed()
            case PacketsLost(destination=destination):
                self.replication.packets_lost(destination)
            case NameConflict(existing=existing, claimed=claimed):
                self.statistics.name_conflicts += 1
                more = self._trouble_lines.admit("name", claimed.host)
                if more is not None:
                    self._log.warn(
                        "another address claims the name of a member",
                        peer=existing.name,
                        address=str(existing.address),
                        claimed=str(claimed),
                        **more,
                    )
            case ProtocolError(reason=reason, detail=detail, source=source):
                self.statistics.refused[reason] += 1
                if reason == "keyring":
                    self._keyring_trouble.write(source, detail, asyncio.get_running_loop().time())
                if reason == "label" and (more := self._labels.admit("label", source.host)) is not None:
                    self._log.warn(
                        "a peer has another --cluster.label", peer=str(source), problem=detail, **more
                    )
                self._log.debug("refused from peer", reason=reason, detail=detail, source=str(source))
            case _:
                pass

    def _members_changed(self) -> None:
        """Update the position, at once unless that takes long: thousands of members may join one after the
        other."""
        if self._closed:
            return
        if self._noticing is not None:
            self._unnoticed = True
            return
        began = thread_time()
        self._on_members()
        took = thread_time() - began
        if took > QUICK:
            self._noticing = asyncio.get_running_loop().call_later(SELDOM * took, self._notice_again)

    def _notice_again(self) -> None:
        self._noticing = None
        if self._unnoticed:
            self._unnoticed = False
            self._members_changed()

    def _say(self, what: str, member: Member) -> None:
        more = self._member_lines.admit(what, member.address.host)
        if more is not None:
            self._log.info(what, peer=member.name, address=str(member.address), **more)
