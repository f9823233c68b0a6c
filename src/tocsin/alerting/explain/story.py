"""The story of one alert. Plain values; instants are nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import Nanoseconds

State = Literal["firing", "resolved", "not known"]
What = Literal["sent", "sent by a peer", "muted", "failed", "not needed", "under way"]
"""Of a notification. ``not needed``: nothing new to tell; ``failed``: given up, or its turn came too late."""


@dataclass(frozen=True, slots=True)
class RouteTold:
    """A route that the alert came to. ``why`` is empty if it ends there."""

    id: str
    receiver: str
    why: str

    @property
    def taken(self) -> bool:
        """Whether the alert ends in it."""
        return not self.why


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A notification, or its absence. ``integration`` is empty where the whole flush is meant."""

    at: Nanoseconds
    node: str
    """Who notified, or who decided against it; empty: not known."""
    integration: str
    what: What
    why: str
    again_at: Nanoseconds | None = None
    """When it is tried or told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTold:
    """A group that the alert belongs to. ``told``: newest first."""

    receiver: str
    route_id: str
    labels: Labels
    muted_by: tuple[str, ...] = ()
    """Time intervals that mute its route now."""
    next_flush: Nanoseconds | None = None
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is told of an alert at one node."""

    labels: Labels
    at: Nanoseconds
    node: str
    state: State
    since: Nanoseconds | None = None
    inhibited_by: str = ""
    """The inhibiting alert and the rule, in words; empty: none now."""
    silenced_by: tuple[str, ...] = ()
    """Ids of the silences in force now."""
    routes: tuple[RouteTold, ...] = ()
    groups: tuple[GroupTold, ...] = ()
