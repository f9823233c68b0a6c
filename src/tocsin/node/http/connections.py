"""The open connections, and which one is closed when there are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import field

from tocsin.dataclass import dataclass
from tocsin.node.http.bounds import HTTPBounds, HTTPStatistics
from tocsin.sources import source_of


def _nothing() -> int:
    return 0


@dataclass(slots=True, eq=False)
class TrackedConnection:
    """One connection, from its acceptance on."""

    address: str
    source: str
    """The address whose bounds it shares; of IPv6 the /64."""
    waits_since: float | None
    """Since when it has been without a complete request; None while it is being answered."""
    end: Callable[[str], None] = field(repr=False)
    """Ends it at once; the reason goes into ``connections_closed``."""
    unsent: Callable[[], int] = field(default=_nothing, repr=False)
    """Bytes of answers that it has not taken yet."""


class Connections:
    """All connections of one server.

    At a bound, the connection that has been idle longest is closed: of the same address, or, when the bound
    is that of all, of the address that has most. So a client that opens many idle connections only closes its
    own.
    """

    def __init__(self, bounds: HTTPBounds, statistics: HTTPStatistics, time: Callable[[], float]) -> None:
        self._bounds = bounds
        self._statistics = statistics
        self._time = time
        self._of: dict[str, set[TrackedConnection]] = {}
        self._handshaking: dict[TrackedConnection, None] = {}  # the oldest first

    def admit(self, address: str, end: Callable[[str], None]) -> TrackedConnection | None:
        """Track one more; None, and counted, if there is no room for it."""
        bounds = self._bounds
        source = source_of(address)
        same = self._of.get(source, set())
        patience = bounds.patience if len(same) >= bounds.few else 0.0
        if len(same) >= bounds.connections_per_address:
            if not self._make_room(same, patience):
                self._statistics.connections_refused["address"] += 1
                return None
        elif self._statistics.connections >= bounds.connections:
            largest = max(self._of.values(), key=len)
            everybody = {one for each in self._of.values() for one in each}
            if not (self._make_room(largest, patience) or self._make_room(everybody, patience)):
                self._statistics.connections_refused["total"] += 1
                return None
        tracked = TrackedConnection(address, source, self._time(), end)
        self._of.setdefault(source, set()).add(tracked)
        self._statistics.connections += 1
        self._statistics.connections_accepted += 1
        return tracked

    def _make_room(self, candidates: set[TrackedConnection], patience: float) -> bool:
        latest = self._time() - patience
        waiting = [
            (one.waits_since, id(one), one)
            for one in candidates
            if one.waits_since is not None and one.waits_since <= latest
        ]
        if not waiting:
            return False
        victim = min(waiting)[2]
        self.gone(victim)
        victim.end("evicted")
        return True

    def shakes_hands(self, tracked: TrackedConnection) -> bool:
        """Whether its handshake may begin now."""
        if len(self._handshaking) >= self._bounds.handshakes:
            per_address = Counter(one.source for one in self._handshaking)
            crowded = per_address.most_common(1)[0][0]
            victim = next(one for one in self._handshaking if one.source == crowded)
            patience = self._bounds.patience if per_address[tracked.source] >= self._bounds.few else 0.0
            if victim.waits_since is not None and self._time() - victim.waits_since < patience:
                return False
            self.gone(victim)
            victim.end("evicted")
        self._handshaking[tracked] = None
        return True

    def is_known(self, tracked: TrackedConnection) -> None:
        """Its handshake has ended, successfully or not."""
        self._handshaking.pop(tracked, None)

    def gone(self, tracked: TrackedConnection) -> None:
        """It is closed. Idempotent."""
        self._handshaking.pop(tracked, None)
        same = self._of.get(tracked.source)
        if same is None or tracked not in same:
            return
        same.remove(tracked)
        if not same:
            del self._of[tracked.source]
        self._statistics.connections -= 1

    def waits(self, tracked: TrackedConnection) -> None:
        """It was answered, and is idle until its next request."""
        tracked.waits_since = self._time()

    def works(self, tracked: TrackedConnection) -> None:
        """It has sent a complete request."""
        tracked.waits_since = None

    def check_unsent(self) -> None:
        """Close the connections with most unread answers, while those of all together are past the bound."""
        held = [(one.unsent(), id(one), one) for same in self._of.values() for one in same]
        total = sum(size for size, _, _ in held)
        held.sort(reverse=True)
        for size, _, one in held:
            if total <= self._bounds.answers_bytes:
                return
            total -= size
            self.gone(one)
            one.end("answers_bytes")
