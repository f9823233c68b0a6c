"""The member table: who is known, by name, by address and in probe order. It has no rules of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Set
from dataclasses import replace

from tocsin.bounded import Quota
from tocsin.gossip.address import Address
from tocsin.gossip.core.context import Context
from tocsin.gossip.core.effects import MemberLeft
from tocsin.gossip.core.member import Member
from tocsin.gossip.wire.messages import MemberState, NodeState
from tocsin.sources import source_of


class MemberTable:
    """All known members, ourselves included; dead ones stay until :meth:`reap`."""

    def __init__(self, context: Context, local: Member) -> None:
        self.name: str = local.name
        """Our own."""
        self.leaving = False
        self._context = context
        self._members: dict[str, Member] = {local.name: local}
        self._order: list[str] = [local.name]
        self._names = {local.address: local.name}
        self._hosts = Counter([local.address.host])
        self.versions: Counter[bytes] = Counter([local.versions])
        """What the known members say to speak, and how many do."""
        self._live = 1
        self._live_sources: Quota[str] = Quota()
        self._live_sources.add(source_of(local.address.host))
        self._live_members: list[Member] | None = None

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

    def is_live_at(self, host: str) -> bool:
        """Whether a live member is at that IP address, or, of IPv6, in its /64."""
        return bool(self._live_sources.of(source_of(host)))

    def all(self) -> list[Member]:
        """Every known member, dead ones included."""
        return list(self._members.values())

    def all_live(self) -> list[Member]:
        """The alive and suspect ones, ourselves included."""
        if self._live_members is None:
            self._live_members = [member for member in self._members.values() if member.live]
        return self._live_members.copy()

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
        order, chosen, random = self._order, dict[str, Member](), self._context.random
        if len(order) > 8 * count:
            for _ in range(4 * count):
                name = order[random.randrange(len(order))]
                if name not in chosen and name != self.name and accept(member := self._members[name]):
                    chosen[name] = member
                    if len(chosen) == count:
                        return list(chosen.values())
        fit = [m for m in self._members.values() if m.name != self.name and accept(m)]
        return fit if len(fit) <= count else random.sample(fit, count)

    # -- changes

    def insert(self, name: str) -> None:
        """Put a new name at a random position of the probe order, so that peers do not all probe it at once.

        :meth:`store` its member next.
        """
        self._order.append(name)
        other = self._context.random.randrange(len(self._order))
        self._order[other], self._order[-1] = self._order[-1], self._order[other]

    def store(self, member: Member) -> None:
        """Replace what is known of a member."""
        before = self._members.get(member.name)
        if before is None or before.address != member.address:
            self._hosts[member.address.host] += 1
            if before is not None:
                self._hosts -= Counter([before.address.host])
        if before is None or before.versions != member.versions:
            self.versions[member.versions] += 1
            if before is not None:
                self.versions -= Counter([before.versions])
        if before is not None and before.live:
            self._live_sources.release(source_of(before.address.host))
        if member.live:
            self._live_sources.add(source_of(member.address.host))
        self._live += member.live - (before is not None and before.live)
        self._live_members = None
        self._members[member.name] = member
        if before is not None and self._names.get(before.address) == member.name:
            del self._names[before.address]
        if member.live or member.address not in self._names:
            self._names[member.address] = member.name

    def forget(self, names: Set[str]) -> None:
        """Remove members that are not live."""
        self._context.of_peers.forget(names)
        self._hosts -= Counter([self._members[name].address.host for name in names])
        self.versions -= Counter([self._members[name].versions for name in names])
        self._members = {name: one for name, one in self._members.items() if name not in names}
        self._names = {at: name for at, name in self._names.items() if name not in names}
        self._order = [name for name in self._order if name not in names]

    def remove(self, name: str) -> None:
        """Remove a rejected member without gossiping it: each node judges by what it sees itself."""
        member = self._members[name]
        self.store(replace(member, state=MemberState.LEFT))
        if member.live:
            self._context.events.append(MemberLeft(self._members[name]))
        self.forget({name})

    def reap(self, now: float) -> None:
        """Forget members dead or left for longer than the gossip-to-the-dead time; shuffle the order."""
        kept = [name for name in self._order if not self._expired(self._members[name], now)]
        if len(kept) != len(self._order):
            self._context.statistics.members_reaped += len(self._order) - len(kept)
            self.forget(self._members.keys() - set(kept))
        self._context.random.shuffle(kept)
        self._order = kept

    def _expired(self, member: Member, now: float) -> bool:
        return (
            not member.live
            and member.name != self.name
            and now - member.state_changed > self._context.config.gossip_to_the_dead_time
        )
