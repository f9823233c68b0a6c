"""The member table and the rules by which messages change it (SWIM 4.2, spec 2.9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Set
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from tocsin.errors import WireError
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.awareness import Awareness
from tocsin.gossip.core.broadcast import BroadcastQueue
from tocsin.gossip.core.door import VERSIONS, Door, alive_problem
from tocsin.gossip.core.effects import (
    Event,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    NameConflict,
    ProtocolTrouble,
)
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.refutation import MAX_INCARNATION, Refutation
from tocsin.gossip.core.statistics import Statistics
from tocsin.gossip.core.suspicion import Suspicion, begin_suspicion
from tocsin.gossip.core.timers import Timers
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Alive, Dead, MemberState, NodeState, Suspect

if TYPE_CHECKING:
    from random import Random

MAX_PENDING_TROUBLE = 1024
SUSPICION = "suspicion"
OWN = "own accusation"

TimerName = tuple[str, str | int]

__all__ = ["MAX_INCARNATION", "MAX_PENDING_TROUBLE", "SUSPICION", "VERSIONS", "Membership", "TimerName"]


@lru_cache(maxsize=16384)
def _address(packed: bytes, port: int) -> Address:
    return Address.from_packed(packed, port)


class Membership:
    """All known members, ourselves included; dead ones stay until :meth:`reap`.

    The three ``apply_`` methods take a message from anywhere, never raise, and change nothing when the rules
    say so. What follows from a change is left in the collaborators: a broadcast in ``queue``, an event in
    ``events``, a timer in ``timers``.

    An incarnation of 2**32 - 1 leaves the accused no higher one to answer with. So accusations that carry it
    are dropped unless our own probe made them, and our own incarnation is never raised by one.
    """

    def __init__(
        self,
        config: GossipConfig,
        local: Member,
        *,
        random: Random,
        timers: Timers[TimerName],
        queue: BroadcastQueue,
        awareness: Awareness,
        statistics: Statistics,
        events: list[Event],
    ) -> None:
        self._config = config
        self.name = local.name
        self.leaving = False
        self._random = random
        self._timers = timers
        self._queue = queue
        self._statistics = statistics
        self._events = events
        self._members: dict[str, Member] = {local.name: local}
        self._order: list[str] = [local.name]
        self._names = {local.address: local.name}
        self._hosts = Counter([local.address.host])
        self.door: Door | None = None
        self._suspicions: dict[str, Suspicion] = {}
        self.refutation = Refutation(
            config.gossip_interval,
            timers=timers,
            awareness=awareness,
            statistics=statistics,
            incarnation=lambda: self.local.incarnation,
            answer=self._answer,
        )
        self._live = 1

    # -- views

    @property
    def local(self) -> Member:
        """Ourselves."""
        return self._members[self.name]

    @property
    def known(self) -> int:
        """Members of any state that are not reaped yet."""
        return len(self._members)

    @property
    def live(self) -> int:
        """Alive and suspect members, ourselves included."""
        return self._live

    @property
    def suspicions(self) -> int:
        """Suspicion timers that run."""
        return len(self._suspicions)

    def get(self, name: str) -> Member | None:
        """The member of that name in whatever state, or None."""
        return self._members.get(name)

    def at_address(self, address: Address) -> Member | None:
        """The member at that address, of several the one that was live last, or None."""
        member = self._members.get(self._names.get(address, ""))
        return member if member is not None and member.address == address else None

    def at_host(self, host: str) -> int:
        """How many known members there are at one IP address."""
        return self._hosts[host]

    def all(self) -> list[Member]:
        """Every known member, dead ones included."""
        return list(self._members.values())

    def at(self, index: int) -> Member | None:
        """The member at ``index`` of the probe order, or None past its end."""
        return self._members[self._order[index]] if index < len(self._order) else None

    def entries(self) -> tuple[NodeState, ...]:
        """The table as push/pull sends it."""
        return tuple(member.entry for member in self._members.values())

    def choose(self, count: int, accept: Callable[[Member], bool]) -> list[Member]:
        """Up to ``count`` different random members, never ourselves, that ``accept`` takes.

        Draws a few indexes first, so that a large table is not walked for each packet.
        """
        order, chosen = self._order, dict[str, Member]()
        if len(order) > 8 * count:
            for _ in range(4 * count):
                name = order[self._random.randrange(len(order))]
                if name not in chosen and name != self.name and accept(member := self._members[name]):
                    chosen[name] = member
                    if len(chosen) == count:
                        return list(chosen.values())
        fit = [m for m in self._members.values() if m.name != self.name and accept(m)]
        return fit if len(fit) <= count else self._random.sample(fit, count)

    # -- messages

    def apply_alive(
        self, message: Alive, now: float, source: Address, peer: PeerIdentity | None = None
    ) -> None:
        """A member (or somebody for it) says that it is alive.

        ``source`` is where it says to be, ``peer`` whom the transport knows to have said it.
        """
        ours = message.node == self.name
        if ours and self.leaving:
            return
        try:
            address = _address(message.address, message.port or self.local.address.port)
        except WireError as error:
            self._refuse("address", error.problem, source)
            return
        stored = self._members.get(message.node)
        moved = stored is not None and stored.address != address
        if stored is not None and not ours and not moved and message.incarnation <= stored.incarnation:
            return
        if problem := alive_problem(message, self._config.meta_max_size):
            self._refuse("alive", problem, source)
            return
        if (
            self.door is not None
            and not ours
            and (problem := self.door.objection(message, address, source, peer))
        ):
            self._refuse("name_binding", problem, source)
            return
        if moved:
            assert stored is not None  # noqa: S101  (for the type checker)
            if not self._may_move(stored, now):
                self._statistics.name_conflicts += 1
                self._tell(NameConflict(stored, address))
                return
        if ours:
            self._heard_of_ourselves(message, now)
            return
        if stored is None:
            if message.incarnation == 0 or not self._room():
                return
            if self.door is not None and not self.door.admit(message, address, peer, now):
                return
            self._insert(message.node)
        self._drop_suspicion(message.node)
        self._queue.add(encode_message(message), message.node)
        member = Member(
            name=message.node,
            address=address,
            incarnation=message.incarnation,
            state=MemberState.ALIVE,
            state_changed=now,
            meta=message.meta,
            versions=message.versions,
        )
        if stored is not None and stored.state is MemberState.ALIVE:
            member = replace(member, state_changed=stored.state_changed)
        self._store(member)
        if stored is None or not stored.live:
            self._events.append(MemberJoined(member))
        elif stored.meta != member.meta:
            self._events.append(MemberUpdated(member))

    def apply_suspect(
        self, message: Suspect, now: float, *, witnessed: bool = False, since: float | None = None
    ) -> None:
        """A member did not answer ``message.accuser``; ``witnessed`` when that is our own probe's finding,
        of a member that has been silent ``since``."""
        stored = self._members.get(message.node)
        if stored is None or self._outdated(message, stored):
            return
        suspicion = self._suspicions.get(message.node)
        if suspicion is not None:
            earlier = since is not None and suspicion.predate(since)
            if confirmed := suspicion.confirm(message.accuser):
                self._statistics.confirmations += 1
                self._spread(message)
            if earlier or confirmed:
                self._timers.set((SUSPICION, message.node), max(now, suspicion.deadline))
            return
        if stored.state is not MemberState.ALIVE:
            return
        if message.node == self.name:
            self.refutation.accused(message.incarnation, now)
            return
        if message.incarnation >= MAX_INCARNATION and not witnessed:
            self._statistics.unrefutable += 1
            return
        self._statistics.suspicions += 1
        self._spread(message)
        self._store(
            replace(stored, state=MemberState.SUSPECT, incarnation=message.incarnation, state_changed=now)
        )
        since = now if since is None else since
        suspicion = begin_suspicion(self._config, self.known, message.accuser, since)
        self._suspicions[message.node] = suspicion
        self._timers.set((SUSPICION, message.node), suspicion.deadline)

    def apply_dead(self, message: Dead, now: float, *, witnessed: bool = False) -> None:
        """A member is dead, or (accused by itself) left; ``witnessed`` when our own suspicion ran out."""
        stored = self._members.get(message.node)
        if stored is None or self._outdated(message, stored):
            return
        left = message.node == message.accuser
        ours = message.node == self.name
        if message.incarnation >= MAX_INCARNATION and not (witnessed or ours):
            farewell = left and stored.incarnation == MAX_INCARNATION
            if not farewell:
                self._statistics.unrefutable += 1
                return
        self._drop_suspicion(message.node)
        if not stored.live:
            return
        if ours and not self.leaving:
            self.refutation.accused(message.incarnation, now)
            return
        self._queue.add(encode_message(message), message.node)
        member = replace(
            stored,
            state=MemberState.LEFT if left else MemberState.DEAD,
            incarnation=message.incarnation,
            state_changed=now,
        )
        self._store(member)
        if not ours:
            self._events.append(MemberLeft(member))

    def suspicion_expired(self, name: str, now: float) -> None:
        """Nobody refuted in time: the suspect is dead.

        Unless we suspect more than half: rather it is us who are cut off, together with those who confirmed.
        """
        if (suspicion := self._suspicions.get(name)) is None:
            return
        if 2 * self.suspicions > self._live and now < (latest := suspicion.cautious_deadline):
            self._timers.set((SUSPICION, name), min(now + self._config.probe_interval, latest))
            return
        self._drop_suspicion(name)
        self.apply_dead(Dead(self._members[name].incarnation, name, self.name), now, witnessed=True)

    # -- ourselves

    def announce(self, meta: bytes | None = None) -> None:
        """Broadcast ourselves as alive; with a new ``meta``, under the next incarnation."""
        if meta is not None:
            local = self.local
            self._store(replace(local, meta=meta, incarnation=min(local.incarnation + 1, MAX_INCARNATION)))
        self._broadcast_local()

    def readdress(self, address: Address) -> None:
        """Change our own address before anyone knows it."""
        self._store(replace(self.local, address=address))

    def leave(self, now: float) -> None:
        """Tell the others that we go; from now on nobody can bring us back."""
        self.leaving = True
        self.apply_dead(Dead(self.local.incarnation, self.name, self.name), now)

    def reap(self, now: float) -> None:
        """Forget members dead or left for longer than the gossip-to-the-dead time; shuffle the order."""
        kept = [name for name in self._order if not self._expired(self._members[name], now)]
        if len(kept) != len(self._order):
            self._statistics.members_reaped += len(self._order) - len(kept)
            self._forget(self._members.keys() - set(kept))
        self._random.shuffle(kept)
        self._order = kept

    def remove(self, name: str) -> None:
        """Take a member out that is none, without a word to others: each judges by what it sees itself."""
        member = self._members[name]
        self._drop_suspicion(name)
        self._store(replace(member, state=MemberState.LEFT))
        if member.live:
            self._events.append(MemberLeft(self._members[name]))
        self._forget({name})

    # -- within

    def _refuse(self, reason: str, detail: str, source: Address) -> None:
        self._statistics.messages_refused += 1
        self._tell(ProtocolTrouble(reason, detail, source))

    def _tell(self, event: Event) -> None:
        """Report something that a hostile state could repeat a million times; the counters still count."""
        if len(self._events) < MAX_PENDING_TROUBLE:
            self._events.append(event)

    def _may_move(self, stored: Member, now: float) -> bool:
        """Whether a name may be taken over by another address."""
        if stored.state is MemberState.LEFT:
            return True
        reclaim = self._config.dead_node_reclaim_time
        return stored.state is MemberState.DEAD and 0 < reclaim < now - stored.state_changed

    def _answer(self, accused: int) -> None:
        if not self.leaving:
            self._store(replace(self.local, incarnation=max(self.local.incarnation, accused) + 1))
            self._broadcast_local()

    def _heard_of_ourselves(self, message: Alive, now: float) -> None:
        """Somebody repeats what we said, or claims what we did not: an older life of ours, or a forgery."""
        local = self.local
        if message.incarnation < local.incarnation:
            return
        if message.incarnation == local.incarnation and (message.meta, message.versions) == (
            local.meta,
            local.versions,
        ):
            return
        self.refutation.accused(message.incarnation, now)

    def _room(self) -> bool:
        if len(self._members) >= self._config.max_members:
            self._statistics.members_refused += 1
            return False
        return True

    def _insert(self, name: str) -> None:
        """Put a name at a random place of the probe order, so that peers do not all probe it at once."""
        self._order.append(name)
        other = self._random.randrange(len(self._order))
        self._order[other], self._order[-1] = self._order[-1], self._order[other]

    def _forget(self, names: Set[str]) -> None:
        self._hosts -= Counter([self._members[name].address.host for name in names])
        self._members = {name: one for name, one in self._members.items() if name not in names}
        self._names = {at: name for at, name in self._names.items() if name not in names}
        self._order = [name for name in self._order if name not in names]

    def _store(self, member: Member) -> None:
        before = self._members.get(member.name)
        if before is None or before.address != member.address:
            self._hosts[member.address.host] += 1
            if before is not None:
                self._hosts -= Counter([before.address.host])
        self._live += member.live - (before is not None and before.live)
        self._members[member.name] = member
        if before is not None and self._names.get(before.address) == member.name:
            del self._names[before.address]
        if member.live or member.address not in self._names:
            self._names[member.address] = member.name

    def _broadcast_local(self) -> None:
        self._broadcast_alive(self.local)

    def _broadcast_alive(self, member: Member) -> None:
        self._queue.add(
            encode_message(
                Alive(
                    incarnation=member.incarnation,
                    node=member.name,
                    address=member.address.packed,
                    port=member.address.port,
                    meta=member.meta,
                    versions=member.versions,
                )
            ),
            member.name,
        )

    def _outdated(self, accusation: Suspect | Dead, stored: Member) -> bool:
        """Whether the member has outbid it already. Then somebody has missed that, and is told again."""
        if accusation.incarnation >= stored.incarnation:
            return False
        if stored.state is MemberState.ALIVE and not self._queue.holds(stored.name):
            self._statistics.accusations_outdated += 1
            self._broadcast_alive(stored)
        return True

    def _spread(self, accusation: Suspect) -> None:
        """Queue an accusation. Another's does not take the place of our own, which nobody else tells."""
        own = accusation.accuser == self.name
        name = (OWN, accusation.node) if own else accusation.node
        self._queue.add(encode_message(accusation), name)

    def _drop_suspicion(self, name: str) -> None:
        if self._suspicions.pop(name, None) is not None:
            self._timers.cancel((SUSPICION, name))
            self._queue.withdraw((OWN, name))

    def _expired(self, member: Member, now: float) -> bool:
        return (
            not member.live
            and member.name != self.name
            and now - member.state_changed > self._config.gossip_to_the_dead_time
        )
