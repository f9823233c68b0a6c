"""``alerts/worst``: what of very many alerts a person sees first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from tocsin.models.base import Model, Query, Time, said


class WorstQuery(Query):
    """What is worse."""

    label: Annotated[str, said("the label that says how bad an alert is")] = "severity"
    order: Annotated[
        str,
        msgspec.Meta(
            max_length=1000,
            description="its values, the worst first, with commas; any other stands where an empty one does",
        ),
    ] = "critical,warning,,info"
    most: Annotated[int, msgspec.Meta(ge=1, le=200, description="alerts, of all groups together")] = 60


class WorstAlert(Model):
    """An alert that is active: neither silenced nor inhibited."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: Time
    updated_at: Time
    generator_url: str
    receivers: Annotated[tuple[str, ...], said("of all routes that take it")]


class WorstGroup(Model):
    """A group of alerts as they are notified, which no time interval mutes."""

    receiver: str
    labels: Annotated[Mapping[str, str], said("by which it is grouped")]
    shared: Annotated[Mapping[str, str], said("labels that all of its active alerts have alike")]
    active: Annotated[int, said("active alerts of it")]
    alerts: Annotated[tuple[WorstAlert, ...], said("the worst of them, the latest first")]


class StateCounts(Model):
    """Alerts by their state, each once."""

    active: int
    silenced: int
    inhibited: int
    muted: Annotated[int, said("by time intervals, in all of its groups")]


class Worst(Model):
    """The beginning of the list, and how long it is."""

    groups: tuple[WorstGroup, ...]
    active_groups: Annotated[int, said("groups with active alerts")]
    counts: StateCounts
