"""Sends changes of replicated state to the other members: at once, each change once; members that missed some
get whole states.

A change leaves within :data:`~tocsin.node.cluster.outbound.INTERVAL` of its commit, together with those of
the same moment: to every member while they are few, else to a fan-out, which passes it on. What a member took
from another one it relays as new or, where everybody should have it already, with the next gossip tick
as a repair: at once to members that are much nearer than that one. A member that is known to have missed
something gets an exchange of states.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import field
from random import Random
from typing import Final, Protocol

from tocsin.aio import LoopTimer, Tasks
from tocsin.alerting.protocol.parts import encode_part
from tocsin.dataclass import dataclass
from tocsin.errors import ClosedError, NotFoundError, TransportError
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.broadcast import transmit_limit
from tocsin.gossip.core.member import Member
from tocsin.node.cluster.capability import speaks_tocsin
from tocsin.node.cluster.outbound import Batch, OutboundQueue
from tocsin.node.cluster.resyncs import Resyncs
from tocsin.node.log import Logger

FEW: Final = 8
"""Other members up to which each gets every change from the node that made it."""
MANY: Final = 64
"""Tocsin nodes, and members of other kinds, that a change may go to from its maker. Of more those that have
answered pings come first, as members that somebody has invented never do; others hear of it by the gossip of
these, or by an exchange of states."""
SILENT: Final = 16
"""Of so many, those that have answered none."""
KEPT_FOR_SILENT: Final = 2
"""Places that are kept for these, chosen anew each time: a member that has just joined, or that no datagram
reaches, has answered none."""
AT_ONCE: Final = 64
"""Members that changes are sent to in one iteration of the event loop."""
PART_BYTES: Final = 16
"""Bytes that a Part adds to its data: two tags, a key of three letters, a length."""
RELAYED_BYTES: Final = 700
"""A Go peer sends longer data to every member itself (wire 4.3), so nobody has to pass it on."""
FAR: Final = 0.02
"""Seconds of a round trip from which a member is in another place, and not only busy."""
NEARER: Final = 4
"""How many times nearer a member is that gets a repair at once. TCP sends what a far line lost again after a
round trip and 200 ms at least; the repair by a neighbour is there before that."""


@dataclass(slots=True)
class ReplicationStatistics:
    """Beside those of :class:`OutboundQueue` and :class:`Resyncs`."""

    batches: int = 0
    """User messages sent, each with one or more changes."""
    batch_bytes: int = 0
    relayed: Counter[str] = field(default_factory=Counter)
    """Changes of others relayed, by kind of state."""
    losses: int = 0
    """Reports that packets to a live member did not arrive."""


class Messenger(Protocol):
    """The part of :class:`~tocsin.gossip.gossip.Gossip` that is used."""

    @property
    def config(self) -> GossipConfig:
        """Interval and fan-out."""

    @property
    def packet_room(self) -> int | None:
        """Bytes of a message that a packet can carry; None: no limit."""

    def send_best_effort(self, member: str, payload: bytes, /) -> None:
        """Send a packet to one member."""

    async def send_reliable(self, member: str, payload: bytes, /) -> None:
        """Send by stream to one member."""

    def backlog(self, member: str, /) -> int:
        """Bytes that wait for it."""

    def round_trip(self, member: str, /) -> float | None:
        """Seconds that its answers take, or None before the first."""


class Replication:
    """Takes changes, and sends them when the outbound queue says so.

    ``key_of`` finds the name of a change for each kind of state; without one nothing is superseded.
    ``resync`` exchanges states with a member, and returns whether that succeeded.
    """

    def __init__(
        self,
        gossip: Messenger,
        key_of: Mapping[str, Callable[[bytes], Hashable]],
        *,
        resync: Callable[[str], Awaitable[bool]],
        random: Random,
        log: Logger,
    ) -> None:
        self.statistics = ReplicationStatistics()
        room = gossip.packet_room
        self.outbound = OutboundQueue(
            packet_bytes=None if room is None else room - PART_BYTES,
            repeat_after=gossip.config.gossip_interval,
        )
        self.resyncs = Resyncs(random)
        self._gossip = gossip
        self._key_of = key_of
        self._resync = resync
        self._random = random
        self._log = log
        self._others: dict[str, Member] = {}
        self._by_address: dict[Address, str] = {}
        self._loop = asyncio.get_running_loop()
        self._timer = LoopTimer(self._run)
        self._fanout: tuple[list[str], list[str], list[str]] = ([], [], [])
        self._fanout_until = 0.0
        self._exchanges: dict[str, asyncio.Task[None]] = {}
        self._tasks = Tasks(lambda error: log.error("sending changes failed", error=repr(error)))
        self._arming: asyncio.Handle | None = None
        self._closed = False

    # -- changes

    def broadcast(self, key: str, changes: Sequence[bytes]) -> None:
        """Broadcast our own changes to the state ``key``, each one delimited entry."""
        if len(self._others) <= FEW:
            self._add(self._others, key, changes)
            return
        # A Go peer does not relay changes that came together with others, so it gets them from their maker;
        # of more than MANY each time others, and the rest by push/pull.
        eager, repaired, go = self._choose()
        self._add(dict.fromkeys(eager + go), key, changes)
        self._add(repaired, key, changes, repair_at=self._repair_time())

    def relay(self, key: str, changes: Sequence[bytes], source: Address | None, size: int) -> None:
        """Relay what was new to us, out of a message of ``size`` bytes from ``source``."""
        name, from_tocsin = self._sender(source)
        if not from_tocsin and size > RELAYED_BYTES:
            return
        self.statistics.relayed[key] += len(changes)
        if len(self._others) > FEW:
            eager, repaired, _ = self._choose()
            self._add([other for other in eager if other != name], key, changes)
        else:
            repaired = [other for other in self._others if other != name]
            if not from_tocsin:  # A Go peer has sent it to a few members only, and reaches the rest slowly.
                self._add(repaired, key, changes)
                return
            near = self._nearer_than(name)
            self._add(near, key, changes)
            repaired = [other for other in repaired if other not in near]
        self._add([one for one in repaired if one != name], key, changes, repair_at=self._repair_time())

    def _nearer_than(self, source: str | None) -> list[str]:
        """Members that are much nearer than a far ``source``."""
        far = self._gossip.round_trip(source) if source is not None else None
        if far is None or far < FAR:
            return []
        return [
            name
            for name in self._others
            if name != source and (trip := self._gossip.round_trip(name)) is not None and trip * NEARER <= far
        ]

    def _sender(self, source: Address | None) -> tuple[str | None, bool]:
        """The sender of a message, as far as known, and whether it is a Tocsin node."""
        if source is None:
            return None, False
        name = self._by_address.get(source)
        if name is not None:
            return name, speaks_tocsin(self._others[name].meta)
        # A stream comes from a port of its own: only the host is known.
        there = [member for member in self._others.values() if member.address.host == source.host]
        name = there[0].name if len(there) == 1 else None
        return name, bool(there) and all(speaks_tocsin(member.meta) for member in there)

    def _add(
        self, members: Iterable[str], key: str, changes: Sequence[bytes], *, repair_at: float | None = None
    ) -> None:
        members = list(members)
        if not members:
            return
        key_of = self._key_of.get(key)
        for change in changes:
            name = key_of(change) if key_of is not None else None
            self.outbound.add(members, key, name, change, repair_at=repair_at)
        # Never synchronously: changes of the same iteration of the loop leave in one batch.
        self._timer.arm_by(self._loop.time() if repair_at is None else repair_at)

    def _choose(self) -> tuple[list[str], list[str], list[str]]:
        """The Tocsin nodes that get changes now, those that get them with the next tick, and the members of
        other kinds that get them from their maker; chosen anew at each tick, so that changes gather."""
        now = self._loop.time()
        if now >= self._fanout_until:
            config = self._gossip.config
            tocsin = [name for name, member in self._others.items() if speaks_tocsin(member.meta)]
            wanted = max(
                transmit_limit(config.user_retransmit_multiplier, len(self._others) + 1), config.gossip_nodes
            )
            if len(tocsin) > MANY:
                chosen = self._first(tocsin, wanted)
            else:
                chosen = self._random.sample(tocsin, min(wanted, len(tocsin)))
            others = [name for name, member in self._others.items() if not speaks_tocsin(member.meta)]
            self._fanout = (
                chosen[: config.gossip_nodes],
                chosen[config.gossip_nodes :],
                self._first(others, MANY),
            )
            self._fanout_until = now + config.gossip_interval
        return self._fanout

    def _first(self, names: list[str], most: int) -> list[str]:
        """Up to ``most`` of very many; those that have answered pings first."""
        if len(names) <= MANY:
            return names
        self._random.shuffle(names)
        answered = [name for name in names if self._gossip.round_trip(name) is not None]
        silent = [name for name in names if self._gossip.round_trip(name) is None][:SILENT]
        kept = min(len(silent), KEPT_FOR_SILENT, most // 2)
        return (answered[: most - kept] + silent)[:most]

    def _repair_time(self) -> float:
        # Spread over a tick, so that not every member repairs at the same moment.
        return self._loop.time() + self._gossip.config.gossip_interval * self._random.uniform(0.5, 1.5)

    # -- members

    def member_changed(self, member: Member) -> None:
        """A member is live, or says something new of itself."""
        self._drop_address(member.name)
        self._others[member.name] = member
        self._by_address[member.address] = member.name
        self._fanout_until = 0.0
        self._arm_soon()

    def listens(self, address: Address) -> bool:
        """Whether a live member is there."""
        return address in self._by_address

    def member_gone(self, member: Member, *, on_purpose: bool) -> None:
        """A member died or left."""
        self._drop_address(member.name)
        self._others.pop(member.name, None)
        self._fanout_until = 0.0
        self.resyncs.forget(member.name)
        exchange = self._exchanges.get(member.name)
        if exchange is not None:
            exchange.cancel()  # Free its slot for live members.
        if on_purpose:
            self.outbound.forget(member.name)
        else:
            self.outbound.failed(member.name)

    def packets_lost(self, destination: Address) -> None:
        """Packets to ``destination`` did not arrive; changes may have been among them."""
        name = self._by_address.get(destination)
        if name is not None:
            self.statistics.losses += 1
            self.outbound.lost(name)
            self._arm_soon()

    def _drop_address(self, name: str) -> None:
        known = self._others.get(name)
        if known is not None and self._by_address.get(known.address) == name:
            del self._by_address[known.address]

    # -- sending

    def _arm_soon(self) -> None:
        """Once in an iteration of the event loop, whatever happens in it: it looks at all members."""
        if self._arming is None:
            self._arming = self._loop.call_soon(self._arm)

    def _arm(self) -> None:
        self._arming = None
        if self._closed:
            return
        now = self._loop.time()
        for name in self.outbound.missed(self._others.__contains__):
            self.resyncs.want(name, now)
        due = (self.outbound.next_timeout(), self.resyncs.next_timeout())
        when = min((one for one in due if one is not None), default=None)
        if when is None:
            self._timer.disarm()
        else:
            self._timer.arm_by(max(when, now))

    def _run(self) -> None:
        self._send(AT_ONCE)
        for name in self.resyncs.due(self._loop.time()):
            self._exchanges[name] = self._tasks.spawn(self._exchange(name))
        self._arm_soon()

    def _send(self, most: int | None) -> None:
        for batch in self.outbound.batches(self._loop.time(), self._gossip.backlog, most):
            part = encode_part(batch.key, batch.data)
            self.statistics.batches += 1
            self.statistics.batch_bytes += len(part)
            if batch.reliable:
                self._tasks.spawn(self._deliver(batch, part))
                continue
            try:
                self._gossip.send_best_effort(batch.member, part)
            except (NotFoundError, ClosedError):
                self.outbound.lost(batch.member)

    async def _deliver(self, batch: Batch, part: bytes) -> None:
        """By stream. The next batch to the member waits for the end of this one."""
        try:
            await self._gossip.send_reliable(batch.member, part)
        except (NotFoundError, ClosedError, TransportError) as error:
            self._log.debug("changes not delivered by stream", peer=batch.member, error=str(error))
            self.outbound.undelivered(batch.member, batch.key, self._loop.time())
        else:
            self.outbound.delivered(batch.member, self._loop.time())
        self._arm_soon()

    async def _exchange(self, name: str) -> None:
        success = False
        try:
            self._log.debug("exchanging state: changes were missed", peer=name)
            success = await self._resync(name)
        finally:
            if self._exchanges.get(name) is asyncio.current_task():
                del self._exchanges[name]
            self.resyncs.finished(name, success=success, now=self._loop.time())
            self._arm_soon()

    # -- the end

    async def close(self) -> None:
        """Send what is queued, as far as the transport takes it, and stop."""
        if self._closed:
            return
        self._send(None)
        self._closed = True
        self._timer.stop()
        await self._tasks.cancel()
