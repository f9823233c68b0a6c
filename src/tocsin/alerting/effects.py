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
class PipelineStatistics:
    """Counted since the pipeline was made, by Alertmanager's metric labels."""

    notifications: Counter[str] = field(default_factory=Counter)
    """Deliveries that the log did not make needless, by kind of integration."""
    notifications_failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind and reason (``clientError``, ``serverError``, ``contextDeadlineExceeded``, ``other``)."""
    requests: Counter[str] = field(default_factory=Counter)
    """Attempts that ended, by kind."""
    requests_failed: Counter[str] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)
    """Alerts by reason (``silence``, ``inhibition``, ``active_time_interval``, ``mute_time_interval``)."""
    attempts_queued: int = 0
    """Attempts that had to wait because their integration had ``MAX_ATTEMPTS`` under way."""
    attempts_overdue: int = 0
    """Attempts given up because nobody reported their end."""
