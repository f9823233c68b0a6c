"""With whom to gossip, when a node cannot keep a connection to everyone.

SWIM draws its gossip partners from all members. Over connections that would mean a dial for nearly every
packet as soon as the cluster is larger than the pool of connections. So partners are drawn from the members
with an open connection, but for a slow rotation:

* In a cluster that fits the pool every member is as likely as any other, as in SWIM.
* In a larger one, one choice in :data:`ROTATION` still goes to anyone, so every member is chosen eventually.
* While less than half of the pool is open, choices go to anyone until it is. Not until it is full: a dial
  closes a connection of a full peer, and that peer would dial at once too, and so on for ever.

Open connections are links to random members (each probe dials one, and the least recently used makes room),
so that at any time the nodes form a random graph of degree k = the pool's limit; a rumour still reaches all
of them in O(log n) rounds (Demers et al. 1987; Karp et al. 2000, for random partners; docs/scale.md, for
these).

Only gossip is biased. Probes go round all members, as SWIM's completeness wants: at one a second they cost
one dial a second, however large the cluster. Push/pull, relays and leave messages are rare and stay uniform.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from tocsin.gossip.address import Address
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.table import MemberTable

if TYPE_CHECKING:
    from random import Random

ROTATION = 32
"""Of so many choices one is among all. With three partners five times a second: a dial every two seconds."""

Partner = TypeVar("Partner", bound=Hashable)


class Connections(Protocol):
    """What the core may ask the transport. A transport that needs no connections has no limit."""

    @property
    def connection_limit(self) -> int | None:
        """How many destinations it keeps a connection to at most; None: it needs none to send a packet."""

    def connected(self) -> Collection[Address]:
        """The destinations that a packet reaches without a dial."""


def choose_partners(
    count: int,
    *,
    peers: int,
    limit: int,
    connected: Sequence[Partner],
    draw: Callable[[int], Sequence[Partner]],
    random: Random,
) -> list[Partner]:
    """Up to ``count`` different partners out of ``peers``.

    ``connected`` are those with an open connection, of which there are ``limit`` at most; ``draw(k)`` gives
    up to ``k`` different ones out of all, each as likely as the other.
    """
    if peers <= limit:
        return list(draw(count))
    rotation = sum(random.randrange(ROTATION) == 0 for _ in range(count))
    new = min(count, max(rotation, limit // 2 - len(connected), count - len(connected)))
    chosen = dict.fromkeys(draw(new) if new else ())
    # One drawn from all may be connected as well: then there is room for another.
    chosen |= dict.fromkeys(random.sample(connected, min(count, len(connected))))
    if len(chosen) < count:
        chosen |= dict.fromkeys(draw(count))
    return list(chosen)[:count]


class Partners:
    """:func:`choose_partners` for an endpoint's members."""

    def __init__(self, table: MemberTable, connections: Connections | None, random: Random) -> None:
        self._table = table
        self._connections = connections
        self._random = random

    def choose(self, count: int, accept: Callable[[Member], bool]) -> list[Member]:
        """Up to ``count`` different members that ``accept`` takes, never ourselves."""
        table, connections = self._table, self._connections
        limit = None if connections is None else connections.connection_limit
        if connections is None or limit is None or table.known - 1 <= limit:
            return table.choose(count, accept)
        found = (table.at_address(address) for address in connections.connected())
        return choose_partners(
            count,
            peers=table.known - 1,
            limit=limit,
            connected=[m for m in found if m is not None and m.name != table.name and accept(m)],
            draw=lambda number: table.choose(number, accept),
            random=self._random,
        )
