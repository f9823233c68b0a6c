"""The suspicion timer: long while one member suspects alone, shorter with each that agrees (Lifeguard)."""

from __future__ import annotations

import math

from tocsin.gossip.config import GossipConfig


def minimum_timeout(multiplier: int, known: int, probe_interval: float) -> float:
    """Seconds a suspicion lasts at least: grows with the logarithm of the cluster (wire 2.4).

    The logarithm is cut to thousandths, as Go peers do it, so that all wait equally long.
    """
    scale = max(1.0, math.log10(max(1.0, known)))
    return multiplier * math.floor(scale * 1000) / 1000 * probe_interval


def confirmations_wanted(multiplier: int, known: int) -> int:
    """How many other accusers shorten the timer to its minimum; 0 when the cluster is too small for that."""
    wanted = multiplier - 2
    return 0 if known - 2 < wanted else wanted


class Suspicion:
    """One suspect member's timer. The first accuser is known from the start and does not confirm."""

    __slots__ = ("_accusers", "_maximum", "_minimum", "_started", "_wanted", "confirmations")

    def __init__(self, accuser: str, started: float, minimum: float, maximum: float, wanted: int) -> None:
        self._accusers = {accuser}
        self._started = started
        self._minimum = minimum
        self._maximum = max(maximum, minimum)
        self._wanted = max(wanted, 0)
        self.confirmations: int = 0

    def confirm(self, accuser: str) -> bool:
        """Count an accuser; False when it was counted before or no more are wanted (so this stays small)."""
        if self.confirmations >= self._wanted or accuser in self._accusers:
            return False
        self._accusers.add(accuser)
        self.confirmations += 1
        return True

    def predate(self, started: float) -> bool:
        """Our own ping had failed before we heard of the suspicion; False when it had not."""
        if started >= self._started:
            return False
        self._started = started
        return True

    @property
    def timeout(self) -> float:
        """Seconds from the start to the verdict, given the confirmations so far."""
        return self._timeout(self.confirmations)

    @property
    def deadline(self) -> float:
        """When the verdict falls; may be past already after a confirmation."""
        return self._started + self.timeout

    @property
    def cautious_deadline(self) -> float:
        """When it would fall if the last of the confirmations wanted were not there."""
        return self._started + self._timeout(min(self.confirmations, self._wanted - 1))

    def _timeout(self, confirmations: int) -> float:
        if self._wanted == 0:
            return self._minimum
        if confirmations == 0:
            return self._maximum
        share = math.log(confirmations + 1) / math.log(self._wanted + 1)
        seconds = self._maximum - share * (self._maximum - self._minimum)
        return max(self._minimum, math.floor(seconds * 1000) / 1000)


def begin_suspicion(config: GossipConfig, known: int, accuser: str, started: float) -> Suspicion:
    """A suspicion as ``config`` wants it in a cluster of ``known`` members."""
    minimum = minimum_timeout(config.suspicion_multiplier, known, config.probe_interval)
    maximum = minimum * config.suspicion_max_timeout_multiplier
    wanted = confirmations_wanted(config.suspicion_multiplier, known)
    return Suspicion(accuser, started, minimum, maximum, wanted)
