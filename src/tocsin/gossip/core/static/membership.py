"""Static membership: who is a member is said by discovery, who is there by our own connections.

The same messages on the wire, but no SWIM: nothing that a peer says of others is believed, so nobody can
fabricate a member, or declare one dead. How it goes:

* The list has addresses, no names. A push/pull with a listed address is its introduction: the peer's entry
  of itself gives name and meta. Each node sends its own entry only.
* Each member is pinged at every probe interval. A packet known to be lost, or a ping without an ack, has
  the member asked once more by a stream, whose failure is the verdict: then it is gone, until a push/pull
  with it succeeds again. There is no suspicion, as nobody else is asked.
* One that reaches us while we take it for dead is asked for its state at once (a re-probe).
* A leave message counts when it comes from the member that leaves.

Pings of others are answered, and accusations refuted: to a peer that does speak SWIM we are a member like
any other, and a cluster can go over to this node by node. The driver of the endpoint joins the listed
addresses that are not members, as with SWIM.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from tocsin.errors import WireError
from tocsin.gossip.address import Address
from tocsin.gossip.core.admission import Admission
from tocsin.gossip.core.broadcast import BroadcastQueue
from tocsin.gossip.core.context import Context, Handlers
from tocsin.gossip.core.effects import MemberJoined, MemberLeft, MemberUpdated, NameConflict
from tocsin.gossip.core.local import LocalMember, alive_problem
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.refutation import REFUTATION
from tocsin.gossip.core.steps import ENTRIES_AT_ONCE, Steps
from tocsin.gossip.core.table import MemberTable
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import Alive, Dead, MemberState, NodeState, Suspect

REPROBE_INTERVAL: Final = 1.0
"""Minimum seconds between two push/pulls with a listed address that reaches us and is not a live member."""


class StaticMembership:
    """In the member table are those of the list that were introduced, and ourselves."""

    suspicions = 0

    def __init__(
        self, context: Context, table: MemberTable, admission: Admission, queue: BroadcastQueue
    ) -> None:
        self.table = table
        self._context = context
        self._admission = admission
        self._local = LocalMember(context, table, queue)
        self._listed: dict[Address, str] = {}
        """The list without ourselves, each with the name of the member there, or empty."""
        self._advertised: dict[str, Address] = {}
        """What members themselves call their address; the list may have another, or several."""
        self._reprobed: dict[Address, float] = {}
        self._to_join: dict[Address, None] = {}

    @property
    def handlers(self) -> Handlers:
        """Put-off refutations."""
        return {REFUTATION: lambda _, now: self._local.refutation.timed_out(now)}

    @property
    def answers_pings(self) -> bool:
        """Until we leave: who missed that we left finds out by the missing ack."""
        return not self.table.leaving

    def set_listed(self, addresses: Iterable[Address], now: float) -> None:
        """The list from now on. Who is not on it is not a member any more."""
        wanted = dict.fromkeys(addresses)
        wanted.pop(self.table.local.address, None)
        self._listed = {address: self._listed.get(address, "") for address in wanted}
        self._reprobed = {address: at for address, at in self._reprobed.items() if address in wanted}
        for member in [m for m in self.table.all() if m.name != self.table.name]:
            if member.address not in self._listed:
                self._remove(member, MemberState.LEFT, now)

    def introduce(
        self, nodes: Sequence[NodeState], destination: Address, now: float, peer: PeerIdentity | None = None
    ) -> str:
        """What the peer at ``destination`` answered with; why it cannot be a member now, or empty.

        ``peer`` is whom the transport knows to have answered.
        """
        if destination not in self._listed:
            return ""
        entry = _itself(nodes, destination)
        if entry is None:
            return "the peer does not say which member it is"
        address = Address.from_packed(entry.address, entry.port)
        if entry.name == self.table.name:
            if address != self.table.local.address:
                self._conflict(self.table.local, address)
            return ""
        if entry.state != MemberState.ALIVE:
            return f"{entry.name[:64]!r} is leaving"
        alive = Alive(entry.incarnation, entry.name, entry.address, entry.port, entry.meta, entry.versions)
        if problem := alive_problem(alive, self._context.config.meta_max_size):
            self._context.refuse("alive", problem, destination)
            return problem
        if problem := self._admission.objection(alive, destination, destination, peer):
            self._context.refuse("name_binding", problem, destination)
            return problem
        stored = self.table.get(entry.name)
        if stored is not None and stored.live and stored.address != destination:
            if self._advertised.get(entry.name) != address:
                self._conflict(stored, destination)
                return f"another address is {entry.name[:64]!r} already"
            if address != destination:
                self._listed[destination] = entry.name
                return ""  # One more way to a member that we have.
        self._put(alive, destination, address, now)
        return ""

    def down(self, name: str, now: float) -> None:
        """Our own connections say that a member cannot be reached."""
        member = self.table.get(name)
        if member is not None and member.live:
            gone = replace(member, state=MemberState.DEAD, state_changed=now)
            self.table.store(gone)
            self._context.events.append(MemberLeft(gone))
            self._to_join[member.address] = None  # Perhaps it is there again, by another name.

    def remove(self, name: str) -> None:
        """Remove a rejected member without gossiping it; its address stays listed."""
        self.table.remove(name)
        self._unname(name)

    def packet_from(self, source: Address, now: float) -> None:
        """``source`` reached us. If it is listed and not a live member, it is to be asked for its state."""
        if source in self._listed and now - self._reprobed.get(source, float("-inf")) >= REPROBE_INTERVAL:
            member = self.table.get(self._listed[source])
            if member is None or not member.live:
                self._reprobed[source] = now
                self._to_join[source] = None

    def take_to_join(self) -> Sequence[Address]:
        """Addresses to exchange states with now, each once."""
        if not self._to_join:
            return ()
        found = list(self._to_join)
        self._to_join.clear()
        return found

    # -- what peers say

    def entries(self) -> tuple[NodeState, ...]:
        """Ourselves: of the others everybody has the list."""
        return (self.table.local.entry,)

    def merge(
        self,
        nodes: Sequence[NodeState],
        source: Address,  # noqa: ARG002
        now: float,
        peer: PeerIdentity | None,  # noqa: ARG002
    ) -> Steps[str]:
        """Nothing is believed; listed addresses in the table are worth a re-probe."""
        for number, entry in enumerate(nodes):
            if number % ENTRIES_AT_ONCE == 0:
                later = yield
                now = now if later is None else later
            try:
                self.packet_from(Address.from_packed(entry.address, entry.port), now)
            except WireError:
                continue
        return ""

    def apply_alive(
        self,
        message: Alive,
        now: float,
        source: Address,
        peer: PeerIdentity | None = None,  # noqa: ARG002
    ) -> None:
        """Ignored, unless somebody says of us what is not true."""
        if message.node == self.table.name:
            self._local.apply_alive(message, now, source)
        else:
            if self.table.get(message.node) is not None:
                self._context.of_peers.alive(message.node)
            self._context.statistics.membership_ignored += 1

    def apply_suspect(self, message: Suspect, now: float) -> None:
        """Ignored, unless we are accused, which is refuted."""
        if message.node == self.table.name:
            self._local.apply_accusation(message, now)
        else:
            self._context.statistics.membership_ignored += 1

    def apply_dead(
        self, message: Dead, now: float, source: Address, peer: PeerIdentity | None = None
    ) -> None:
        """Ignored, unless it is of ourselves, or of the member that sent it."""
        if message.node == self.table.name:
            self._local.apply_accusation(message, now)
        elif message.node == message.accuser:
            self._apply_leave(message.node, source, now, peer)
        else:
            self._context.statistics.membership_ignored += 1

    # -- ourselves

    def announce(self, meta: bytes | None = None) -> None:
        """Nothing is announced; the next push/pull says it."""
        if meta is not None:
            self._local.set_meta(meta)

    def readdress(self, address: Address) -> None:
        """Change our own address before anyone knows it."""
        self._local.readdress(address)

    def leave(self, now: float) -> None:
        """Announce that we leave; from now on no message makes us alive again."""
        self._local.leave(now)

    # -- within

    def _apply_leave(self, name: str, source: Address, now: float, peer: PeerIdentity | None) -> None:
        """``name`` says that it leaves; it counts only from itself.

        ``source`` may be but what the sender says of itself. Where the transport knows who it is, that has to
        fit too.
        """
        member = self.table.get(name)
        known = () if member is None else (member.address, self._advertised.get(name, member.address))
        if member is None or not member.live or source not in known or not _may_be(peer, name, known):
            self._context.statistics.membership_ignored += 1
            return
        gone = replace(member, state=MemberState.LEFT, state_changed=now)
        self.table.store(gone)
        self._context.events.append(MemberLeft(gone))

    def _put(self, alive: Alive, destination: Address, advertised: Address, now: float) -> None:
        tenant = self.table.get(self._listed[destination])
        if tenant is not None and tenant.name != alive.node and tenant.address == destination:
            self._remove(tenant, MemberState.DEAD, now)
        stored = self.table.get(alive.node)
        self._listed[destination] = alive.node
        self._advertised[alive.node] = advertised
        was_live = stored is not None and stored.live
        member = Member(
            alive.node,
            destination,
            max(alive.incarnation, stored.incarnation if stored is not None else 0),
            MemberState.ALIVE,
            stored.state_changed if stored is not None and was_live else now,
            alive.meta,
            alive.versions,
        )
        if stored is None:
            self.table.insert(alive.node)
        self.table.store(member)
        if not was_live:
            self._context.events.append(MemberJoined(member))
        elif stored is not None and (stored.meta, stored.address) != (member.meta, member.address):
            self._context.events.append(MemberUpdated(member))

    def _remove(self, member: Member, state: MemberState, now: float) -> None:
        if member.live:
            gone = replace(member, state=state, state_changed=now)
            self.table.store(gone)
            self._context.events.append(MemberLeft(gone))
        self.table.forget({member.name})
        self._unname(member.name)

    def _unname(self, name: str) -> None:
        self._advertised.pop(name, None)
        self._listed = {at: "" if known == name else known for at, known in self._listed.items()}

    def _conflict(self, existing: Member, claimed: Address) -> None:
        self._context.statistics.name_conflicts += 1
        self._context.report(NameConflict(existing, claimed))


def _may_be(peer: PeerIdentity | None, name: str, addresses: Iterable[Address]) -> bool:
    """Whether it comes from one of the addresses' hosts, or shows a certificate of one or of the name."""
    hosts = {address.host for address in addresses}
    return peer is None or peer.host in hosts or any(map(peer.carries, (name, *hosts)))


def _itself(nodes: Sequence[NodeState], destination: Address) -> NodeState | None:
    """Of a peer's entries the one of the peer itself: at the address that was asked, or the only one."""
    usable = []
    for entry in nodes:
        try:
            address = Address.from_packed(entry.address, entry.port)
        except WireError:
            continue
        if address == destination:
            return entry
        usable.append(entry)
    return usable[0] if len(usable) == 1 else None
