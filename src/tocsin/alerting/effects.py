"""What the notification pipeline wants done, and what it counts. Plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from tocsin.alerting.delivery import Integration
from tocsin.alerting.group import Flush
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import Nanoseconds


@dataclass(frozen=True, slots=True)
class Attempt:
    """Send ``notification`` and report ``attempt_succeeded`` or ``attempt_failed`` with ``id``, once and by
    ``deadline``. An id means something to the pipeline that gave it only."""

    id: int
    integration: Integration
    notification: Notification
    deadline: Nanoseconds


@dataclass(frozen=True, slots=True)
class Recorded:
    """The notification log changed: to be journaled, and gossiped under ``nfl``."""

    changes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class FlushFinished:
    """A flush is over: tell the dispatcher. ``error`` is empty on success, as when nothing is to be sent."""

    flush: Flush
    success: bool
    error: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Alerts were muted; ``reason`` is Alertmanager's metric label."""

    reason: str
    count: int


PipelineEffect: TypeAlias = Attempt | Recorded | FlushFinished | Suppressed


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


@dataclass(slots=True)
class PipelineStatistics:
    """Counted since the pipeline was made, by Alertmanager's metric labels."""

    by_receiver: ReceiverStatistics = field(default_factory=ReceiverStatistics)
    suppressed: Counter[str] = field(default_factory=Counter)
    """Alerts by reason (``silence``, ``inhibition``, ``active_time_interval``, ``mute_time_interval``)."""
    attempts_queued: int = 0
    """Attempts that had to wait because their integration had ``MAX_ATTEMPTS`` under way."""
    attempts_overdue: int = 0
    """Attempts given up because nobody reported their end."""

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
