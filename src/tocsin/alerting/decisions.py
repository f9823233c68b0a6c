"""What was decided about a flush, and why, from its beginning to its end.

Each decision leaves the pipeline as one of these, in order and among its other effects: what is counted is
counted by them, and a record of notifications can be kept by them alone. They change nothing. ``at`` is when
it was decided, by the node's clock, and ``flush`` what it was about: a group has one flush under way at a
time, so that its key, its route and when it began identify it.

That an attempt begins is not among them: that is :class:`tocsin.alerting.effects.Attempt`, which somebody has
to make. So is the end of the flush (``FlushFinished``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.group import Flush
from tocsin.alerting.inhibit import Inhibition
from tocsin.alerting.integration import Integration
from tocsin.alerting.intent import Kind
from tocsin.alerting.nflog import Entry
from tocsin.alerting.notification import Reason
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

MuteReason = Literal["inhibition", "active_time_interval", "mute_time_interval", "silence"]
"""What muted an alert, as Alertmanager's metric label has it."""

NotNeededReason = Literal[
    "already notified",
    "already notified as resolved",
    "resolved before it was notified",
    "may fire where this node has not heard of it",
    "resolved alerts are not sent",
    "nothing is left to notify",
]
"""Why an integration is not notified. In this order: the log has all of it and no reminder is due; the log
has the end; the group was never notified, so its end is not notified; the log has an alert as firing that
this node neither holds nor saw end; ``send_resolved`` is off; after a peer had notified the group, everything
was muted or gone."""


# Of the whole flush


@dataclass(frozen=True, slots=True)
class Unsettled:
    """It waits until the cluster has settled, or fails at ``until``."""

    flush: Flush
    at: Nanoseconds
    until: Nanoseconds


@dataclass(frozen=True, slots=True)
class MutedAlert:
    """An alert that is left out, and by what: ids of silences, the fingerprint of the inhibiting alert, or
    names of time intervals. ``inhibition`` has the rule, too."""

    alert: Alert
    by: tuple[str, ...]
    inhibition: Inhibition | None = None


@dataclass(frozen=True, slots=True)
class Muted:
    """Alerts are left out. With an ``integration``: of its notification alone, which was put together anew
    after a peer had notified the group."""

    flush: Flush
    at: Nanoseconds
    reason: MuteReason
    alerts: tuple[MutedAlert, ...]
    integration: Integration | None = None


# Of one integration


@dataclass(frozen=True, slots=True)
class Waiting:
    """It waits for the ``position`` members that come before this node."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    position: int
    until: Nanoseconds
    """Unless the position changes."""


@dataclass(frozen=True, slots=True)
class LogAnswer:
    """What the notification log said of the group at the integration. ``entry``: None if it had nothing.
    ``by``: the member that notified, as far as is known: by an intent, since the log does not have it."""

    entry: Entry | None
    by: str = ""


@dataclass(frozen=True, slots=True)
class NotNeeded:
    """No notification, by the log: the end of it for this integration."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    reason: NotNeededReason
    log: LogAnswer
    remind_at: Nanoseconds | None = None
    """When the group would be notified again if nothing changes; then comes its next flush."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A notification is to be sent. ``again``: this was decided before, with other alerts or another log."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    reason: Reason
    log: LogAnswer
    firing: tuple[int, ...]
    resolved: tuple[int, ...]
    """The alerts that it is about, as the log numbers them: :attr:`Labels.hash`."""
    again: bool


@dataclass(frozen=True, slots=True)
class Yielded:
    """It lets the intent of ``peer`` go first, and evaluates again at ``until`` or when something is heard of
    it. The own name: an attempt of the configuration before."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    peer: str
    intent: Kind
    until: Nanoseconds


@dataclass(frozen=True, slots=True)
class Claimed:
    """The intent is announced; until then it listens whether another node has a better claim."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    until: Nanoseconds


@dataclass(frozen=True, slots=True)
class Queued:
    """The integration has as many attempts under way as it may."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    under_way: int


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver took attempt ``number``, counted from 1, which ``began`` then."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    number: int
    began: Nanoseconds


@dataclass(frozen=True, slots=True)
class Failed:
    """Attempt ``number`` failed. ``reason`` is Alertmanager's metric label, ``error`` for people and without
    secrets."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    number: int
    began: Nanoseconds
    reason: str
    error: str
    again_at: Nanoseconds | None
    """When it is tried again; None: not at all, see :class:`GivenUp`."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """The end of attempt ``number`` was not reported, and its time is up."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    number: int
    began: Nanoseconds


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The integration is not notified of this flush; the group's next one tries again. After ``attempts``,
    which may be none. ``reason`` and ``error`` are those of the last one that failed, or of the deadline."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    attempts: int
    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class TooLate:
    """Its wait for the peers before it ended after its deadline: the flush has failed without an attempt."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    deadline: Nanoseconds


@dataclass(frozen=True, slots=True)
class Withheld:
    """In shadow: what a node that notifies would now send, and what it would put into the log as ``entry``:
    the end of it for this integration. ``reason`` is empty where nothing would be sent either, as resolved
    alerts are not wanted; the log would have the entry all the same."""

    flush: Flush
    integration: Integration
    at: Nanoseconds
    entry: Entry
    reason: Reason | Literal[""]


DeliveryDecision: TypeAlias = (
    Muted
    | Waiting
    | NotNeeded
    | Needed
    | Yielded
    | Claimed
    | Queued
    | Sent
    | Failed
    | Overdue
    | GivenUp
    | TooLate
    | Withheld
)
Decision: TypeAlias = Unsettled | DeliveryDecision
