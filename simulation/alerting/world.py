"""A deterministic world of alerting nodes: dispatcher, pipeline and notification log under virtual time.

The gossip between them is only messages that are late or lost, and links that can be cut; the cluster itself
has its own simulation. Who is alive is what each node believes. Equal seeds give equal runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from random import Random

from simulation.alerting.cluster_oracle import Report, Told
from simulation.alerting.oracle import observed_of
from tocsin.alerting.alert import Alert
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.effects import Attempt, FlushFinished, Record
from tocsin.alerting.flow import AlertFlow, FlowEffect
from tocsin.alerting.grouping import Grouping
from tocsin.alerting.inhibit import Inhibition
from tocsin.alerting.intent import Intents
from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import Muter
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds

RETENTION = 120 * 3600 * SECOND
TRANSMISSIONS = 8
TICK = 200 * MILLISECOND
"""Gossip tells each change of the log so many times, a tick apart: who hears it tells it on."""
PUSH_PULL = 60 * SECOND


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
    taken: Nanoseconds = 0
    """When the sink had it."""


def take_at_once(_sent: Sent) -> Answer:
    """The sink that takes everything."""
    return Answer()


class NoSilences:
    """Mutes nothing."""

    def mutes(self, _labels: Labels, _now: Nanoseconds, /) -> tuple[str, ...]:
        """Nobody."""
        return ()

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        """The same."""
        return self.mutes(labels, now)
        yield

    def inhibition(self, _labels: Labels, _now: Nanoseconds, /) -> Inhibition | None:
        """Nothing."""
        return None


class AlertingNode:
    """One node: its own alerts, groups and copy of the log. Its times are those of its own clock, which is
    ``skew`` ahead of the world's."""

    def __init__(
        self,
        name: str,
        config: AlertmanagerConfig,
        *,
        now: Nanoseconds,
        peer_timeout: Nanoseconds,
        random: Random,
        silences: Muter,
        skew: Nanoseconds = 0,
        log: NotificationLog | None = None,
    ) -> None:
        self.name = name
        self.alive = True
        self.skew = skew
        self.believed_dead: set[str] = set()
        self.finished = 0
        """Flushes of this configuration that have ended."""
        self.alerts = Alerts()
        self.log = log if log is not None else NotificationLog(RETENTION)
        self.intents = Intents(name, now=now)
        self._config = config
        self._silences = silences
        self._peer_timeout = peer_timeout
        self._random = random
        self._begin(now, None)

    def _begin(self, now: Nanoseconds, remembered: Remembered | None) -> None:
        grouping = Grouping(self._config, now)
        self.inhibitor, self.dispatcher = grouping.inhibitor, grouping.dispatcher
        self.finished = 0
        self.pipeline = Pipeline(
            config=self._config,
            silences=self._silences,
            inhibitor=self.inhibitor,
            notification_log=self.log,
            peer_timeout_ns=self._peer_timeout,
            random=self._random,
            intents=self.intents,
            current=self.dispatcher.current,
            remembered=remembered,
        )
        self.flow = AlertFlow(grouping, self.pipeline, self.intents)

    def reload(self, now: Nanoseconds) -> None:
        """The same configuration is put in force again, while nothing is being sent."""
        position = self.pipeline.position
        self._begin(now, self.pipeline.remembered)
        self.pipeline.position = position
        self.pipeline.settled(now)
        for alert in self.alerts.all():
            self.inhibitor.put(alert)
            self.dispatcher.insert(alert, now)

    def post(self, alerts: Iterable[Alert], now: Nanoseconds) -> None:
        """Alerts arrive by the API."""
        reports = [replace(alert, updated_at=now) for alert in alerts]
        for alert in self.alerts.put(reports, now):
            self.inhibitor.put(alert)
            self.dispatcher.insert(alert, now)

    @property
    def idle(self) -> bool:
        """Whether no flush is under way."""
        return self.dispatcher.statistics.flushes == self.finished


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
        skews: Sequence[Nanoseconds] = (),
        loss: float = 0.0,
        journal_delay: Nanoseconds = 0,
        with_intents: bool = True,
    ) -> None:
        """``skews``: of the nodes' clocks, in their order. ``loss``: how probably one message is lost.
        ``journal_delay``: from a change of the log until it is told. ``with_intents`` false: nodes tell each
        other nothing but their logs."""
        self.now = now
        self.random = Random(seed)
        self._config = config
        self._peer_timeout = peer_timeout
        self._silences = silences or NoSilences()
        self._loss = loss
        self._journal_delay = journal_delay
        self._with_intents = with_intents
        self.sent: list[Sent] = []
        self.accepted: list[Sent] = []
        """Those that the sink took."""
        self.reports: list[Report] = []
        """Of what each node heard, and when by our clock."""
        self.finished: list[FlushFinished] = []
        self._gossip_delay = gossip_delay
        self._sink = sink
        self._cut: set[frozenset[str]] = set()
        self._events: list[tuple[Nanoseconds, int, Callable[[], None]]] = []
        self._sequence = count()
        self.nodes: dict[str, AlertingNode] = {}
        for number in range(nodes):
            self.add(f"node-{number}", skew=skews[number] if number < len(skews) else 0)
        self.elect()
        if self._with_intents:
            self._age()

    def add(self, name: str, *, skew: Nanoseconds = 0, log: NotificationLog | None = None) -> AlertingNode:
        """A node that is settled; ``elect`` tells the others, and it of them."""
        node = self.nodes[name] = AlertingNode(
            name,
            self._config,
            now=self.now + skew,
            peer_timeout=self._peer_timeout,
            random=self.random,
            silences=self._silences,
            skew=skew,
            log=log,
        )
        node.pipeline.settled(self.now + skew)
        if self._with_intents:
            self.at(self.now + PUSH_PULL, self._push_pull_of(node))
        return node

    def _age(self) -> None:
        """The cluster has been standing for an hour before the story begins."""
        for node in self.nodes.values():
            position, peers = self._view(node)
            node.intents.members(position, frozenset(), self.now + node.skew - 3600 * SECOND)
            node.intents.members(position, peers, self.now + node.skew - 3600 * SECOND)

    def post(self, *alerts: Alert, to: Iterable[str] | None = None) -> None:
        """Prometheus sends alerts to every living node, or to those named."""
        for name in self.nodes if to is None else to:
            node = self.nodes[name]
            if node.alive:
                self.reports += (Report(self.now, name, alert) for alert in alerts)
                node.post(alerts, self.now + node.skew)
                self._drain(node)

    def crash(self, name: str, *, noticed_after: Nanoseconds = 0) -> None:
        """A node stops for good; after a while the others take its place."""
        self.nodes[name].alive = False
        self.at(self.now + noticed_after, self.elect)

    def restart(self, name: str) -> None:
        """A node that stopped begins anew, with the log that its journal kept and everybody's news."""
        old = self.nodes[name]
        self.reports.append(Report(self.now, name, None))
        self.add(name, skew=old.skew, log=old.log)
        self.elect()
        for other in self.nodes.values():
            if other.alive and other.name != name and self._linked(other.name, name):
                old.log.merge(other.log.encode_state(), self.now + old.skew)

    def told(self, index: int = 0) -> list[Told]:
        """The notifications that the sink took of one integration, as :class:`ClusterOracle` wants them."""
        found: list[Told] = []
        for sent in self.accepted:
            if sent.attempt.integration.index != index:
                continue
            notification = sent.attempt.notification
            firing, resolved = observed_of(notification.alerts)
            looked = notification.now - self.nodes[sent.node].skew
            group, reason = notification.group_key, notification.reason
            found.append(
                Told(sent.at, sent.taken, sent.node, group, firing, resolved, reason, (looked, looked))
            )
        return found

    def is_idle(self, name: str) -> bool:
        """Whether no flush of the node is under way."""
        return self.nodes[name].idle

    def cut(self, first: str, second: str) -> None:
        """No gossip passes between two nodes."""
        self._cut.add(frozenset((first, second)))

    def heal(self) -> None:
        """All links are up, and push/pull brings everyone what was missed."""
        self._cut.clear()
        for node in self.nodes.values():
            if node.alive:
                self._tell(node, node.log.encode_state(), transmissions=TRANSMISSIONS)

    def believe(self, name: str, dead: Iterable[str]) -> None:
        """A node takes these, rightly or not, for dead."""
        self.nodes[name].believed_dead = set(dead)
        self.elect()

    def elect(self) -> None:
        """Positions follow the names of those whom each node takes for living."""
        for node in self.nodes.values():
            if not node.alive:
                continue
            position, peers = self._view(node)
            node.pipeline.position = position
            if len(self.nodes) > 1:
                node.pipeline.peers_seen()
            if self._with_intents:
                now = self.now + node.skew
                node.pipeline.wake(node.intents.members(position, peers, now), now)

    def _view(self, node: AlertingNode) -> tuple[int, frozenset[str]]:
        peers = frozenset(
            other.name
            for other in self.nodes.values()
            if other.alive and other is not node and other.name not in node.believed_dead
        )
        return sum(name < node.name for name in peers), peers

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
            due = node.flow.next_timeout() if node.alive else None
            if due is not None and (step is None or due - node.skew < when):
                when, step = due - node.skew, self._timeout_of(node)
        return when, step

    def _step(self) -> None:
        heappop(self._events)[2]()

    def _timeout_of(self, node: AlertingNode) -> Callable[[], None]:
        def timeout() -> None:
            node.flow.handle_timeout(self.now + node.skew)
            self._drain(node)

        return timeout

    def at(self, when: Nanoseconds, step: Callable[[], None]) -> None:
        """Do something at that time."""
        heappush(self._events, (when, next(self._sequence), step))

    def _drain(self, node: AlertingNode) -> None:
        while effects := node.flow.drain():
            for effect in effects:
                self._perform(node, effect)
        for payload in node.flow.announcements():
            for target in self._others(node):
                self._transmit(node, target, self._intents_arrival(target, payload))

    def _perform(self, node: AlertingNode, effect: FlowEffect) -> None:
        if isinstance(effect, Attempt):
            self._attempt(node, Sent(self.now, node.name, effect))
        elif isinstance(effect, Record):
            entry = effect.entry
            node.log.put(entry, self.now + node.skew)
            node.pipeline.remembered.recorded.stored(entry)

            def tell() -> None:
                if node.alive:
                    self._tell(node, entry.encoded, transmissions=TRANSMISSIONS if self._loss else 1)

            self.at(self.now + self._journal_delay, tell)
        elif isinstance(effect, FlushFinished):
            self.finished.append(effect)
            node.finished += 1
            node.dispatcher.flushed(effect.flush, self.now + node.skew, effect.success)

    def _attempt(self, node: AlertingNode, sent: Sent) -> None:
        self.sent.append(sent)
        answer = self._sink(sent)

        def answered() -> None:
            if not answer.failure:
                self.accepted.append(replace(sent, taken=self.now))
            if node.alive:
                now = self.now + node.skew
                if answer.failure:
                    node.pipeline.attempt_failed(sent.attempt.id, now, answer.retry, answer.failure)
                else:
                    node.pipeline.attempt_succeeded(sent.attempt.id, now)
                self._drain(node)

        self.at(self.now + answer.latency, answered)

    # -- between the nodes

    def _linked(self, first: str, second: str) -> bool:
        return frozenset((first, second)) not in self._cut

    def _others(self, source: AlertingNode) -> list[AlertingNode]:
        return [target for target in self.nodes.values() if target.name != source.name]

    def _transmit(self, source: AlertingNode, target: AlertingNode, arrive: Callable[[], None]) -> None:
        """One message: late, or lost."""
        delay = int(self._gossip_delay * self.random.uniform(0.5, 1.5))
        if self._linked(source.name, target.name) and not (self._loss and self.random.random() < self._loss):
            self.at(self.now + delay, arrive)

    def _tell(self, source: AlertingNode, data: bytes, *, transmissions: int = 1) -> None:
        """Changes of the log to everybody, told several times."""
        for target in self._others(source):
            self._transmit(source, target, self._log_arrival(target, data))
        if transmissions > 1:
            self.at(self.now + TICK, lambda: self._tell(source, data, transmissions=transmissions - 1))

    def _log_arrival(self, target: AlertingNode, data: bytes) -> Callable[[], None]:
        def arrive() -> None:
            if target.alive and data:
                target.log.merge(data, self.now + target.skew)

        return arrive

    def _intents_arrival(self, target: AlertingNode, payload: bytes) -> Callable[[], None]:
        def arrive() -> None:
            if target.alive:
                now = self.now + target.skew
                target.pipeline.wake(target.intents.receive(payload, now), now)

        return arrive

    def _push_pull_of(self, node: AlertingNode) -> Callable[[], None]:
        def push_pull() -> None:
            if node.alive:
                others = [
                    one for one in self._others(node) if one.alive and self._linked(node.name, one.name)
                ]
                if others:
                    target = self.random.choice(others)
                    self.at(self.now, self._log_arrival(target, node.log.encode_state()))
                    self.at(self.now, self._log_arrival(node, target.log.encode_state()))
                self.at(self.now + PUSH_PULL, push_pull)

        return push_pull
