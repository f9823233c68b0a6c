"""What a pipeline remembers, and the pipeline of the next configuration goes on with."""

from __future__ import annotations

from dataclasses import dataclass, field

from tocsin.alerting.effects import PipelineStatistics
from tocsin.alerting.met import Met
from tocsin.alerting.unheard import Unheard


@dataclass(slots=True)
class Remembered:
    """Lives as long as the node."""

    statistics: PipelineStatistics = field(default_factory=PipelineStatistics)
    met: Met = field(default_factory=Met)
    unheard: Unheard = field(default_factory=Unheard)
    has_had_peers: bool = False
    """Whether there was ever another member: without one the log has nothing but what we wrote ourselves."""
