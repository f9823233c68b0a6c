"""What is kept of a flush. Plain values; all instants and spans are nanoseconds.

They are put together by :mod:`tocsin.alerting.record.making` or the codec and changed by nobody after that.
(Python takes twice as long to make dataclasses that are frozen.)
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

Pairs = tuple[tuple[str, str], ...]
"""Labels, in byte order of the names."""

AttemptOutcome = Literal["sent", "failed", "overdue"]
"""Overdue: its end was not reported before its deadline."""
DeliveryOutcome = Literal["under way", "sent", "not needed", "given up", "too late", "would have sent"]
"""Under way: not ended when this was written; if the node has begun anew since, it never ended. Would have
sent: the node was in shadow."""


class AlertRecord(NamedTuple):
    """An alert of the flush (a tuple, as thousands are made at once).

    ``labels`` are empty for those past the bound of alerts that are recorded whole.
    """

    fingerprint: int
    labels: Pairs = ()
    starts_at: Nanoseconds = 0
    ends_at: Nanoseconds = 0
    """0: it fires."""


@dataclass(slots=True, kw_only=True)
class MuteRecord:
    """Alerts that were left out, and by what."""

    reason: str
    """``inhibition``, ``silence``, ``mute_time_interval`` or ``active_time_interval``."""
    at: Nanoseconds
    alerts: tuple[int, ...]
    """Fingerprints."""
    by: tuple[str, ...]
    """Ids of silences, the fingerprint of the inhibiting alert, or names of time intervals."""
    rule: int | None = None
    """The index of the inhibition rule, from 0."""
    rule_name: str = ""
    source: Pairs = ()
    """The labels of the inhibiting alert."""


@dataclass(slots=True, kw_only=True)
class LogRecord:
    """What the notification log had of the group at the integration."""

    notified_at: Nanoseconds
    firing: int
    resolved: int
    """How many alerts it had as firing and as resolved."""
    by: str = ""
    """The member that notified, if an intent named it."""


@dataclass(slots=True, kw_only=True)
class YieldRecord:
    """It let the intent of another node go first."""

    at: Nanoseconds
    peer: str
    intent: str
    until: Nanoseconds


@dataclass(slots=True, kw_only=True)
class AttemptRecord:
    """One attempt. ``error`` is for people and has no secrets."""

    number: int
    began: Nanoseconds
    ended: Nanoseconds
    outcome: AttemptOutcome
    reason: str = ""
    error: str = ""
    again_at: Nanoseconds | None = None


@dataclass(slots=True, kw_only=True)
class DeliveryRecord:
    """What became of the flush at one integration."""

    receiver: str
    integration: str
    index: int
    outcome: DeliveryOutcome = "under way"
    reason: str = ""
    """Why it is needed, not needed or given up."""
    error: str = ""
    at: Nanoseconds = 0
    """When the last decision was made."""
    position: int = 0
    """How many members came before this node when it waited."""
    wait_until: Nanoseconds = 0
    log: LogRecord | None = None
    """What the log said last."""
    firing: int = 0
    resolved: int = 0
    """How many alerts the notification is about."""
    remind_at: Nanoseconds | None = None
    """When it would be notified again if nothing changes; then comes the group's next flush."""
    queued_at: Nanoseconds | None = None
    """When it had to queue, since the integration had as many attempts under way as it may."""
    yields: tuple[YieldRecord, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()
    attempts_left_out: int = 0
    """Attempts, from the second on, that are past the bound of those kept."""
    muted: tuple[MuteRecord, ...] = ()
    """For this integration alone: its notification was put together anew after a peer had notified."""

    @property
    def name(self) -> str:
        """``team/webhook[0]``."""
        return f"{self.receiver}/{self.integration}[{self.index}]"


@dataclass(slots=True, kw_only=True)
class FlushRecord:
    """One flush of one group, at one node: its group key, its route and when it began identify it."""

    group_key: str
    route_id: str
    group_labels: Pairs = ()
    receiver: str = ""
    began: Nanoseconds
    next_flush: Nanoseconds
    """When the group's timer is due again, as long as it holds alerts."""
    repeat_interval: Nanoseconds = 0
    node: str = ""
    """The name in the cluster of the node that decided."""
    alerts: tuple[AlertRecord, ...] = ()
    alerts_left_out: int = 0
    """Past the bound of those that are kept."""
    unsettled_until: Nanoseconds | None = None
    """It waited for the cluster to settle, at most until then."""
    muted: tuple[MuteRecord, ...] = ()
    deliveries: tuple[DeliveryRecord, ...] = ()
    ended: Nanoseconds | None = None
    success: bool = False
    error: str = ""

    @property
    def size(self) -> int:
        """How many alerts it holds."""
        return len(self.alerts)

    @property
    def is_whole(self) -> bool:
        """It is written as it is."""
        return True

    @property
    def group(self) -> tuple[str, str]:
        """The receiver and the group key."""
        return self.receiver, self.group_key

    def record(self) -> FlushRecord:
        """Itself: see :class:`tocsin.alerting.record.recorder.Raw`, which is yet to be made into one."""
        return self
