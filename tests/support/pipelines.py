"""A pipeline with one receiver, ``hook``, and a log that takes at once what it records."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final

from simulation.alerting import NoSilences
from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.alert import Alert
from tocsin.alerting.content import CurrentAlerts
from tocsin.alerting.effects import PipelineEffect, Record
from tocsin.alerting.group import Flush
from tocsin.alerting.intent import Intents
from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import Inhibitions, Muter
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.route import Route
from tocsin.alerting.timeinterval import TimeInterval
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node.config.alertmanager import AlertmanagerConfig

PEER_TIMEOUT: Final = 15 * SECOND


class PipelineBench:
    """Settled, unless said otherwise; ``hooks`` webhooks, and the time interval ``always``."""

    def __init__(
        self,
        *,
        route: Route | None = None,
        hooks: int = 1,
        send_resolved: bool = True,
        time_intervals: Mapping[str, tuple[TimeInterval, ...]] | None = None,
        silences: Muter | None = None,
        inhibitor: Inhibitions | None = None,
        intents: Intents | None = None,
        position: int = 0,
        settled: bool = True,
        max_attempts: int = 64,
        current: CurrentAlerts = lambda _flush, _now: None,
    ) -> None:
        self.route = route or one_route()
        config = one_receiver(self.route, hooks=hooks, send_resolved=send_resolved)
        self.config = AlertmanagerConfig(
            route=config.route,
            receivers=config.receivers,
            time_intervals={"always": (TimeInterval(),), **(time_intervals or {})},
        )
        self.log = NotificationLog(120 * 3600 * SECOND)
        self.pipeline = Pipeline(
            config=self.config,
            silences=silences or NoSilences(),
            inhibitor=inhibitor or NoSilences(),
            notification_log=self.log,
            peer_timeout_ns=PEER_TIMEOUT,
            random=Random(1),
            intents=intents,
            max_attempts=max_attempts,
            current=current,
        )
        self.pipeline.position = position
        if settled:
            self.pipeline.settled(T0)

    def flush(self, *alerts: Alert, now: Nanoseconds = T0, key: str = "{}:{}") -> Flush:
        """One of a group; by default of one alert, ``A``."""
        options = self.route.options
        return Flush(
            group_key=key,
            route_id=self.route.id,
            group_labels=Labels(),
            options=options,
            alerts=alerts or (alert(alertname="A"),),
            now=now,
            deadline=now + options.group_interval,
        )

    def effects(self, now: Nanoseconds) -> list[PipelineEffect]:
        """What the pipeline hands out; what it records is in the log."""
        found = list(self.pipeline.drain())
        for effect in found:
            if isinstance(effect, Record):
                self.log.put(effect.entry, now)
                self.pipeline.remembered.recorded.stored(effect.entry)
        return found
