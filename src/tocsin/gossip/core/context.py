"""What all parts of one endpoint share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tocsin.bounded import Timers
from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.awareness import Awareness
from tocsin.gossip.core.effects import Event, ProtocolError
from tocsin.gossip.core.peer_statistics import PeerStatistics
from tocsin.gossip.core.statistics import Statistics

if TYPE_CHECKING:
    from random import Random

MAX_PENDING_REPORTS: Final = 1024
"""Events that nobody has taken yet, past which refusals are counted and not reported."""

TimerName: TypeAlias = tuple[str, str | int]
"""What the timer is for, and of which member, exchange or ping."""
Handlers: TypeAlias = Mapping[str, Callable[[Any, float], None]]
"""By the first part of a timer's name: what to call with the second part and the time when it is due."""


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, randomness, timers, counters, and the events that wait to be taken."""

    config: GossipConfig
    random: Random
    awareness: Awareness
    timers: Timers[TimerName, float] = field(default_factory=Timers)
    statistics: Statistics = field(default_factory=Statistics)
    of_peers: PeerStatistics = field(default_factory=PeerStatistics)
    events: list[Event] = field(default_factory=list)

    def report(self, event: Event) -> None:
        """Report something that a hostile peer could repeat a million times; the counters still count."""
        if len(self.events) < MAX_PENDING_REPORTS:
            self.events.append(event)

    def refuse(self, reason: str, detail: str, source: Address) -> None:
        """Count and report a refused message."""
        self.statistics.messages_refused += 1
        self.report(ProtocolError(reason, detail, source))
