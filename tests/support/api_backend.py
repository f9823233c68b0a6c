"""A node without cluster, receivers or files: just what the HTTP interface asks of one, of real parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from random import Random

from tocsin.alerting.alert import Alert
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.explain.question import Question
from tocsin.alerting.explain.story import Explanation
from tocsin.alerting.group import GroupView
from tocsin.alerting.health import Health, IntegrationHealth
from tocsin.alerting.inhibit import Inhibitor, InhibitRule
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.muting import Muting
from tocsin.alerting.record.model import FlushRecord
from tocsin.alerting.route import Route, RouteConfig, RouteOptions, build_route
from tocsin.alerting.shadow.shadow import Shadow
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.steps import Steps
from tocsin.alerting.timeinterval import TimeInterval
from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_milliseconds
from tocsin.config.globals import GlobalConfig
from tocsin.errors import TocsinError
from tocsin.models.cluster import ALONE, Cluster, Connection, Member
from tocsin.models.status import Configuration
from tocsin.node.api import ClusterStatus, VersionInfo
from tocsin.node.clock import Clock
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.config.receivers import ReceiverConfig
from tocsin.node.configuration import senders_to
from tocsin.node.events.hub import EventHub
from tocsin.node.events.watch import Watch
from tocsin.node.log import Logger
from tocsin.node.lookups import LookUps
from tocsin.node.receivertests import ReceiverTests
from tocsin.notify.integrations.sender import Sender, SenderKey
from tocsin.notify.integrations.webhook import WebhookConfig
from tocsin.notify.rendering import TemplateFiles

_HOUR = 3600 * SECOND


def scenes_config() -> AlertmanagerConfig:
    """The configuration of the scenes, as the parser makes it out of ``api_requests.CONFIG``."""
    route = RouteConfig(
        receiver="team-x",
        group_by=("alertname", "cluster"),
        group_wait=_HOUR,
        group_interval=_HOUR,
        repeat_interval=4 * _HOUR,
        routes=(
            RouteConfig(receiver="team-y", matchers=parse_matchers('team="y"'), continue_=True),
            RouteConfig(receiver="team-z", matchers=parse_matchers('team=~"y|z"')),
            RouteConfig(
                receiver="muted",
                matchers=parse_matchers('team="muted"'),
                mute_time_intervals=("always",),
                group_wait=0,
            ),
        ),
    )
    return AlertmanagerConfig(
        route=build_route(route),
        receivers=(
            ReceiverConfig.of("team-x", (WebhookConfig(url="http://127.0.0.1:1/x"),)),
            ReceiverConfig.of("team-y", labels={"owner": "why", "tier": "1"}),
            ReceiverConfig.of("team-z", labels={"owner": "zed"}),
            ReceiverConfig.of("muted", labels={"sign": "<&>"}),
        ),
        inhibit_rules=(
            InhibitRule(
                source_matchers=parse_matchers('severity="critical"'),
                target_matchers=parse_matchers('severity="warning"'),
                equal=("cluster",),
            ),
        ),
        time_intervals={"always": (TimeInterval(),)},
        global_=GlobalConfig(resolve_timeout=7 * 60 * SECOND),
        original="route:\n  receiver: team-x\n",
    )


class LoneTocsinBackend:
    """Implements ``tocsin.node.api.tocsin_v1.backend.TocsinBackend``."""

    def __init__(self, node: LoneNode) -> None:
        self._node = node
        self.features = ["receiver-name-in-metrics"]
        self.settled = True
        self.shadow: Shadow | None = None
        self.external_url = "http://node:9093"
        self.events = EventHub(
            Watch(
                lambda: (
                    ("alerts", node.alerts.touched),
                    ("silences", node.silences.touched),
                    ("notifications", node.health.touched),
                ),
                (("cluster", lambda: node.cluster.status),),
            ),
            lambda: format_milliseconds(node.now()),
            max_streams=8,
        )
        self.receiver_tests = ReceiverTests(self._senders, node.clock, Logger("tests"))
        self.asked: tuple[Question, bool] | None = None
        self.record_kept = True
        self.explanation = Explanation((), (), 0)
        self.lost: dict[str, tuple[str, ...]] = {}

    def _senders(self, receiver: ReceiverConfig) -> dict[SenderKey, Sender]:
        return senders_to([receiver], TemplateFiles(), external_url="", clock=self._node.clock)

    @property
    def group_count(self) -> int:
        return len(self._node.dispatcher)

    def each_group(self) -> Iterator[tuple[Route, Labels, tuple[Alert, ...]]]:
        return self._node.dispatcher.each_group()

    async def records(self, before: int | None = None) -> AsyncIterator[tuple[int, FlushRecord]]:
        for number, record in reversed(list(enumerate(self._node.records, 1))):
            if before is None or number < before:
                yield number, record

    async def under_way(self) -> AsyncIterator[tuple[int, FlushRecord]]:
        for number, record in self._node.under_way:
            yield number, record

    def cluster(self) -> Cluster:
        return ALONE

    def members(self) -> Sequence[Member]:
        return ()

    def forget_peer(self, peer: str) -> Sequence[str]:
        return self.lost.pop(peer, ())

    def connections(self) -> Sequence[Connection]:
        return ()

    def configuration(self) -> Configuration:
        return Configuration(hash="7", loaded_at=format_milliseconds(self._node.started_at), successful=True)

    def doubts(self) -> Sequence[str]:
        return ("route {}: a doubt",)

    def health(self, receiver: str, kind: str, index: int) -> IntegrationHealth:
        return self._node.health.of(receiver, kind, index)

    def route_muted_by(self, options: RouteOptions, at: Nanoseconds) -> Sequence[str]:
        return self._node.muting.muted_by(options, at)

    async def explain(self, question: Question, *, peers: bool, source: str) -> Explanation:
        self.asked = question, peers
        return self.explanation


class LoneNode:
    """Implements ``tocsin.node.api.Backend``."""

    def __init__(self, config: AlertmanagerConfig | None = None) -> None:
        self.clock = Clock()
        self.config = config or scenes_config()
        self.silences = Silences(120 * _HOUR, random=Random(1))
        self.look_ups = LookUps(self.silences)
        self.alerts = Alerts()
        self.version = VersionInfo("0.33.1", go_version="none")
        self.started_at = self.clock.now()
        self.healthy = True
        self.ready = True
        self.cluster = ClusterStatus("disabled")
        self.health = Health()
        self.records: list[FlushRecord] = []
        self.under_way: list[tuple[int, FlushRecord]] = []
        self.tocsin = LoneTocsinBackend(self)
        self.received = {"firing": 0, "resolved": 0, "invalid": 0}
        self.reload_error: TocsinError | None = None
        self.inhibitor = Inhibitor(self.config.inhibit_rules)
        self.dispatcher = Dispatcher(self.config.route, now=self.started_at)
        self.muting = Muting(
            inhibitor=self.inhibitor, silences=self.silences, time_intervals=self.config.time_intervals
        )

    def now(self) -> Nanoseconds:
        return self.clock.now()

    def groups(self) -> Sequence[GroupView]:
        return self.dispatcher.groups()

    def viewing_groups(self) -> Steps[Sequence[GroupView]]:
        return (yield from self.dispatcher.viewing())

    def group_muted_by(self, group: GroupView) -> Sequence[str]:
        return self.muting.muted_by(group.route.options, self.now())

    async def route_labels(self, group: GroupView) -> Mapping[str, str]:
        return {name: str(value) for name, value in group.route.options.labels}

    def would_be_inhibited_by(self, labels: Labels, at: Nanoseconds) -> Sequence[str]:
        return self.inhibitor.would_mute(labels, at)

    def inhibited_by(self, labels: Labels, now: Nanoseconds) -> Sequence[str]:
        return self.inhibitor.mutes(labels, now)

    def cluster_status(self) -> ClusterStatus:
        return self.cluster

    async def set_silence(self, silence: Silence) -> str:
        return self.silences.set(silence, self.now())[0]

    async def import_silence(self, silence: Silence, signed_by: str) -> bool:
        now = self.now()
        return bool(self.silences.apply(self.silences.stage_import(silence, now, signed_by=signed_by), now))

    async def expire_silence(self, identifier: str) -> None:
        self.silences.expire(identifier, self.now())

    async def put_alerts(self, alerts: Sequence[Alert]) -> None:
        now = self.now()
        for alert in self.alerts.put(alerts, now):
            self.inhibitor.put(alert)
            self.dispatcher.insert(alert, now)

    def alerts_received(self, *, firing: int, resolved: int, invalid: int) -> None:
        self.received["firing"] += firing
        self.received["resolved"] += resolved
        self.received["invalid"] += invalid

    async def reload(self) -> None:
        if self.reload_error is not None:
            raise self.reload_error

    def metrics(self, accept: str) -> Steps[tuple[bytes, str]]:
        yield
        return b"# nothing is counted here\n", "text/plain; version=0.0.4; charset=utf-8"
