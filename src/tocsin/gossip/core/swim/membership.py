"""SWIM's membership: the rules by which messages change the member table (wire 2.9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from tocsin.errors import WireError
from tocsin.gossip.address import Address
from tocsin.gossip.core.broadcast import BroadcastQueue
from tocsin.gossip.core.context import Context, Handlers
from tocsin.gossip.core.effects import MemberJoined, MemberLeft, MemberUpdated, NameConflict
from tocsin.gossip.core.local import LocalMember, alive_problem
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.core.refutation import MAX_INCARNATION, REFUTATION, UNREFUTABLE
from tocsin.gossip.core.roles import Admission
from tocsin.gossip.core.steps import Steps
from tocsin.gossip.core.swim.merge import incompatibility, merge, versions_problem
from tocsin.gossip.core.swim.suspicion import Suspicion, begin_suspicion
from tocsin.gossip.core.swim.verdicts import VERDICT, Verdicts, is_own_word
from tocsin.gossip.core.table import MemberTable
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Alive, Dead, MemberState, NodeState, Suspect

SUSPICION: Final = "suspicion"
OWN: Final = "own accusation"


class SwimMembership:
    """Applies what peers say of members by SWIM's rules, and gossips it.

    The three ``apply_`` methods take a message from anywhere, never raise, and change nothing when the rules
    say so. What follows from a change is left in the collaborators: a broadcast in ``queue``, events and
    timers in ``context``.

    An incarnation of 2**32 - 1 leaves the accused no higher one to answer with, the one before none that gets
    round. So accusations that carry these are dropped unless our own probe made them, and our own incarnation
    is never raised by one of the last. What is said
    of a known member at it counts only as that member's own word, where the transport knows who speaks.
    """

    answers_pings = True

    def __init__(
        self,
        context: Context,
        table: MemberTable,
        admission: Admission,
        queue: BroadcastQueue,
        outbox: Outbox,
    ) -> None:
        self.table = table
        self._context = context
        self._admission = admission
        self._queue = queue
        self._local = LocalMember(context, table, queue)
        self._suspicions: dict[str, Suspicion] = {}
        self._verdicts = Verdicts(context, table, outbox)

    @property
    def handlers(self) -> Handlers:
        """Suspicions, verdicts and put-off refutations."""
        return {
            SUSPICION: self.suspicion_expired,
            VERDICT: self._verdict_due,
            REFUTATION: lambda _, now: self._local.refutation.timed_out(now),
        }

    @property
    def suspicions(self) -> int:
        """Suspicion timers that run."""
        return len(self._suspicions)

    # -- messages

    def apply_alive(
        self, message: Alive, now: float, source: Address, peer: PeerIdentity | None = None
    ) -> None:
        """A member (or somebody for it) says that it is alive.

        ``source`` is where it says to be, ``peer`` whom the transport knows to have said it.
        """
        table, context = self.table, self._context
        if message.node == table.name:
            self._local.apply_alive(message, now, source)
            return
        try:
            address = Address.from_packed(message.address, message.port or table.local.address.port)
        except WireError as error:
            context.refuse("address", error.problem, source)
            return
        stored = table.get(message.node)
        if stored is not None:
            context.of_peers.alive(message.node)
        moved = stored is not None and stored.address != address
        if stored is not None and not moved and not _is_later(message, stored, peer):
            return
        last = message.incarnation >= MAX_INCARNATION
        if stored is not None and last and peer is not None and not is_own_word(stored, peer):
            context.statistics.unrefutable += 1
            return
        problem = alive_problem(message, context.config.meta_max_size)
        if problem := problem or self._versions_problem(message):
            context.refuse("alive", problem, source)
            return
        if problem := self._admission.objection(message, address, source, peer):
            context.refuse("name_binding", problem, source)
            return
        if stored is not None and moved and not self._may_move(stored, now):
            context.statistics.name_conflicts += 1
            context.report(NameConflict(stored, address))
            return
        if stored is None:
            if message.incarnation == 0 or not self._room():
                return
            if not self._admission.admit(message, address, peer, now):
                return
            table.insert(message.node)
            context.of_peers.alive(message.node)
        self._drop_accusations(message.node)
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
        table.store(member)
        if stored is None or not stored.live:
            context.events.append(MemberJoined(member))
        elif stored.meta != member.meta:
            context.events.append(MemberUpdated(member))

    def apply_suspect(
        self, message: Suspect, now: float, *, witnessed: bool = False, since: float | None = None
    ) -> None:
        """A member did not answer ``message.accuser``; ``witnessed`` when that is our own probe's finding,
        of a member that has been silent ``since``."""
        if message.node == self.table.name:
            self._local.apply_accusation(message, now)
            return
        stored = self.table.get(message.node)
        if stored is None or self._local.outdated(message, stored):
            return
        suspicion = self._suspicions.get(message.node)
        if suspicion is not None:
            earlier = since is not None and suspicion.predate(since)
            if confirmed := suspicion.confirm(message.accuser):
                self._context.statistics.confirmations += 1
                self._spread(message)
            if earlier or confirmed:
                self._context.timers.set((SUSPICION, message.node), max(now, suspicion.deadline))
            return
        if stored.state is not MemberState.ALIVE:
            return
        if message.incarnation >= UNREFUTABLE and not witnessed:
            self._context.statistics.unrefutable += 1
            return
        self._context.statistics.suspicions += 1
        self._spread(message)
        self.table.store(
            replace(stored, state=MemberState.SUSPECT, incarnation=message.incarnation, state_changed=now)
        )
        since = now if since is None else since
        suspicion = begin_suspicion(self._context.config, self.table.known, message.accuser, since)
        self._suspicions[message.node] = suspicion
        self._context.timers.set((SUSPICION, message.node), suspicion.deadline)

    def apply_dead(
        self,
        message: Dead,
        now: float,
        source: Address,  # noqa: ARG002
        peer: PeerIdentity | None = None,
        *,
        witnessed: bool = False,
    ) -> None:
        """A member is dead, or (accused by itself) left; ``witnessed`` when our own suspicion ran out, or the
        member had nothing to say to it."""
        if message.node == self.table.name:
            self._local.apply_accusation(message, now)
            return
        stored = self.table.get(message.node)
        if stored is None or self._local.outdated(message, stored):
            return
        left = message.node == message.accuser
        if message.incarnation >= UNREFUTABLE and not witnessed:
            leaves_with_it = left and stored.incarnation == message.incarnation
            if not leaves_with_it or (peer is not None and not is_own_word(stored, peer)):
                self._context.statistics.unrefutable += 1
                return
        if not witnessed and self._verdicts.must_wait(message, stored, peer):
            self._verdicts.put(message, stored, now)
            return
        self._drop_accusations(message.node)
        if not stored.live:
            return
        self._queue.add(encode_message(message), message.node)
        member = replace(
            stored,
            state=MemberState.LEFT if left else MemberState.DEAD,
            incarnation=message.incarnation,
            state_changed=now,
        )
        self.table.store(member)
        self._context.events.append(MemberLeft(member))

    def merge(
        self, nodes: Sequence[NodeState], source: Address, now: float, peer: PeerIdentity | None
    ) -> Steps[str]:
        """Apply a peer's table, unless the versions in it do not fit ours. (memberlist looks at those of all
        members: one that lied about its own kept all others from exchanging states.)"""
        if problem := incompatibility([self.table.local], nodes):
            return problem
        yield from merge(nodes, self, self._context.statistics, source, now, peer)
        return ""

    def introduce(
        self,
        nodes: Sequence[NodeState],  # noqa: ARG002
        destination: Address,  # noqa: ARG002
        now: float,  # noqa: ARG002
        peer: PeerIdentity | None,  # noqa: ARG002
    ) -> str:
        """Nothing to add to :meth:`merge`."""
        return ""

    def suspicion_expired(self, name: str, now: float) -> None:
        """Nobody refuted in time: the suspect is dead.

        Unless we suspect more than half: rather it is us who are cut off, together with those who confirmed.
        """
        if (suspicion := self._suspicions.get(name)) is None:
            return
        if 2 * self.suspicions > self.table.live and now < (latest := suspicion.cautious_deadline):
            self._context.timers.set(
                (SUSPICION, name), min(now + self._context.config.probe_interval, latest)
            )
            return
        self._drop_accusations(name)
        member = self.table.get(name)
        if member is not None:
            dead = Dead(member.incarnation, name, self.table.name)
            self.apply_dead(dead, now, self.table.local.address, witnessed=True)

    def _verdict_due(self, name: str, now: float) -> None:
        """The member had nothing to say to what others say of it."""
        if (message := self._verdicts.take(name)) is not None:
            self.apply_dead(message, now, self.table.local.address, witnessed=True)

    # -- ourselves

    def entries(self) -> tuple[NodeState, ...]:
        """All that we know."""
        return self.table.entries()

    def announce(self, meta: bytes | None = None) -> None:
        """Broadcast ourselves as alive; with a new ``meta``, under the next incarnation."""
        if meta is not None:
            self._local.set_meta(meta)
        self._local.broadcast()

    def readdress(self, address: Address) -> None:
        """Change our own address before anyone knows it."""
        self._local.readdress(address)

    def leave(self, now: float) -> None:
        """Announce that we leave; from now on no message makes us alive again."""
        self._local.leave(now)

    def remove(self, name: str) -> None:
        """Remove a rejected member without gossiping it: each node judges by what it sees itself."""
        self._drop_accusations(name)
        self.table.remove(name)

    # -- of static membership

    def set_listed(self, addresses: Iterable[Address], now: float) -> None:
        """Members are found by gossip."""

    def packet_from(self, source: Address, now: float) -> None:
        """Says nothing of membership."""

    def take_to_join(self) -> Sequence[Address]:
        """Whom to join is said by the application."""
        return ()

    # -- within

    def _may_move(self, stored: Member, now: float) -> bool:
        """Whether a name may be taken over by another address."""
        if stored.state is MemberState.LEFT:
            return True
        reclaim = self._context.config.dead_node_reclaim_time
        return stored.state is MemberState.DEAD and 0 < reclaim < now - stored.state_changed

    def _versions_problem(self, message: Alive) -> str:
        """Why what a member says to speak does not fit what all speak, or empty."""
        table = self.table
        return (
            "" if message.versions in table.versions else versions_problem(message.versions, table.versions)
        )

    def _room(self) -> bool:
        if self.table.known >= self._context.config.max_members:
            self._context.statistics.members_refused += 1
            return False
        return True

    def _spread(self, accusation: Suspect) -> None:
        """Queue a suspicion. One of another accuser does not replace our own, which no other member
        gossips."""
        own = accusation.accuser == self.table.name
        name = (OWN, accusation.node) if own else accusation.node
        self._queue.add(encode_message(accusation), name)

    def _drop_accusations(self, name: str) -> None:
        self._verdicts.drop(name)
        if self._suspicions.pop(name, None) is not None:
            self._context.timers.cancel((SUSPICION, name))
            self._queue.withdraw((OWN, name))


def _is_later(message: Alive, stored: Member, peer: PeerIdentity | None) -> bool:
    """Whether it is later than what we know. Of the last incarnation what the member itself says is."""
    if message.incarnation != MAX_INCARNATION or not is_own_word(stored, peer):
        return message.incarnation > stored.incarnation
    said = stored.incarnation, stored.state, stored.meta, stored.versions
    return said != (message.incarnation, MemberState.ALIVE, message.meta, message.versions)
