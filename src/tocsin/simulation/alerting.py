"""A deterministic world of alerting nodes: dispatcher, pipeline and notification log under virtual time.

The gossip between them is only a delay between the copies of the notification log, and links that can be cut;
the cluster itself has its own simulation. Equal seeds give equal runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from random import Random

from tocsin.alerting.alert import Alert
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.effects import Attempt, FlushFinished, PipelineEffect, Recorded
from tocsin.alerting.inhibit import Inhibitor
from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import Muter
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds

RETENTION = 120 * 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sink does with an attempt: after ``latency`` it takes it or, with ``failure``, does not."""

    latency: Nanoseconds = 5 * MILLISECOND
    failure: str = ""
    """Empty, or a metric label such as ``serverError``."""
    retry: bool = True


Sink = Callable[["Sent"], Answer]


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt that a node made."""

    at: Nanoseconds
    node: str
    attempt: Attempt


def take_at_once(_sent: Sent) -> Answer:
    """The sink that takes everything."""
    return Answer()


class NoSilences:
    """Mutes nothing."""

    def mutes(self, _labels: Labels, _now: Nanoseconds, /) -> tuple[str, ...]:
        """Nobody."""
        return ()


class AlertingNode:
    """One node: its own alerts, groups and copy of the log."""

    def __init__(
        self,
        name: str,
        config: AlertmanagerConfig,
        *,
        now: Nanoseconds,
        peer_timeout: Nanoseconds,
        random: Random,
        silences: Muter,
    ) -> None:
        self.name = name
        self.alive = True
        self.alerts = Alerts()
        self.log = NotificationLog(RETENTION)
        self.inhibitor = Inhibitor(config.inhibit_rules)
        self.dispatcher = Dispatcher(config.route, now=now)
        self.pipeline = Pipeline(
            config=config,
            silences=silences,
            inhibitor=self.inhibitor,
            notification_log=self.log,
            peer_timeout_ns=peer_timeout,
            random=random,
        )

    def post(self, alerts: Iterable[Alert], now: Nanoseconds) -> None:
        """Alerts arrive by the API."""
        reports = [replace(alert, updated_at=now) for alert in alerts]
        for alert in self.alerts.put(reports, now):
            self.inhibitor.put(alert)
            self.dispatcher.insert(alert, now)

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` has something to do."""
        times = [self.dispatcher.next_timeout(), self.pipeline.next_timeout()]
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Let time pass."""
        self.dispatcher.handle_timeout(now)
        for flush in self.dispatcher.drain():
            self.pipeline.start(flush, now)
        self.pipeline.handle_timeout(now)


class AlertingWorld:
    """Some nodes with one configuration, their clock, their sink and the links between them."""

    def __init__(
        self,
        config: AlertmanagerConfig,
        *,
        nodes: int = 1,
        now: Nanoseconds,
        seed: int = 0,
        peer_timeout: Nanoseconds = 15 * SECOND,
        gossip_delay: Nanoseconds = 50 * MILLISECOND,
        sink: Sink = take_at_once,
        silences: Muter | None = None,
    ) -> None:
        self.now = now
        self.random = Random(seed)
        self.sent: list[Sent] = []
        self.accepted: list[Sent] = []
        """Those that the sink took."""
        self.finished: list[FlushFinished] = []
        self._gossip_delay = gossip_delay
        self._sink = sink
        self._cut: set[frozenset[str]] = set()
        self._events: list[tuple[Nanoseconds, int, Callable[[], None]]] = []
        self._sequence = count()
        self.nodes = {
            name: AlertingNode(
                name,
                config,
                now=now,
                peer_timeout=peer_timeout,
                random=self.random,
                silences=silences or NoSilences(),
            )
            for name in (f"node-{number}" for number in range(nodes))
        }
        self.elect()
        for node in self.nodes.values():
            node.pipeline.settled(now)

    def post(self, *alerts: Alert, to: Iterable[str] | None = None) -> None:
        """Prometheus sends alerts to every living node, or to those named."""
        for name in self.nodes if to is None else to:
            node = self.nodes[name]
            if node.alive:
                node.post(alerts, self.now)
                self._drain(node)

    def crash(self, name: str, *, noticed_after: Nanoseconds = 0) -> None:
        """A node stops for good; after a while the others take its place."""
        self.nodes[name].alive = False
        self._at(self.now + noticed_after, self.elect)

    def cut(self, first: str, second: str) -> None:
        """No gossip passes between two nodes."""
        self._cut.add(frozenset((first, second)))

    def heal(self) -> None:
        """All links are up, and push/pull brings everyone what was missed."""
        self._cut.clear()
        for node in self.nodes.values():
            self._broadcast(node, node.log.encode_state())

    def elect(self) -> None:
        """Positions follow the names of the living."""
        living = sorted(name for name, node in self.nodes.items() if node.alive)
        for position, name in enumerate(living):
            self.nodes[name].pipeline.position = position

    def run(self, duration: Nanoseconds) -> None:
        """Let so much time pass."""
        end = self.now + duration
        while True:
            when, step = self._next()
            if step is None or when > end:
                break
            self.now = max(self.now, when)
            step()
        self.now = end

    def _next(self) -> tuple[Nanoseconds, Callable[[], None] | None]:
        when, step = (self._events[0][0], self._step) if self._events else (0, None)
        for node in self.nodes.values():
            due = node.next_timeout() if node.alive else None
            if due is not None and (step is None or due < when):
                when, step = due, self._timeout_of(node)
        return when, step

    def _step(self) -> None:
        heappop(self._events)[2]()

    def _timeout_of(self, node: AlertingNode) -> Callable[[], None]:
        def timeout() -> None:
            node.handle_timeout(self.now)
            self._drain(node)

        return timeout

    def _at(self, when: Nanoseconds, step: Callable[[], None]) -> None:
        heappush(self._events, (when, next(self._sequence), step))

    def _drain(self, node: AlertingNode) -> None:
        for effect in node.pipeline.drain():
            self._perform(node, effect)

    def _perform(self, node: AlertingNode, effect: PipelineEffect) -> None:
        if isinstance(effect, Attempt):
            self._attempt(node, Sent(self.now, node.name, effect))
        elif isinstance(effect, Recorded):
            self._broadcast(node, b"".join(effect.changes))
        elif isinstance(effect, FlushFinished):
            self.finished.append(effect)
            node.dispatcher.flushed(effect.flush, self.now, effect.success)

    def _attempt(self, node: AlertingNode, sent: Sent) -> None:
        self.sent.append(sent)
        answer = self._sink(sent)

        def answered() -> None:
            if not answer.failure:
                self.accepted.append(sent)
            if node.alive:
                if answer.failure:
                    node.pipeline.attempt_failed(sent.attempt.id, self.now, answer.retry, answer.failure)
                else:
                    node.pipeline.attempt_succeeded(sent.attempt.id, self.now)
                self._drain(node)

        self._at(self.now + answer.latency, answered)

    def _broadcast(self, source: AlertingNode, data: bytes) -> None:
        for target in self.nodes.values():
            if target is not source and frozenset((source.name, target.name)) not in self._cut:
                delay = int(self._gossip_delay * self.random.uniform(0.5, 1.5))
                self._at(self.now + delay, self._arrival(target, data))

    def _arrival(self, target: AlertingNode, data: bytes) -> Callable[[], None]:
        def arrive() -> None:
            if target.alive and data:
                target.log.merge(data, self.now)

        return arrive
