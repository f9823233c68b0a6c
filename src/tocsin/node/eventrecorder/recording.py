"""The interface of the event recorder for the node, and an implementation that does nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.decisions import Decision
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.silence import Silence, Silences
from tocsin.node.clock import Clock
from tocsin.node.config.flags import NodeFlags
from tocsin.node.config.observing import EventRecorderConfig
from tocsin.node.log import Logger
from tocsin.notify.integrations.statistics import ClientStatistics

if TYPE_CHECKING:
    from tocsin.node.metrics import Metrics

Decided: TypeAlias = Callable[[Sequence[Decision | FlushFinished]], None]


class Follows(Protocol):
    """Follows decisions."""

    def follow(self, config: AlertmanagerConfig) -> Decided:
        """Takes in what is decided under ``config``."""


class Recording(Follows, Protocol):
    """All methods are quick and never fail, except :meth:`start` and :meth:`close`, which may wait."""

    def created(self, alert: Alert) -> None:
        """An alert that was not known was taken in, and will be put into its groups."""

    def inserted(self, alerts: Sequence[Alert], dispatcher: Dispatcher) -> None:
        """Alerts were put into their groups."""

    def silence(self, verb: str, silence: Silence) -> None:
        """A silence was changed at this node: ``create``, ``update`` or ``expire``."""

    def start(self, position: Callable[[], int], metrics: Metrics) -> None:
        """Write from now on. ``position``: among the cluster's members."""

    def configure(self, config: EventRecorderConfig | None) -> None:
        """Use the outputs of another configuration, if all of them can be opened."""

    async def close(self) -> None:
        """The node has stopped: write the queued events. Bounded in time."""


class NotRecording:
    """There is no event recorder."""

    def created(self, alert: Alert) -> None:
        """Do nothing."""

    def inserted(self, alerts: Sequence[Alert], dispatcher: Dispatcher) -> None:
        """Do nothing."""

    def silence(self, verb: str, silence: Silence) -> None:
        """Do nothing."""

    def follow(self, config: AlertmanagerConfig) -> Decided:  # noqa: ARG002
        """Do nothing."""
        return lambda _decided: None

    def start(self, position: Callable[[], int], metrics: Metrics) -> None:
        """Do nothing."""

    def configure(self, config: EventRecorderConfig | None) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def make_recording(
    flags: NodeFlags,
    config: EventRecorderConfig | None,
    silences: Silences,
    clock: Clock,
    clients: ClientStatistics,
) -> Recording:
    """The recorder, if the flags ask for it."""
    log = Logger("tocsin.eventrecorder", component="eventrecorder")
    if "event-recorder" not in flags.enable_feature:
        if config is not None:
            log.warn("event_recorder is configured, and does nothing without --enable-feature=event-recorder")
        return NotRecording()
    from tocsin.node.eventrecorder.recorder import EventRecorder

    return EventRecorder(config, silence=silences.get, clock=clock, clients=clients, log=log)
