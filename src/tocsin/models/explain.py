"""``explain``: what became of an alert, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from tocsin.models.base import Model, Query, Time, said

MAX_ALERTS: Final = 20

_Told = Literal["sent", "sent by a peer", "muted", "failed", "not needed", "under way", "would have sent"]
_State = Literal["firing", "resolved", "not known"]


class Explain(Query):
    """Which alerts are explained, and which groups, receivers and times of them."""

    fingerprint: Annotated[
        tuple[str, ...], msgspec.Meta(max_length=MAX_ALERTS, description="of alerts, 16 hexadecimal digits")
    ] = ()
    filter: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            max_length=64,
            description="matchers; an alert must fulfil all. Those that only name values explain an alert"
            " that no node knows, too",
        ),
    ] = ()
    group: Annotated[str, said("only this group, by its key")] = ""
    receiver: Annotated[str, said("only this receiver, by its name")] = ""
    since: Annotated[str, said("only notifications from this time on, RFC 3339")] = ""
    until: Annotated[str, said("only notifications up to this time, RFC 3339")] = ""
    peers: Annotated[bool, said("whether the other Tocsin nodes are asked too")] = True
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_ALERTS, description="alerts that are explained")] = 5


class RouteTold(Model):
    """A route that the alert came to."""

    id: str
    receiver: str
    taken: Annotated[bool, said("whether the alert ends in it")]
    why: Annotated[str, said("why it does not end in it, for people")]


class NotificationTold(Model):
    """A notification, or its absence."""

    at: Time
    node: Annotated[str, said("which notified, or decided against it; empty: not known")]
    integration: Annotated[str, said("`receiver/kind[index]`; empty: the whole receiver is meant")]
    what: _Told
    resolved: Annotated[bool, said("whether the alert had ended in it")]
    why: Annotated[str, said("for people")]
    again_at: Annotated[Time, said("when it is tried or notified again; empty: not known")]


class GroupTold(Model):
    """A group that the alert belongs to, or belonged to."""

    receiver: str
    route: Annotated[str, said("id of the route")]
    key: str
    labels: Mapping[str, str]
    muted_by: Annotated[tuple[str, ...], said("time intervals that mute the route now")]
    next_flush: Annotated[Time, said("when the group is flushed next; empty: no node holds it")]
    verdict: Annotated[str, said("what became of the alert here, in one sentence for people")]
    told: Annotated[tuple[NotificationTold, ...], said("newest first")]


class AtNode(Model):
    """The state of the alert at a node."""

    node: str
    state: _State
    since: Time
    inhibited_by: Annotated[str, said("the inhibiting alert and the rule, for people; empty: not inhibited")]
    silenced_by: Annotated[tuple[str, ...], said("ids of silences")]


class Story(Model):
    """What became of one alert."""

    fingerprint: str
    labels: Mapping[str, str]
    at: Annotated[Time, said("now, by the clock of the node that was asked")]
    nodes: Annotated[tuple[AtNode, ...], said("the node that was asked first")]
    routes: Annotated[tuple[RouteTold, ...], said("parents first; none below one that does not match")]
    groups: tuple[GroupTold, ...]
    text: Annotated[str, said("all of it for people, in lines")]


class NodeAnswer(Model):
    """How completely a member of the cluster has answered."""

    node: str
    answer: Annotated[
        Literal["answered", "partly", "no answer", "log only"],
        said("log only: an Alertmanager, of which only the notification log is known"),
    ]
    why: Annotated[str, said("why it is not all, for people")]


class Explanation(Model):
    """What became of some alerts."""

    stories: tuple[Story, ...]
    nodes: Annotated[tuple[NodeAnswer, ...], said("members that were asked, unless only this node was")]
    more: Annotated[int, said("alerts that were meant too and are past `limit`")]
