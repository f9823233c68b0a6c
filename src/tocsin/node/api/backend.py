"""What the HTTP interface needs of the node. The node implements it; no more of the node is known here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from tocsin.alerting.alert import Alert
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.group import GroupView
from tocsin.alerting.labels import Labels
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.lookups import LookUps

if TYPE_CHECKING:  # Loaded with the first request for it.
    from tocsin.node.api.tocsin_v1.backend import TocsinBackend


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """A member of the cluster, this node among them; ``address`` is ``host:port``."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class PeerGap:
    """A peer that should be a member and is not, or a source of peers that does not answer; and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """``disabled`` (then without name and peers), ``settling`` or ``ready``."""

    status: Literal["disabled", "settling", "ready"]
    name: str = ""
    peers: Sequence[PeerStatus] = ()
    clear_text: bool = False
    """Whether cluster traffic may leave this node unencrypted."""
    gaps: Sequence[PeerGap] = ()
    """What keeps the cluster from being whole."""


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """The fields of ``versionInfo``; ``go_version`` is Python's version."""

    version: str
    revision: str = ""
    branch: str = ""
    build_user: str = ""
    build_date: str = ""
    go_version: str = ""


class Backend(Protocol):
    """The node, as the HTTP interface sees it. Everything is called on the event loop's thread.

    What changes state is asynchronous: it returns once the change is as durable as the node makes it.
    """

    @property
    def config(self) -> AlertmanagerConfig:
        """The configuration in force; another object after a reload."""
        ...

    @property
    def silences(self) -> Silences:
        """Read-only: changes go through :meth:`set_silence` and :meth:`expire_silence`."""
        ...

    @property
    def alerts(self) -> Alerts:
        """Read-only: alerts are added by :meth:`put_alerts`."""
        ...

    @property
    def version(self) -> VersionInfo: ...

    @property
    def started_at(self) -> Nanoseconds:
        """When the node was started."""
        ...

    def now(self) -> Nanoseconds:
        """The node's wall clock."""
        ...

    def viewing_groups(self) -> Steps[Sequence[GroupView]]:
        """The aggregation groups, in Alertmanager's order."""
        ...

    def group_muted_by(self, group: GroupView) -> Sequence[str]:
        """The time intervals that mute a group; empty if none."""
        ...

    async def route_labels(self, group: GroupView) -> Mapping[str, str]:
        """The labels of a group's route, rendered."""
        ...

    def would_be_inhibited_by(self, labels: Labels, at: Nanoseconds) -> Sequence[str]:
        """Fingerprints of the alerts that inhibit ``labels`` at ``at``, which may be any time; without side
        effects."""
        ...

    def inhibited_by(self, labels: Labels, now: Nanoseconds) -> Sequence[str]:
        """Fingerprints of the alerts that inhibit alerts with ``labels``; empty if none."""
        ...

    @property
    def look_ups(self) -> LookUps:
        """Looks up which silences match an alert, in slices."""
        ...

    def cluster_status(self) -> ClusterStatus: ...

    @property
    def tocsin(self) -> TocsinBackend:
        """What only Tocsin's own API needs."""
        ...

    async def set_silence(self, silence: Silence) -> str:
        """Create or change a silence; its id. Raises ValidationError or NotFoundError, nothing changed."""
        ...

    async def import_silence(self, silence: Silence, signed_by: str) -> bool:
        """Take in a silence under its own id; False if an equal one is here. ``signed_by``, if not empty,
        counts as its creator. Raises ValidationError or ConflictError, nothing changed."""
        ...

    async def expire_silence(self, identifier: str) -> None:
        """End a silence. Raises NotFoundError."""
        ...

    async def put_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take in valid alerts. Called with at most a few hundred at a time."""
        ...

    def alerts_received(self, *, firing: int, resolved: int, invalid: int) -> None:
        """Counts what a request brought, for the metrics; an invalid alert is counted by its state too."""
        ...

    async def reload(self) -> None:
        """Load the configuration anew. Raises TocsinError; the old one then stays in force."""
        ...

    @property
    def healthy(self) -> bool:
        """Whether the process can do its work at all."""
        ...

    @property
    def ready(self) -> bool:
        """Whether the node is to be sent requests."""
        ...

    def metrics(self, accept: str) -> Steps[tuple[bytes, str]]:
        """The metrics and their content type, in the best exposition format that ``accept`` allows."""
        ...
