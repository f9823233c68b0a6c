"""``receivers/{name}/test``: one notification, sent for a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from tocsin.models.base import Body, Model, Seconds, said

Labels = Annotated[Mapping[str, str], msgspec.Meta(max_length=64)]


class ReceiverTest(Body):
    """The notification that is sent. By default it is of one alert that says that it is a test."""

    labels: Annotated[Labels, said("of the alert; none: `alertname` alone, which is TocsinTest")] = (
        msgspec.field(default_factory=dict)
    )
    annotations: Annotated[Labels, said("none: a `summary` that says that it is a test")] = msgspec.field(
        default_factory=dict
    )
    resolved: Annotated[bool, said("the alert has ended")] = False
    integration: Annotated[str, said("`webhook[0]`: by this one alone; empty: by all that it has")] = ""


class IntegrationTested(Model):
    """The outcome at one integration."""

    name: Annotated[str, said("`team/webhook[0]`")]
    taken: Annotated[bool, said("whether the server took it")]
    status: Annotated[int, said("of its last HTTP answer; 0: there was none")]
    reason: Annotated[str, said("why not, as in tocsin_notification_failures_total")]
    error: Annotated[str, said("for people, without secrets")]
    hint: Annotated[str, said("what to check first")]
    took: Seconds


class ReceiverTested(Model):
    """What became of the notification. Nothing of it is in the notification log, and no peer gets it."""

    receiver: str
    taken: Annotated[bool, said("by all integrations")]
    integrations: tuple[IntegrationTested, ...]
