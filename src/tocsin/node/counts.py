"""Counters of the node itself, for its metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field

from tocsin.dataclass import dataclass
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.store.kinds import KINDS
from tocsin.notify.integrations.statistics import ClientStatistics


@dataclass(slots=True)
class MaintenanceCounts:
    """The counters of one kind of state."""

    runs: int = 0
    errors: int = 0
    snapshot_bytes: int = 0


@dataclass(slots=True)
class Counts:
    """Counters that belong to no other part of the node."""

    received: Counter[str] = field(default_factory=Counter)
    invalid: int = 0
    reload_successful: bool = False
    reload_time: float = 0.0
    config_hash: int = 0
    clients: ClientStatistics = field(default_factory=ClientStatistics)
    maintenance: Mapping[str, MaintenanceCounts] = field(
        default_factory=lambda: {kind.name: MaintenanceCounts() for kind in KINDS.values()}
    )

    processed_alerts: int = 0
    processing_seconds: float = 0.0

    def processed(self, alerts: int, seconds: float) -> None:
        """Alerts were put into their groups."""
        self.processed_alerts += alerts
        self.processing_seconds += seconds

    def loaded(self, config: AlertmanagerConfig, now: float) -> None:
        """A configuration was put in force."""
        self.reload_successful = True
        self.reload_time = now
        self.config_hash = config.hash
