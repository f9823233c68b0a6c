"""The story of one alert. Plain values; instants are nanoseconds."""

from __future__ import annotations

from typing import Literal

from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

State = Literal["firing", "resolved", "not known"]
What = Literal["sent", "sent by a peer", "muted", "failed", "not needed", "under way", "would have sent"]
"""Of a notification. ``not needed``: nothing new to notify; ``failed``: given up, or the wait for peers ended
too late; ``would have sent``: the node was in shadow."""


Answer = Literal["answered", "partly", "no answer", "log only"]


@dataclass(frozen=True, slots=True)
class RouteStep:
    """A route that the alert came to. ``why`` is empty if it ends there."""

    id: str
    receiver: str
    why: str

    @property
    def taken(self) -> bool:
        """Whether the alert ends in it."""
        return not self.why


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStory:
    """A notification, or its absence. ``integration`` is empty where the whole flush is meant."""

    at: Nanoseconds
    node: str
    """Who notified, or who decided against it; empty: not known."""
    integration: str
    what: What
    why: str
    again_at: Nanoseconds | None = None
    """When it is tried or notified again."""
    resolved: bool = False
    """Whether the alert had ended in it."""
    waits: bool = False
    """It is under way, and only in that the node lets others go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStory:
    """A group that the alert belongs to. ``outcomes``: newest first."""

    receiver: str
    route_id: str
    labels: Labels
    key: str = ""
    muted_by: tuple[str, ...] = ()
    """Time intervals that mute its route now."""
    next_flush: Nanoseconds | None = None
    logged: str = ""
    """What the notification log adds, as text."""
    outcomes: tuple[DeliveryStory, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AtNode:
    """How the alert is at another node."""

    node: str
    state: State
    since: Nanoseconds | None = None
    inhibited_by: str = ""
    silenced_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SilenceNote:
    """A silence that is in force: who made it, why and until when; the comment as it is."""

    id: str
    creator: str
    comment: str
    until: Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The explanation of an alert, by one node, with the answers of others."""

    labels: Labels
    at: Nanoseconds
    node: str
    state: State
    since: Nanoseconds | None = None
    inhibited_by: str = ""
    """The inhibiting alert and the rule, in words; empty: none now."""
    silenced_by: tuple[str, ...] = ()
    """Ids of the silences in force now."""
    silences: tuple[SilenceNote, ...] = ()
    """The first of these, as far as this node has them."""
    elsewhere: tuple[AtNode, ...] = ()
    routes: tuple[RouteStep, ...] = ()
    groups: tuple[GroupStory, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """How much a member has answered. ``log only``: it is not a Tocsin node, and what is known of it is in
    the notification log alone."""

    node: str
    answer: Answer
    why: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """``more``: alerts that were meant too and are left out."""

    stories: tuple[Story, ...]
    nodes: tuple[NodeAnswer, ...]
    more: int
