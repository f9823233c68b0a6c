"""Which connection makes room for a new one. No I/O: the pool and the simulation use the same rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Evictable(Protocol):
    """A connection, or whatever stands for one."""

    @property
    def idle(self) -> bool:
        """Nothing queued and no dial under way."""


Link = TypeVar("Link", bound=Evictable)


def victim(links: Iterable[Link]) -> Link:
    """The first that is idle, else the first, of ``links`` in the order of their last use, oldest first.

    Probes go round all members and use up one slot a second, in a large cluster each a new one. A rule that
    protected the other connections from that would save no dial, since the next probe dials in any case; and
    the links that probes leave behind are what keeps the gossip partners changing.
    """
    oldest: Link | None = None
    for link in links:
        if link.idle:
            return link
        if oldest is None:
            oldest = link
    if oldest is None:
        raise ValueError("no link to choose from")
    return oldest
