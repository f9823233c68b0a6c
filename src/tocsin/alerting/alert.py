"""An alert, and how two reports of the same alert become one."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from tocsin.alerting.labels import Labels, go_quote, valid_text
from tocsin.alerting.matcher import ParserMode
from tocsin.alerting.timestamp import ZERO, Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import ValidationError

ALERT_NAME = "alertname"

AlertStatus = Literal["firing", "resolved"]


@dataclass(slots=True)
class Alert:
    """One alert as last reported.

    ``ends_at`` is ZERO (or 0) while no end is known. ``timeout`` says that ``ends_at`` was not given by the
    sender but set by us to the resolve timeout. ``updated_at`` is when we last heard of the alert.
    """

    labels: Labels
    annotations: Labels
    starts_at: Nanoseconds
    ends_at: Nanoseconds
    generator_url: str = ""
    updated_at: Nanoseconds = 0
    timeout: bool = False

    @property
    def fingerprint(self) -> int:
        """The fingerprint of the labels, which identifies the alert."""
        return self.labels.fingerprint

    @property
    def name(self) -> str:
        """The value of the label ``alertname``."""
        return self.labels.value(ALERT_NAME)

    def resolved_at(self, now: Nanoseconds) -> bool:
        """Whether the alert has ended by ``now``."""
        return self.ends_at not in (0, ZERO) and self.ends_at <= now

    def status_at(self, now: Nanoseconds) -> AlertStatus:
        """``"resolved"`` if the alert has ended by ``now``, else ``"firing"``."""
        return "resolved" if self.resolved_at(now) else "firing"

    def validate(self, mode: ParserMode = ParserMode.FALLBACK) -> None:
        """Raise ValidationError, with Alertmanager's message, unless the alert can be stored.

        ``mode`` says which names labels and annotations may have.
        """
        if self.starts_at in (0, ZERO):
            raise ValidationError("start time missing")
        if self.ends_at not in (0, ZERO) and self.ends_at < self.starts_at:
            raise ValidationError("start time must be before end time")
        if not self.labels:
            raise ValidationError("at least one label pair required")
        _validate_labels(self.labels, "invalid label set", mode)
        _validate_labels(self.annotations, "invalid annotations", mode)


def _validate_labels(labels: Labels, what: str, mode: ParserMode) -> None:
    for name, value in labels.items():
        if not mode.valid_name(name):
            raise ValidationError(f"{what}: invalid name {go_quote(name)}")
        if not valid_text(value):
            raise ValidationError(f"{what}: invalid value {go_quote(value)}")


def merge(first: Alert, second: Alert, now: Nanoseconds) -> Alert:
    """The one alert that two overlapping reports of the same label set make, as Alertmanager merges them.

    The younger report wins, but the earliest start is kept. If both have ended by ``now`` the later end
    counts; if the younger has not, a later end of the older counts only if it was the sender's own.
    """
    older, younger = (second, first) if second.updated_at < first.updated_at else (first, second)
    starts_at = min(older.starts_at, younger.starts_at)
    ends_at = younger.ends_at
    if older.ends_at > younger.ends_at:
        keep_end = older.resolved_at(now) if younger.resolved_at(now) else not older.timeout
        if keep_end:
            ends_at = older.ends_at
    return replace(younger, starts_at=starts_at, ends_at=ends_at)
