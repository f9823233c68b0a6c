"""Who has a connection to whom: one for each pair, whichever end dialled, in the bounded pools of both ends.

So it is between two nodes that speak ``tocsin/1``. Each pool keeps the order of its own use and makes room
by the rule of the real pool. What the real pool also does and this does not: it closes connections that
nobody used for minutes. With a probe a second none is idle for so long unless the whole cluster fits the
pool.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from tocsin.gossip.transport.eviction import victim


@dataclass(slots=True)
class Link:
    """One end of an open connection. Dials take no time here, so nothing ever waits on it."""

    peer: int
    idle: bool = True


class Pools:
    """The connections of ``size`` nodes, 0 to ``size - 1``, each of which keeps at most ``limit``."""

    def __init__(self, size: int, limit: int) -> None:
        self.limit = limit
        self.dials = 0
        self.most = 0
        """The largest number of connections that any node had."""
        self._pools: list[OrderedDict[int, Link]] = [OrderedDict() for _ in range(size)]

    def use(self, source: int, destination: int) -> bool:
        """``source`` sends to ``destination``; whether it had to dial."""
        pool = self._pools[source]
        if destination in pool:
            pool.move_to_end(destination)
            return False
        self.dials += 1
        self._add(source, destination)
        self._add(destination, source)
        return True

    def peers(self, node: int) -> list[int]:
        """Those to whom ``node`` has a connection, the least recently used first."""
        return list(self._pools[node])

    def count(self, node: int) -> int:
        """Connections of ``node``."""
        return len(self._pools[node])

    @property
    def mean(self) -> float:
        """Connections a node has."""
        return sum(map(len, self._pools)) / len(self._pools)

    def _add(self, node: int, peer: int) -> None:
        pool = self._pools[node]
        while len(pool) >= self.limit:
            gone = victim(pool.values()).peer
            del pool[gone]
            del self._pools[gone][node]
        pool[peer] = Link(peer)
        self.most = max(self.most, len(pool))
