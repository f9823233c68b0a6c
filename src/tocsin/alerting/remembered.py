"""What a pipeline remembers, and the pipeline of the next configuration goes on with."""

from __future__ import annotations

from dataclasses import dataclass, field

from tocsin.alerting.met import Met
from tocsin.alerting.nflog import RecordedEntries
from tocsin.alerting.statistics import PipelineStatistics
from tocsin.alerting.unheard import Unheard


@dataclass(frozen=True, slots=True)
class RememberedCounts:
    """How much is remembered at present, and how often something made room for something else."""

    ends: int
    """Of alerts, at each integration that their group was for."""
    ends_forgotten: int
    timers: int
    """Of notifications, by which their reminders are counted."""
    timers_forgotten: int
    unheard: int
    """Groups, at each integration, whose entries keep what a peer's entry said."""
    unheard_forgotten: int


@dataclass(slots=True)
class Remembered:
    """Lives as long as the node."""

    statistics: PipelineStatistics = field(default_factory=PipelineStatistics)
    met: Met = field(default_factory=Met)
    unheard: Unheard = field(default_factory=Unheard)
    recorded: RecordedEntries = field(default_factory=RecordedEntries)
    has_had_peers: bool = False
    """Whether there was ever another member: without one the log has nothing but what we wrote ourselves."""

    @property
    def counts(self) -> RememberedCounts:
        """For the metrics."""
        unheard, met = self.unheard, self.met
        return RememberedCounts(
            ends=unheard.ends,
            ends_forgotten=unheard.ends_forgotten,
            timers=len(met),
            timers_forgotten=met.forgotten,
            unheard=len(unheard),
            unheard_forgotten=unheard.places_forgotten,
        )
