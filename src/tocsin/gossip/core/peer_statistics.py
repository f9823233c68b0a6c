"""What is counted of each member by name: alive messages, and how long its answers to pings took."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import field
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.gossip.core.roundtrip import SmoothedRoundTrip

ROUND_TRIPS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5)
"""Upper bounds of :attr:`RoundTrips.counts` but the last, in seconds; memberlist's users have these."""


@dataclass(slots=True)
class RoundTrips:
    """A histogram of the answers of one member."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(ROUND_TRIPS) + 1))
    """For each bound how many took at most so long and longer than the bound before; the last: longer."""
    seconds: float = 0.0
    """Of all together."""
    last: float = 0.0
    """Seconds that the last one took."""

    def add(self, seconds: float) -> None:
        """An answer came after ``seconds``."""
        self.seconds += seconds
        self.last = seconds
        for number, bound in enumerate(ROUND_TRIPS):
            if seconds <= bound:
                self.counts[number] += 1
                return
        self.counts[-1] += 1


@dataclass(slots=True)
class PeerStatistics:
    """By name, of members that the table knows: it is bounded as the table is."""

    alive_messages: dict[str, int] = field(default_factory=dict)
    """Said of the member by itself or others, in packets and in push/pull tables; new or not."""
    round_trips: dict[str, RoundTrips] = field(default_factory=dict)
    """Of direct pings that were answered in time."""
    smoothed: dict[str, SmoothedRoundTrip] = field(default_factory=dict)
    """Of direct pings that were answered, late ones too."""

    def alive(self, name: str) -> None:
        """Somebody said that the member is alive."""
        self.alive_messages[name] = self.alive_messages.get(name, 0) + 1

    def answered(self, name: str, seconds: float) -> None:
        """The member answered a ping after ``seconds``."""
        self.round_trips.setdefault(name, RoundTrips()).add(max(0.0, seconds))
        self.answered_late(name, seconds)

    def answered_late(self, name: str, seconds: float) -> None:
        """The member answered when its time was over already: the next ping may be given more."""
        self.smoothed.setdefault(name, SmoothedRoundTrip()).add(max(0.0, seconds))

    def bound(self, name: str) -> float:
        """Seconds by which the member answers unless something is lost; 0: it never has."""
        known = self.smoothed.get(name)
        return known.bound if known is not None else 0.0

    def round_trip(self, name: str) -> float | None:
        """Seconds that the member's answers take in the mean; None: it never has."""
        known = self.smoothed.get(name)
        return known.mean if known is not None else None

    def forget(self, names: Set[str]) -> None:
        """The table knows them no more."""
        for name in names:
            self.alive_messages.pop(name, None)
            self.round_trips.pop(name, None)
            self.smoothed.pop(name, None)
