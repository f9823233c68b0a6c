"""How long answers of members are waited for: as configured, and longer where round trips take longer.

memberlist waits for the same time everywhere, so that its LAN settings blame whoever is far away, and its WAN
settings notice a death in the next rack after a minute. Nothing here is ever below what is configured, and
nothing measured counts for more than a probe interval, so that no member can be made to wait for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.peer_statistics import PeerStatistics

NACK_GRACE: Final = 0.2
"""Of a probe timeout: how much longer than one a relay's nack is waited for."""
LATE: Final = 2
"""So many times what was waited is what a late answer counts for at most: one may be late for another reason
than its way, and whoever is far is measured by the next ones."""


class Patience:
    """Seconds to wait, by what was measured of the members named."""

    def __init__(self, config: GossipConfig, of_peers: PeerStatistics) -> None:
        self._config = config
        self._of_peers = of_peers

    def direct(self, name: str) -> float:
        """For the answer of a pinged member."""
        return max(self._config.probe_timeout, self._measured(name))

    def answered_late(self, name: str, seconds: float) -> None:
        """The pinged member answered when the time for that was over."""
        self._of_peers.answered_late(name, min(seconds, LATE * self.direct(name)))

    def indirect(self, name: str, relays: Iterable[str]) -> float:
        """For an answer by way of others, or by a stream: there and back twice. At least what memberlist
        leaves for it, the rest of the probe interval."""
        config = self._config
        farthest = max((self._measured(relay) for relay in relays), default=0.0)
        usual = max(0.0, config.probe_interval - config.probe_timeout)
        return max(usual, self._measured(name) + max(farthest, self._measured(name)))

    def nacks(self, name: str, relays: Iterable[str]) -> float:
        """For relays to say that they had no answer: they wait about as long as we do, and are far too."""
        farthest = max((self._measured(relay) for relay in relays), default=0.0)
        return (1 + NACK_GRACE) * self.direct(name) + farthest

    def _measured(self, name: str) -> float:
        return min(self._of_peers.bound(name), self._config.probe_interval)
