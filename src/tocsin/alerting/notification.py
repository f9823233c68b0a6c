"""A notification: what an integration is to send."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog.entry import ReceiverData
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

Reason = Literal[
    "first notification",
    "new alerts added",
    "some alerts resolved",
    "all alerts resolved",
    "repeat interval elapsed",
]
"""Why a notification is sent, by the values of the webhook's ``notification_reason``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What one integration is to send. ``alerts`` are in order; those with an end are resolved."""

    receiver: str
    group_key: str
    group_labels: Labels
    alerts: tuple[Alert, ...]
    now: Nanoseconds
    reason: Reason
    receiver_data: ReceiverData = field(default_factory=dict, hash=False)
    """What the integration has to remember since the group's first notification: see the log's entry."""
    route_labels: tuple[tuple[str, str], ...] = ()
    """``labels`` of the route, whose values may be templates."""
