"""A pipeline whose decisions are recorded: the real one, with a log that takes at once what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import count
from random import Random

from simulation.alerting import NoSilences
from tests.support.routing import T0, one_receiver, one_route
from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import Decision
from tocsin.alerting.effects import Attempt, FlushFinished, Record
from tocsin.alerting.group import Flush
from tocsin.alerting.intent import Intents
from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import Inhibitions, Muter
from tocsin.alerting.nflog import Entry, NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.record.model import FlushRecord
from tocsin.alerting.record.recorder import Recorder
from tocsin.alerting.route import Route
from tocsin.alerting.timeinterval import TimeInterval
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node.config.alertmanager import AlertmanagerConfig

PEER_TIMEOUT = 15 * SECOND


class RecordedPipeline:
    """Flushes of one group of one receiver, ``hook``, with so many webhooks."""

    def __init__(
        self,
        *,
        silences: Muter | None = None,
        inhibitor: Inhibitions | None = None,
        intents: Intents | None = None,
        position: int = 0,
        settled: bool = True,
        max_attempts: int = 64,
        send_resolved: bool = True,
        hooks: int = 1,
        route: Route | None = None,
        time_intervals: Mapping[str, tuple[TimeInterval, ...]] | None = None,
        node: str = "here",
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
            current=lambda _flush, _now: None,
        )
        self.pipeline.position = position
        if settled:
            self.pipeline.settled(T0)
        self.recorder = Recorder(node, number=partial(next, count(1)))
        self.attempts: list[Attempt] = []
        self.told: list[FlushRecord] = []
        """Each record as it was to be kept, in order: the last one of a flush is the whole."""

    @property
    def last(self) -> FlushRecord:
        return self.told[-1]

    def under_way(self) -> list[FlushRecord]:
        return [raw.record() for raw in self.recorder.open()]

    def start(self, *alerts: Alert, now: Nanoseconds = T0, key: str = "{}:{}") -> None:
        options = self.route.options
        flush = Flush(
            group_key=key,
            route_id=self.route.id,
            group_labels=Labels(),
            options=options,
            alerts=alerts,
            now=now,
            deadline=now + options.group_interval,
        )
        self.pipeline.start(flush, now)
        self._drain(now)

    def at(self, now: Nanoseconds) -> None:
        self.pipeline.handle_timeout(now)
        self._drain(now)

    def succeed(self, now: Nanoseconds, attempt: int = -1) -> None:
        self.pipeline.attempt_succeeded(self.attempts[attempt].id, now, {})
        self._drain(now)

    def fail(self, now: Nanoseconds, error: str, *, retry: bool = True, reason: str = "serverError") -> None:
        self.pipeline.attempt_failed(self.attempts[-1].id, now, retry, reason, error)
        self._drain(now)

    def merge(self, entry: Entry, now: Nanoseconds) -> None:
        """A peer has notified."""
        self.log.put(entry, now)
        self.at(now)

    def _drain(self, now: Nanoseconds) -> None:
        decided: list[Decision | FlushFinished] = []
        for effect in self.pipeline.drain():
            match effect:
                case Attempt():
                    self.attempts.append(effect)
                case Record(entry=entry):
                    self.log.put(entry, now)
                    self.pipeline.remembered.recorded.stored(entry)
                case _:
                    decided.append(effect)
        self.told += [raw.record() for raw in self.recorder.take(decided, now)]
