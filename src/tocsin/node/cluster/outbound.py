"""Queues changes for each member: batched, superseded by newer ones, bounded, paced. Pure policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import field
from typing import Final

from tocsin.dataclass import dataclass

INTERVAL: Final = 0.005
"""Least seconds between two batches to one member; changes in between leave together."""
LONGEST_INTERVAL: Final = 0.02
"""What it grows to with the changes of a batch, one :data:`INTERVAL` for each: while many come, fewer and
larger batches cost both ends less. Not while some of them are left, as a batch is full."""
BATCH_BYTES: Final = 64 * 1024 - 1024
"""Of one batch, unless a single change is longer; with its envelope it stays a compound's part (64 KiB)."""
MAX_BACKLOG: Final = 128 * 1024
"""With more bytes than that waiting in the transport, a member's changes wait here, where newer ones replace
older ones."""
BACKLOG_RETRY: Final = 0.02
MAX_MISSED: Final = 4096
"""Members remembered as lacking something, most of them dead; past it the oldest is forgotten."""
REPEATS: Final = 2
"""Times that a fresh change, sent in a datagram, is sent again: a datagram may be lost without an error."""
LARGE_BYTES: Final = 700
"""Alertmanager counts longer changes on their own (wire 4.3). Here they go as the others do."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes of one kind of state for one member: delimited entries, joined."""

    member: str
    key: str
    data: bytes
    entries: int
    reliable: bool = False
    """By stream. Its end is reported to :meth:`OutboundQueue.delivered` or ``undelivered``."""


@dataclass(slots=True)
class OutboundStatistics:
    """Changes by kind of state, counted for each member that they were meant for."""

    sent: Counter[str] = field(default_factory=Counter)
    sent_large: Counter[str] = field(default_factory=Counter)
    """Those of :attr:`sent` that are longer than :data:`LARGE_BYTES`."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Sent once more, after a datagram."""
    undelivered: Counter[str] = field(default_factory=Counter)
    """Batches whose stream failed; the member is named by :meth:`OutboundQueue.missed`."""
    superseded: Counter[str] = field(default_factory=Counter)
    """Replaced in the queue by a newer change of the same name."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Past the bound of a queue; the member is named by :meth:`OutboundQueue.missed`."""
    dropped_large: Counter[str] = field(default_factory=Counter)
    repairs_dropped: Counter[str] = field(default_factory=Counter)
    """Repairs dropped past the bound."""
    abandoned: Counter[str] = field(default_factory=Counter)
    """Still queued when their member died or left."""


@dataclass(frozen=True, slots=True)
class QueueLengths:
    """What is queued now, summed over the members."""

    changes: int
    bytes: int


class _Queue:
    """Changes of each kind of state by name; a newer one replaces the older."""

    __slots__ = ("_kinds", "count", "size")

    def __init__(self) -> None:
        self._kinds: dict[str, dict[Hashable, bytes]] = {}
        self.count = 0
        self.size = 0

    def __contains__(self, full_name: tuple[str, Hashable]) -> bool:
        return full_name[1] in self._kinds.get(full_name[0], ())

    def put(self, key: str, name: Hashable, change: bytes) -> bool:
        """Whether it replaced one."""
        kind = self._kinds.setdefault(key, {})
        replaced = kind.get(name)
        kind[name] = change
        self.size += len(change)
        if replaced is None:
            self.count += 1
            return False
        self.size -= len(replaced)
        return True

    def discard(self, key: str, name: Hashable) -> bool:
        """Whether there was one."""
        removed = self._kinds.get(key, {}).pop(name, None)
        if removed is None:
            return False
        self.count -= 1
        self.size -= len(removed)
        return True

    def kinds(self) -> list[str]:
        """The kinds of state with queued changes."""
        return [key for key, kind in self._kinds.items() if kind]

    def fits(self, key: str, budget: int) -> bool:
        """Whether all of one kind have together at most ``budget`` bytes."""
        for change in self._kinds.get(key, {}).values():
            budget -= len(change)
            if budget < 0:
                return False
        return True

    def take(self, key: str, budget: int, *, at_least_one: bool) -> dict[Hashable, bytes]:
        """The oldest of one kind, together at most ``budget`` bytes, but the first in any case if wanted."""
        kind = self._kinds.get(key)
        taken: dict[Hashable, bytes] = {}
        if not kind:
            return taken
        for name, change in kind.items():
            if len(change) > budget and (taken or not at_least_one):
                break
            budget -= len(change)
            taken[name] = change
        for name in taken:
            del kind[name]
        self.count -= len(taken)
        self.size -= sum(map(len, taken.values()))
        return taken

    def clear(self) -> list[tuple[str, bytes]]:
        """Empty the queue; returns its changes, each with its kind."""
        gone = [(key, change) for key, kind in self._kinds.items() for change in kind.values()]
        self._kinds.clear()
        self.count = self.size = 0
        return gone


@dataclass(slots=True)
class _Route:
    fresh: _Queue = field(default_factory=_Queue)
    repairs: _Queue = field(default_factory=_Queue)
    next_sending: float = 0.0
    repairs_due: float = 0.0
    repeats: dict[tuple[str, Hashable], int] = field(default_factory=dict)
    """Of the repairs, those that are our own and will be sent so many more times."""
    under_way: bool = False
    """Whether a stream with a batch is under way; changes wait meanwhile."""

    def due(self) -> float | None:
        """When the next batch may leave, or None when there is nothing to send."""
        if self.under_way:
            return None
        if self.fresh.count:
            return self.next_sending
        return max(self.next_sending, self.repairs_due) if self.repairs.count else None


class OutboundQueue:
    """One queue for each member: a member that accepts nothing does not delay the others.

    A change with a name replaces the queued one of that name and kind. A queue is bounded by ``max_changes``
    and ``max_bytes``; past that it is emptied and its member is :meth:`missed`: an exchange of states brings
    it everything at once. *Repairs* are what a member most likely has already; they wait for the repair tick.

    A member gets at most one batch of each kind of state in an :data:`INTERVAL`, or more: in the 200 ms in
    which a Go peer is certain to empty its handler queue of 1,024 messages that is 40 for each kind.

    Where a packet is a datagram, ``packet_bytes`` is what a batch may have in one. More than that goes by
    stream, one at a time to each member. What went in a datagram is sent again, :data:`REPEATS` times,
    ``repeat_after`` seconds apart.
    """

    def __init__(
        self,
        *,
        max_changes: int = 8192,
        max_bytes: int = 8 * 1024 * 1024,
        packet_bytes: int | None = None,
        repeat_after: float = 0.2,
    ) -> None:
        self.statistics = OutboundStatistics()
        self._packet_bytes = packet_bytes
        self._repeat_after = repeat_after
        self._max_changes = max_changes
        self._max_bytes = max_bytes
        self._routes: dict[str, _Route] = {}
        self._missed: dict[str, None] = {}
        self._unnamed = 0

    # -- in

    def add(
        self,
        members: Iterable[str],
        key: str,
        name: Hashable | None,
        change: bytes,
        *,
        repair_at: float | None = None,
    ) -> None:
        """Queue one change for each of ``members``; with ``repair_at``, as a repair that may leave then."""
        if name is None:
            self._unnamed += 1
            name = self._unnamed
        for member in members:
            route = self._routes.get(member)
            if route is None:
                route = self._routes[member] = _Route()
            if repair_at is None:
                self._add_fresh(member, route, key, name, change)
            else:
                self._add_repair(route, key, name, change, repair_at)

    def _add_fresh(self, member: str, route: _Route, key: str, name: Hashable, change: bytes) -> None:
        self.statistics.superseded[key] += route.repairs.discard(key, name)
        route.repeats.pop((key, name), None)
        self.statistics.superseded[key] += route.fresh.put(key, name, change)
        if self._over(route):
            # The member needs a whole exchange now, which brings it the rest of the queue as well.
            for gone, data in route.fresh.clear():
                self.statistics.dropped[gone] += 1
                self.statistics.dropped_large[gone] += len(data) > LARGE_BYTES
            for gone, _ in route.repairs.clear():
                self.statistics.repairs_dropped[gone] += 1
            route.repeats.clear()
            self.lost(member)

    def _add_repair(self, route: _Route, key: str, name: Hashable, change: bytes, when: float) -> None:
        if (key, name) in route.fresh:
            return  # A queued change will be sent anyway, and the merge chooses the newer one.
        if not route.repairs.count:
            route.repairs_due = when
        route.repeats.pop((key, name), None)
        self.statistics.superseded[key] += route.repairs.put(key, name, change)
        if self._over(route):
            route.repairs.discard(key, name)
            self.statistics.repairs_dropped[key] += 1

    def _over(self, route: _Route) -> bool:
        fresh, repairs = route.fresh, route.repairs
        return fresh.count + repairs.count > self._max_changes or fresh.size + repairs.size > self._max_bytes

    # -- out

    def next_timeout(self) -> float | None:
        """When :meth:`batches` has something, or None."""
        found = [when for route in self._routes.values() if (when := route.due()) is not None]
        return min(found, default=None)

    def batches(self, now: float, backlog: Callable[[str], int], most: int | None = None) -> list[Batch]:
        """What to send now, to the first ``most`` members; the others are due still, and come first the next
        time. ``backlog`` returns how many bytes wait in the transport for a member."""
        found: list[Batch] = []
        served: list[str] = []
        for member, route in self._routes.items():
            due = route.due()
            if due is None or due > now:
                continue
            if len(served) == most:
                break
            served.append(member)
            if backlog(member) > MAX_BACKLOG:
                route.next_sending = now + BACKLOG_RETRY
                continue
            route.next_sending = now + INTERVAL
            repairs = route.repairs_due <= now
            kinds = dict.fromkeys(route.fresh.kinds() + (route.repairs.kinds() if repairs else []))
            changes = 0
            for key in kinds:
                batch = self._pack(member, route, key, repairs, now)
                found.append(batch)
                changes += batch.entries
                if route.under_way:
                    break
            if not route.fresh.count:
                route.next_sending = now + min(max(changes, 1) * INTERVAL, LONGEST_INTERVAL)
        else:
            return found
        for member in served:
            self._routes[member] = self._routes.pop(member)
        return found

    def _pack(self, member: str, route: _Route, key: str, repairs: bool, now: float) -> Batch:
        """The oldest of one kind of state, the fresh before the repairs."""
        budget = self._packet_bytes
        room = BATCH_BYTES if budget is None or not route.fresh.fits(key, budget) else budget
        fresh = route.fresh.take(key, room, at_least_one=True)
        changes = list(fresh.values())
        if repairs:
            left = room - sum(map(len, changes))
            repaired = route.repairs.take(key, left, at_least_one=not changes)
            changes += repaired.values()
        else:
            repaired = {}
        data = b"".join(changes)
        reliable = budget is not None and len(data) > budget
        if reliable:
            route.under_way = True
            for name in repaired:
                route.repeats.pop((key, name), None)
        elif budget is not None:
            self._repeat(route, key, repaired, fresh, now)
        statistics = self.statistics
        statistics.sent[key] += len(changes)
        statistics.sent_large[key] += sum([len(change) > LARGE_BYTES for change in changes])
        return Batch(member, key, data, len(changes), reliable)

    def _repeat(
        self,
        route: _Route,
        key: str,
        repaired: Mapping[Hashable, bytes],
        fresh: Mapping[Hashable, bytes],
        now: float,
    ) -> None:
        """Have what goes in a datagram sent again, unless that was the last time."""
        again = dict.fromkeys(fresh, REPEATS)
        for name in repaired:
            times = route.repeats.pop((key, name), 0)
            self.statistics.repeated[key] += times > 0
            if times > 1:
                again[name] = times - 1
        for name, times in again.items():
            if not route.repairs.count:
                route.repairs_due = now + self._repeat_after
            route.repairs.put(key, name, fresh[name] if name in fresh else repaired[name])
            route.repeats[key, name] = times

    # -- batches by stream

    def delivered(self, member: str, now: float) -> None:
        """The member has taken the batch that was under way."""
        route = self._routes.get(member)
        if route is not None and route.under_way:
            route.under_way = False
            route.next_sending = now

    def undelivered(self, member: str, key: str, now: float) -> None:
        """The stream with a batch of the kind ``key`` failed."""
        self.statistics.undelivered[key] += 1
        self.delivered(member, now)
        self.lost(member)

    # -- members that lack something

    def lost(self, member: str) -> None:
        """Something meant for ``member`` is known not to arrive."""
        self._missed[member] = None
        if len(self._missed) > MAX_MISSED:
            del self._missed[next(iter(self._missed))]

    def missed(self, live: Callable[[str], bool]) -> list[str]:
        """Live members that lack something: exchange states with them. Each is returned once."""
        found = [name for name in self._missed if live(name)]
        for name in found:
            del self._missed[name]
        return found

    def failed(self, member: str) -> None:
        """The member was declared dead. Should it come back, it lacks what was queued, and maybe more."""
        self._abandon(member)
        self.lost(member)

    def forget(self, member: str) -> None:
        """The member left on purpose: to come back it has to join, which brings it everything."""
        self._abandon(member)
        self._missed.pop(member, None)

    def _abandon(self, member: str) -> None:
        route = self._routes.pop(member, None)
        if route is not None:
            for queue in (route.fresh, route.repairs):
                for key, _ in queue.clear():
                    self.statistics.abandoned[key] += 1

    # -- views

    @property
    def busy(self) -> bool:
        """Whether there are changes that no member was sent yet."""
        return any(route.fresh.count or route.under_way for route in self._routes.values())

    @property
    def queued(self) -> QueueLengths:
        """What waits now."""
        routes = self._routes.values()
        return QueueLengths(
            changes=sum([route.fresh.count + route.repairs.count for route in routes]),
            bytes=sum([route.fresh.size + route.repairs.size for route in routes]),
        )
