"""What a running node consists of, for code that reads it: nothing here starts or stops the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tocsin.alerting.alerts import Alerts
from tocsin.dataclass import dataclass
from tocsin.node.clock import Clock
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.config.flags import NodeFlags
from tocsin.node.counts import Counts
from tocsin.node.decisionrecord import DecisionRecord
from tocsin.node.engine import Engine
from tocsin.node.lookups import LookUps
from tocsin.node.state import State

if TYPE_CHECKING:  # Loaded only by a node with a cluster.
    from tocsin.node.cluster.cluster import Cluster


class InForce(Protocol):
    """The configuration in force and its engine; each reload replaces both.

    :class:`~tocsin.node.coordinator.Coordinator` implements it.
    """

    @property
    def config(self) -> AlertmanagerConfig: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def dispatching(self) -> bool:
        """Whether notifications may go out."""
        ...


@dataclass(frozen=True, slots=True)
class NodeParts:
    """Made once, by :class:`~tocsin.node.app.Node`."""

    flags: NodeFlags
    clock: Clock
    counts: Counts
    alerts: Alerts
    state: State
    look_ups: LookUps
    record: DecisionRecord
    cluster: Cluster | None
    in_force: InForce
