"""Membership by a list from outside: who is a member is said by discovery, who is there by connections.

The same contract as :class:`~tocsin.gossip.core.endpoint.Endpoint`, so that a driver runs either, and the
same messages on the wire, but no SWIM: nothing that a peer says of others is believed, so nobody can conjure
a member up, or talk one dead. How it goes:

* The list has addresses, no names. A push/pull with a listed address is its introduction: the peer's entry
  of itself gives name and meta. Each node sends its own entry only.
* Each member is pinged at every probe interval. A packet known to be lost, or a ping without an ack, has
  the member asked once more by a stream, whose failure is the verdict: then it is gone, until a push/pull
  with it succeeds again. There is no suspicion, as nobody else is asked or told.
* One that reaches us while we hold it for gone is asked for its state at once.
* A goodbye counts when it comes from the one that goes.

Pings of others are answered, and accusations refuted: to a peer that does speak SWIM we are a member like
any other, and a cluster can go over to this node by node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from tocsin.errors import WireError
from tocsin.gossip.address import Address
from tocsin.gossip.core.door import alive_problem
from tocsin.gossip.core.effects import (
    ExchangeKind,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    NameConflict,
    RemoteState,
)
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.core.exchanges import Exchange
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.membership import Membership
from tocsin.gossip.core.pushpull import ENTRIES_AT_ONCE, StateExchange
from tocsin.gossip.core.reachability import Reachability
from tocsin.gossip.core.receiver import Receiver
from tocsin.gossip.core.steps import Steps
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import (
    Ack,
    Alive,
    Dead,
    MemberState,
    Message,
    NodeState,
    Ping,
    PushPull,
    Suspect,
)

KNOCK_INTERVAL: Final = 1.0
"""Least seconds between two answers to a listed address that reaches us and is no live member."""


class ListedMembership(Membership):
    """The member table: those of the list that were introduced, and ourselves."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._listed: dict[Address, str] = {}
        """The list without ourselves, each with the name of the member there, or empty."""
        self._advertised: dict[str, Address] = {}
        """What members themselves call their address; the list may have another, or several."""
        self._knocks: dict[Address, float] = {}
        self.knocking: dict[Address, None] = {}
        """Listed addresses to be asked for their state now. Drain it."""

    def set_listed(self, addresses: Iterable[Address], now: float) -> None:
        """The list from now on. Who is not on it is no member any more."""
        wanted = dict.fromkeys(addresses)
        wanted.pop(self.local.address, None)
        self._listed = {address: self._listed.get(address, "") for address in wanted}
        self._knocks = {address: at for address, at in self._knocks.items() if address in wanted}
        for member in [m for m in self._members.values() if m.name != self.name]:
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
        if entry.name == self.name:
            if address != self.local.address:
                self._conflict(self.local, address)
            return ""
        if entry.state != MemberState.ALIVE:
            return f"{entry.name[:64]!r} is leaving"
        alive = Alive(entry.incarnation, entry.name, entry.address, entry.port, entry.meta, entry.versions)
        if problem := alive_problem(alive, self._config.meta_max_size):
            self._refuse("alive", problem, destination)
            return problem
        if self.door is not None and (problem := self.door.objection(alive, destination, destination, peer)):
            self._refuse("name_binding", problem, destination)
            return problem
        stored = self._members.get(entry.name)
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
        member = self._members.get(name)
        if member is not None and member.live:
            gone = replace(member, state=MemberState.DEAD, state_changed=now)
            self._store(gone)
            self._events.append(MemberLeft(gone))
            self.knocking[member.address] = None  # Perhaps it is there again, by another name.

    def farewell(self, name: str, source: Address, now: float, peer: PeerIdentity | None = None) -> None:
        """``name`` says that it leaves; it counts only out of its own mouth.

        ``source`` may be but what the sender says of itself. Where the transport knows who it is, that has to
        fit too.
        """
        member = self._members.get(name)
        known = () if member is None else (member.address, self._advertised.get(name, member.address))
        if member is None or not member.live or source not in known or not _may_be(peer, name, known):
            self._statistics.membership_ignored += 1
            return
        gone = replace(member, state=MemberState.LEFT, state_changed=now)
        self._store(gone)
        self._events.append(MemberLeft(gone))

    def remove(self, name: str) -> None:
        """Take a member out that is none; its address stays listed."""
        super().remove(name)
        self._unname(name)

    def knock(self, address: Address, now: float) -> None:
        """``address`` reached us. If it is listed and not a live member, it is worth asking."""
        if address in self._listed and now - self._knocks.get(address, float("-inf")) >= KNOCK_INTERVAL:
            member = self._members.get(self._listed[address])
            if member is None or not member.live:
                self._knocks[address] = now
                self.knocking[address] = None

    # -- what peers say

    def entries(self) -> tuple[NodeState, ...]:
        """Ourselves: of the others everybody has the list."""
        return tuple(entry for entry in super().entries() if entry.name == self.name)

    def apply_alive(
        self, message: Alive, now: float, source: Address, peer: PeerIdentity | None = None
    ) -> None:
        """Ignored, unless somebody says of us what is not true."""
        if message.node == self.name:
            super().apply_alive(message, now, source, peer)
        else:
            self._statistics.membership_ignored += 1

    def apply_suspect(
        self, message: Suspect, now: float, *, witnessed: bool = False, since: float | None = None
    ) -> None:
        """Ignored, unless we are accused, which is refuted."""
        if message.node == self.name:
            super().apply_suspect(message, now, witnessed=witnessed, since=since)
        else:
            self._statistics.membership_ignored += 1

    def apply_dead(self, message: Dead, now: float, *, witnessed: bool = False) -> None:
        """Ignored, unless it is of ourselves."""
        if message.node == self.name:
            super().apply_dead(message, now, witnessed=witnessed)
        else:
            self._statistics.membership_ignored += 1

    def announce(self, meta: bytes | None = None) -> None:
        """Nothing is announced; the next push/pull says it."""
        if meta is not None:
            self._store(replace(self.local, meta=meta, incarnation=self.local.incarnation + 1))

    # -- within

    def _put(self, alive: Alive, destination: Address, advertised: Address, now: float) -> None:
        tenant = self._members.get(self._listed[destination])
        if tenant is not None and tenant.name != alive.node and tenant.address == destination:
            self._remove(tenant, MemberState.DEAD, now)
        stored = self._members.get(alive.node)
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
            self._insert(alive.node)
        self._store(member)
        if not was_live:
            self._events.append(MemberJoined(member))
        elif stored is not None and (stored.meta, stored.address) != (member.meta, member.address):
            self._events.append(MemberUpdated(member))

    def _remove(self, member: Member, state: MemberState, now: float) -> None:
        if member.live:
            gone = replace(member, state=state, state_changed=now)
            self._store(gone)
            self._events.append(MemberLeft(gone))
        self._forget({member.name})
        self._unname(member.name)

    def _unname(self, name: str) -> None:
        self._advertised.pop(name, None)
        self._listed = {at: "" if known == name else known for at, known in self._listed.items()}

    def _conflict(self, existing: Member, claimed: Address) -> None:
        self._statistics.name_conflicts += 1
        self._tell(NameConflict(existing, claimed))


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


class ListedStateExchange(StateExchange):
    """Push/pulls of which the answers to ours introduce the peer, and of which the state counts, always."""

    def replied(
        self, exchange: Exchange, message: Message | None, now: float, peer: PeerIdentity | None = None
    ) -> Steps[str]:
        """Whom we asked has answered."""
        if isinstance(message, PushPull):
            membership = cast("ListedMembership", self._membership)
            if problem := membership.introduce(message.nodes, exchange.destination, now, peer):
                return problem
        return (yield from super().replied(exchange, message, now, peer))

    def _merge(
        self,
        message: PushPull,
        source: Address,
        now: float,
        peer: PeerIdentity | None,  # noqa: ARG002
    ) -> Steps[str]:
        membership = cast("ListedMembership", self._membership)
        for number, entry in enumerate(message.nodes):
            if number % ENTRIES_AT_ONCE == 0:
                later = yield
                now = now if later is None else later
            try:
                membership.knock(Address.from_packed(entry.address, entry.port), now)
            except WireError:
                continue
        if message.user_state:
            self._events.append(RemoteState(message.user_state, message.join, source))
        return ""


class ListedReceiver(Receiver):
    """Takes a goodbye with its source, and answers no ping after our own: who missed it finds out so."""

    def _apply(self, message: Message, source: Address, now: float, peer: PeerIdentity | None) -> None:
        if isinstance(message, Dead) and message.node == message.accuser != self._membership.name:
            cast("ListedMembership", self._membership).farewell(message.node, source, now, peer)
        else:
            super()._apply(message, source, now, peer)

    def _answer(self, ping: Ping) -> Ack | None:
        return None if self._membership.leaving else super()._answer(ping)


class ListedEndpoint(Endpoint):
    """An endpoint whose members are those of :meth:`set_listed` that can be reached.

    Whoever drives it joins the listed addresses that are no members, as with any endpoint.
    """

    _membership_type = ListedMembership
    _prober_type = Reachability
    _state_exchange_type = ListedStateExchange
    _receiver_type = ListedReceiver

    @property
    def _list(self) -> ListedMembership:
        return cast("ListedMembership", self._membership)

    @property
    def _reachability(self) -> Reachability:
        return cast("Reachability", self._prober)

    def set_listed(self, addresses: Iterable[Address], now: float) -> None:
        """What discovery lists; our own address may be among it."""
        canonical = [Address.from_packed(address.packed, address.port) for address in addresses]
        self._list.set_listed(canonical, now)
        self._reachability.prune()

    def handle_timeout(self, now: float) -> None:
        """Do all that is due."""
        super().handle_timeout(now)
        self._answer_knocks(now)

    def receive_packet(
        self, data: bytes, source: Address, now: float, peer: PeerIdentity | None = None
    ) -> None:
        """A packet arrived."""
        super().receive_packet(data, source, now, peer)
        self._list.knock(source, now)
        self._answer_knocks(now)

    def packet_failed(self, destination: Address, now: float) -> None:
        """A packet is known to be lost: ask by stream what that means."""
        super().packet_failed(destination, now)
        self._answer_knocks(now)

    def receive_stream_in_steps(
        self, message: Message, source: Address, now: float, peer: PeerIdentity | None = None
    ) -> Steps[Iterable[bytes]]:
        """A peer's stream."""
        answer = yield from super().receive_stream_in_steps(message, source, now, peer)
        self._answer_knocks(now)
        return answer

    def _finish(self, exchange: Exchange, error: str, now: float) -> None:
        super()._finish(exchange, error, now)
        if exchange.kind is ExchangeKind.PING:
            self._reachability.checked(exchange.sequence_number, error, now)
        self._answer_knocks(now)

    def _answer_knocks(self, now: float) -> None:
        knocking = list(self._list.knocking)
        self._list.knocking.clear()
        if self._started and not self.leaving:
            for address in knocking:
                self._state_exchange.join(address, now)
