"""``receivers``: the receivers, and how notifying them went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from tocsin.models.base import Model, Seconds, Time, said


class Integration(Model):
    """An integration of a receiver. What is counted is counted at this node since it was started."""

    name: Annotated[str, said("`team/webhook[0]`, as in logs and in the decision record")]
    kind: str
    index: Annotated[int, said("within its kind")]
    send_resolved: bool
    sent: Annotated[int, said("attempts that the server took")]
    failed: Annotated[int, said("attempts that failed")]
    given_up: Annotated[int, said("notifications that no attempt brought there")]
    failing: Annotated[int, said("attempts that have failed since the last one that was taken")]
    last_success: Time
    last_failure: Time
    reason: Annotated[str, said("of the last failure, as in tocsin_notification_failures_total")]
    error: Annotated[str, said("of the last failure, without secrets")]
    latency: Annotated[Seconds, said("seconds that the last 20 attempts took on average; 0 before the first")]
    slowest: Annotated[Seconds, said("seconds that the slowest of them took")]


class Receiver(Model):
    """A receiver of the configuration in force."""

    name: str
    labels: Mapping[str, str]
    used: Annotated[bool, said("whether a route names it")]
    routes: Annotated[int, said("routes that name it, or inherit it")]
    groups: Annotated[int, said("aggregation groups that go to it, now")]
    alerts: Annotated[int, said("firing alerts in them")]
    integrations: tuple[Integration, ...]
