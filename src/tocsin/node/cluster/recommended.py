"""What ``--cluster.peer-timeout`` should be at least, by the round trips that were measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tocsin.dataclass import dataclass

LEAST: Final = 1.0
"""Seconds: a node that is busy, and its disk, need some whatever the network does."""
LOST: Final = 3
"""Times in a row that a log entry may be lost on its way."""
_ROUNDS: Final = 2
"""Rounds of gossip, which repair what was sent at once and did not come."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """A view."""

    peer_timeout_seconds: float
    """See :func:`peer_timeout`."""


def peer_timeout(bounds: Iterable[float], gossip_interval: float) -> float:
    """Seconds in which a log entry reaches every peer; 0 before any has answered.

    ``bounds`` has for each live peer the seconds by which it answers unless something is lost
    (:class:`~tocsin.gossip.core.roundtrip.SmoothedRoundTrip`). TCP sends what is lost again after about so
    long, then twice and four times that (RFC 6298, 5.5); once more is for the way itself. How long the
    receivers take is not in it.
    """
    slowest = max(bounds, default=0.0)
    if not slowest:
        return 0.0
    return max(LEAST, 2**LOST * slowest + _ROUNDS * gossip_interval)
