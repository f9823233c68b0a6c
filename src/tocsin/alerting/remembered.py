"""What a pipeline remembers, and the pipeline of the next configuration goes on with."""

from __future__ import annotations

from dataclasses import field

from tocsin.alerting.firstseen import FirstSeen
from tocsin.alerting.nflog import RecordedEntries
from tocsin.alerting.statistics import PipelineStatistics
from tocsin.alerting.unknownalerts import UnknownAlerts
from tocsin.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class RememberedCounts:
    """How much is remembered at present, and how often something made room for something else."""

    ends: int
    """Of alerts, at each integration that their group was for."""
    ends_forgotten: int
    timers: int
    """Of notifications, by which their reminders are counted."""
    timers_forgotten: int
    unknown: int
    """Groups, at each integration, whose entries keep what a peer's entry said."""
    unknown_forgotten: int


@dataclass(slots=True)
class Remembered:
    """Lives as long as the node."""

    statistics: PipelineStatistics = field(default_factory=PipelineStatistics)
    first_seen: FirstSeen = field(default_factory=FirstSeen)
    unknown: UnknownAlerts = field(default_factory=UnknownAlerts)
    recorded: RecordedEntries = field(default_factory=RecordedEntries)
    has_had_peers: bool = False
    """Whether there was ever another member: without one the log has nothing but what we wrote ourselves."""

    @property
    def counts(self) -> RememberedCounts:
        """For the metrics."""
        unknown, seen = self.unknown, self.first_seen
        return RememberedCounts(
            ends=unknown.ends,
            ends_forgotten=unknown.ends_forgotten,
            timers=len(seen),
            timers_forgotten=seen.forgotten,
            unknown=len(unknown),
            unknown_forgotten=unknown.keys_forgotten,
        )
