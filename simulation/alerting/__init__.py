"""A deterministic world of alerting nodes, and stories in it. ``python -m simulation.alerting``."""

from simulation.alerting.world import (
    RETENTION,
    AlertingNode,
    AlertingWorld,
    Answer,
    NoSilences,
    Sent,
    Sink,
    take_at_once,
)

__all__ = [
    "RETENTION",
    "AlertingNode",
    "AlertingWorld",
    "Answer",
    "NoSilences",
    "Sent",
    "Sink",
    "take_at_once",
]
