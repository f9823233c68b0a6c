"""What is counted of the pipeline, by its decisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from tocsin.alerting.decisions import Decision, Failed, GivenUp, Muted, Needed, Overdue, Queued, Sent
from tocsin.alerting.health import Health
from tocsin.alerting.integration import Integration
from tocsin.dataclass import dataclass


@dataclass(slots=True)
class ReceiverStatistics:
    """Counted by kind of integration and name of receiver."""

    notifications: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Deliveries that the log did not make needless."""
    notifications_failed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Those given up, by reason too (``clientError``, ``contextDeadlineExceeded``, ``other``, ...)."""
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Attempts that ended."""
    requests_failed: Counter[tuple[str, str]] = field(default_factory=Counter)


def _by_kind(counts: Counter[tuple[str, str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (kind, _), count in counts.items():
        found[kind] += count
    return found


def _labels(integration: Integration) -> tuple[str, str]:
    return integration.integration, integration.receiver


@dataclass(slots=True)
class PipelineStatistics:
    """Counted since the node was made, by Alertmanager's metric labels."""

    by_receiver: ReceiverStatistics = field(default_factory=ReceiverStatistics)
    suppressed: Counter[str] = field(default_factory=Counter)
    """Alerts by reason (``silence``, ``inhibition``, ``active_time_interval``, ``mute_time_interval``)."""
    attempts_queued: int = 0
    """Attempts that had to wait because their integration had ``MAX_ATTEMPTS`` under way."""
    health: Health = field(default_factory=Health)
    """Of each integration, for people."""
    attempts_overdue: int = 0
    """Attempts given up because nobody reported their end."""

    def count(self, decision: Decision) -> None:
        """Count what was decided."""
        counts = self.by_receiver
        self.health.count(decision)
        match decision:
            case Muted(integration=None):
                self.suppressed[decision.reason] += len(decision.alerts)
            case Needed(again=False):
                counts.notifications[_labels(decision.integration)] += 1
            case Queued():
                self.attempts_queued += 1
            case Sent():
                counts.requests[_labels(decision.integration)] += 1
            case Failed():
                counts.requests[_labels(decision.integration)] += 1
                counts.requests_failed[_labels(decision.integration)] += 1
            case Overdue():
                counts.requests[_labels(decision.integration)] += 1
                self.attempts_overdue += 1
            case GivenUp():
                counts.notifications_failed[(*_labels(decision.integration), decision.reason)] += 1
            case _:
                pass

    @property
    def notifications(self) -> Counter[str]:
        """By kind alone."""
        return _by_kind(self.by_receiver.notifications)

    @property
    def notifications_failed(self) -> Counter[tuple[str, str]]:
        """By kind and reason."""
        found: Counter[tuple[str, str]] = Counter()
        for (kind, _, reason), count in self.by_receiver.notifications_failed.items():
            found[kind, reason] += count
        return found

    @property
    def requests(self) -> Counter[str]:
        """By kind alone."""
        return _by_kind(self.by_receiver.requests)

    @property
    def requests_failed(self) -> Counter[str]:
        """By kind alone."""
        return _by_kind(self.by_receiver.requests_failed)
