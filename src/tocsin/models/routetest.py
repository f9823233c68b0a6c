"""``routes/test``: which routes an alert would take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from tocsin.models.base import Model, Query, Time, said


class RouteTestQuery(Query):
    """Which alert, and at which time."""

    label: Annotated[tuple[str, ...], said("`name=value`: the alert's labels")] = ()
    at: Annotated[str, said("RFC 3339; empty: now")] = ""


class RouteLooked(Model):
    """A route on the way. Routes below one that does not match are not evaluated."""

    id: Annotated[str, said("as in `routes`")]
    receiver: str
    taken: Annotated[bool, said("whether the alert ends here")]
    why: Annotated[str, said("why not")]


class Destination(Model):
    """A route that the alert ends in."""

    id: Annotated[str, said("of the route")]
    receiver: str
    group_labels: Mapping[str, str]
    group_key: Annotated[str, said("as in notifications and in the decision record")]
    intervals: Annotated[tuple[str, ...], said("time intervals that mute the route then")]
    muted: Annotated[
        str, said("why it would not be notified: inhibited, time interval, silenced; empty: it would")
    ]


class RouteTested(Model):
    """What would become of an alert, if it fired then beside those that fire now."""

    labels: Mapping[str, str]
    at: Time
    way: Annotated[tuple[RouteLooked, ...], said("parents first")]
    destinations: tuple[Destination, ...]
    silenced_by: Annotated[tuple[str, ...], said("ids of silences that are active then")]
    inhibited_by: Annotated[tuple[str, ...], said("fingerprints of alerts")]
