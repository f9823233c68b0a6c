"""``shadow``: what a node in shadow would have sent, beside what the others have."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from tocsin.models.base import Model, Query, Seconds, Time, said

MAX_DIFFERENCES = 1000


class ShadowQuery(Query):
    """Which differences are listed; everything is counted."""

    limit: Annotated[
        int, msgspec.Meta(ge=0, le=MAX_DIFFERENCES, description="differences that are listed, the newest")
    ] = 100
    receiver: Annotated[str, said("only this one's; empty: all")] = ""


class ShadowCounts(Model):
    """Notifications by what the comparison came to."""

    agreed: Annotated[int, said("both notify the same, at about the same time")]
    late: Annotated[int, said("both do, further apart than the bound, or put together otherwise")]
    missing: Annotated[int, said("the others did not send what this node would have")]
    extra: Annotated[int, said("the others sent what this node would not have")]


class ShadowReceiver(Model):
    """The counts of one receiver."""

    receiver: str
    counts: ShadowCounts


class ShadowGroup(Model):
    """The counts of one group at one integration, from its first difference on."""

    integration: Annotated[str, said("`team/webhook[0]`")]
    group_key: str
    counts: ShadowCounts


class ShadowDifference(Model):
    """A notification of which the two sides differ."""

    result: Literal["late", "missing", "extra"]
    integration: Annotated[str, said("`team/webhook[0]`")]
    group_key: str
    at: Annotated[Time, said("when it was judged")]
    ours: Annotated[Time, said("when this node would have notified; empty: it would not have")]
    theirs: Annotated[Time, said("when the others did; empty: they did not")]
    firing: Annotated[int, said("alerts that the notification has")]
    resolved: int
    why: Annotated[str, said("for people")]
    alerts: Annotated[tuple[str, ...], said("which alerts make the difference, and how this node has them")]
    more: Annotated[int, said("alerts past those that are named")]


class ShadowReport(Model):
    """What a node in shadow has found so far."""

    node: Annotated[str, said("its name in the cluster")]
    since: Annotated[Time, said("from when on it compares; empty: it has not begun")]
    now: Time
    differs: Annotated[bool, said("whether there is anything late, missing or extra")]
    allowance: Annotated[
        Seconds,
        said(
            "on top of `group_interval` of the route: notifications that far apart agree; for the others'"
            " waits for each other, sending and clocks"
        ),
    ]
    counts: ShadowCounts
    receivers: tuple[ShadowReceiver, ...]
    groups: Annotated[tuple[ShadowGroup, ...], said("those that differ, the one that differed last first")]
    differences: Annotated[tuple[ShadowDifference, ...], said("newest first")]
    forgotten: Annotated[int, said("older differences, which are counted and not kept")]
    pending: Annotated[int, said("notifications that wait for those of the other side")]
    not_compared: Annotated[
        int, said("notifications that could not be compared: this node was alone, or past a bound")
    ]
