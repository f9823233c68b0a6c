"""Changes too large for gossip packets go to each member over streams, in batches. Pure policy."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes of one kind of state for one member: delimited entries, joined."""

    member: str
    key: str
    data: bytes
    entries: int


@dataclass(slots=True)
class _Route:
    queued: deque[tuple[str, bytes]] = field(default_factory=deque)
    queued_bytes: int = 0
    sending: bool = False
    missed: bool = False


class Courier:
    """One queue for each member, one batch under way for each: a dead member holds up nobody else.

    Upstream sends one message at a time to all members and drops past 200 (specification 4.3). Here what
    gathers while a batch is under way goes into the next, a queue is bounded by ``max_bytes``, and a member
    for whom something had to be dropped, or whose batch failed, is named by :meth:`missed` for a full
    exchange of state: so nothing is lost.
    """

    def __init__(self, *, max_bytes: int = 8 * 1024 * 1024, batch_bytes: int = 256 * 1024) -> None:
        self._max_bytes = max_bytes
        self._batch_bytes = batch_bytes
        self._routes: dict[str, _Route] = {}
        self.dropped: Counter[str] = Counter()
        """Changes by kind of state; so are :attr:`sent` and :attr:`failed`."""
        self.sent: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def add(self, members: Iterable[str], key: str, change: bytes) -> None:
        """Queue one change for each of ``members``."""
        for member in members:
            route = self._routes.setdefault(member, _Route())
            if route.queued_bytes + len(change) > self._max_bytes:
                self.dropped[key] += 1
                route.missed = True
                continue
            route.queued.append((key, change))
            route.queued_bytes += len(change)

    def batches(self) -> list[Batch]:
        """What to send now; each batch is to be reported with :meth:`finished`."""
        found: list[Batch] = []
        for member, route in self._routes.items():
            if route.sending or not route.queued:
                continue
            key = route.queued[0][0]
            changes: list[bytes] = []
            size = 0
            while route.queued and route.queued[0][0] == key:
                change = route.queued[0][1]
                if changes and size + len(change) > self._batch_bytes:
                    break
                route.queued.popleft()
                changes.append(change)
                size += len(change)
            route.queued_bytes -= size
            route.sending = True
            found.append(Batch(member, key, b"".join(changes), len(changes)))
        return found

    def finished(self, batch: Batch, *, success: bool) -> None:
        """A batch was delivered, or not."""
        if success:
            self.sent[batch.key] += batch.entries
        else:
            self.failed[batch.key] += batch.entries
        route = self._routes.get(batch.member)
        if route is None:
            return
        route.sending = False
        route.missed = route.missed or not success

    def missed(self) -> list[str]:
        """Members that lack something and have nothing more queued: exchange whole states with them."""
        found = [n for n, r in self._routes.items() if r.missed and not r.sending and not r.queued]
        for name in found:
            self._routes[name].missed = False
        return found

    def forget(self, member: str) -> None:
        """The member is gone; should it come back, a push/pull tells it all."""
        self._routes.pop(member, None)

    @property
    def queued_bytes(self) -> int:
        """Bytes queued for all members."""
        return sum(route.queued_bytes for route in self._routes.values())
