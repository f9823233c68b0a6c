"""``history``: what was notified and what was not, which alerts there were, which silences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from tocsin.models.base import Model, Paging, Time, said


class HistoryQuery(Paging):
    """Which part of the history. A page may have fewer items than asked for, even none, and still a `next`:
    the node reads a bounded number of records for each page."""

    filter: Annotated[tuple[str, ...], said('matchers, `team="db"`: all of them')] = ()
    receiver: Annotated[str, said("its name")] = ""
    since: Annotated[str, said("RFC 3339; empty: from the first on")] = ""
    until: Annotated[str, said("RFC 3339; empty: to the last")] = ""


class NotificationsQuery(HistoryQuery):
    """The same for notifications."""

    outcome: Annotated[
        Literal["", "sent", "not needed", "given up", "too late", "under way", "would have sent", "muted"],
        said("of an integration; `would have sent`: in shadow; `muted`: nothing was left to notify"),
    ] = ""


class MutedTold(Model):
    """Alerts that were left out."""

    why: Annotated[str, said("inhibition, silence, mute_time_interval or active_time_interval")]
    by: Annotated[
        tuple[str, ...],
        said("ids of silences, the inhibiting alert, or names of time intervals"),
    ]
    alerts: Annotated[int, said("how many")]


class AttemptTold(Model):
    """One attempt to notify."""

    number: Annotated[int, said("from 1 on")]
    began: Time
    ended: Time
    outcome: Annotated[str, said("sent, failed or overdue")]
    reason: str
    error: Annotated[str, said("without secrets")]


class DeliveryTold(Model):
    """What became of the flush at one integration."""

    integration: Annotated[str, said("`team/webhook[0]`")]
    outcome: Annotated[str, said("sent, not needed, given up, too late, under way or would have sent")]
    why: Annotated[str, said("why it was needed, not needed or given up")]
    error: str
    at: Annotated[Time, said("when the last of this was decided")]
    notified_by: Annotated[str, said("the member that had notified before, if that is known")]
    firing: Annotated[int, said("alerts that the notification is about")]
    resolved: int
    attempts: tuple[AttemptTold, ...]


class Notification(Model):
    """What became of one flush of a group."""

    record: Annotated[int, said("its number in the decision record of this node; 0: it has not ended")]
    node: Annotated[str, said("that decided; empty: it is alone")]
    at: Annotated[Time, said("when the flush began")]
    ended: Annotated[Time, said("empty: it has not")]
    receiver: str
    route: Annotated[str, said("id, as in `routes`")]
    group_key: str
    group_labels: Mapping[str, str]
    alerts: Annotated[int, said("of the group then")]
    muted: tuple[MutedTold, ...]
    deliveries: tuple[DeliveryTold, ...]
    next: Annotated[Time, said("when the group was due again")]
    error: str


class AlertSeen(Model):
    """An alert as it was in the latest flush that had it, of those that this page has read: older pages
    may have it again."""

    record: Annotated[int, said("number of the flush; 0: it has not ended")]
    node: str
    at: Annotated[Time, said("when the flush began")]
    fingerprint: str
    labels: Annotated[Mapping[str, str], said("empty for those past the first 256 of a flush")]
    starts_at: Time
    ends_at: Annotated[Time, said("empty: it fired")]
    receiver: str
    group_key: str
    muted: Annotated[tuple[MutedTold, ...], said("what left it out")]
    outcome: Annotated[tuple[str, ...], said("`team/webhook[0] sent` for each integration")]


class SilenceSeen(Model):
    """A silence, as it was changed last; those that were changed last come first."""

    id: str
    state: Literal["active", "pending", "expired"]
    matchers: Annotated[tuple[str, ...], said("of its first matcher set")]
    more_sets: Annotated[int, said("further matcher sets")]
    starts_at: Time
    ends_at: Time
    updated_at: Time
    created_by: str
    comment: str
    acknowledgement: Annotated[bool, said("whether it ends with its alerts")]
