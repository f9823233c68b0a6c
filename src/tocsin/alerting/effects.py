"""What the notification pipeline wants done. Plain values."""

from __future__ import annotations

from typing import TypeAlias

from tocsin.alerting.decisions import Decision
from tocsin.alerting.group import Flush
from tocsin.alerting.integration import Integration
from tocsin.alerting.nflog import Entry
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Send ``notification`` and report ``attempt_succeeded`` or ``attempt_failed`` with ``id``, once and by
    ``deadline``. An id is valid only for the pipeline that gave it."""

    id: int
    integration: Integration
    notification: Notification
    deadline: Nanoseconds
    flush: Flush
    at: Nanoseconds
    """When it was decided on."""
    number: int
    """Which attempt of the flush at the integration it is, from 1."""


@dataclass(frozen=True, slots=True)
class Record:
    """Put the entry into the notification log: journal it, store it and gossip it under ``nfl``; then call
    :meth:`~tocsin.alerting.nflog.RecordedEntries.stored`. The pipeline itself goes by it at once."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class FlushFinished:
    """A flush is over: report it to the dispatcher. ``error`` is empty on success, as when nothing is to be
    sent."""

    flush: Flush
    success: bool
    error: str


PipelineEffect: TypeAlias = Attempt | Record | FlushFinished | Decision
