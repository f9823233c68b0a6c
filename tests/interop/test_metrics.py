"""What ``/metrics`` shows, beside the real Alertmanager in the same state: families, types, labels, zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import alertmanager
from tests.support.api import matcher
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind
from tests.support.sink import WebhookSink

pytestmark = pytest.mark.interop

OURS: Final = ("tocsin_", "python_")
"""Beginnings of families that only we show: our own, and what Python's client tells of its runtime."""
GOS: Final = ("go_", "net_conntrack_")
"""Those that only the real one shows: Go's runtime, and the connections of Go's HTTP client."""
BY_CHANCE: Final = (
    "process_",
    "promhttp_",
    "alertmanager_build_info",
    "alertmanager_cluster_alive_messages_total",
    "alertmanager_cluster_health_score",
    "alertmanager_cluster_messages_queued",
    "alertmanager_cluster_pings_seconds",
    "alertmanager_http_request",
    "alertmanager_http_response",
    "alertmanager_silences_gc_duration",
    "alertmanager_nflog_gc_duration",
)
"""Beginnings of families whose values are chance, or have to do with when one looks."""
MORE_OR_LESS: Final = {
    "alertmanager_cluster_messages_sent_total": "how often state is exchanged is each program's own affair",
    "alertmanager_cluster_messages_sent_size_total": "the same",
    "alertmanager_cluster_messages_received_total": "the same",
    "alertmanager_cluster_messages_received_size_total": "the same",
    "alertmanager_nflog_gossip_messages_propagated_total": "by which of the two notified",
    "alertmanager_cluster_refresh_join_total": "we ask again where peers are; it joins those it knows again",
    "alertmanager_cluster_refresh_join_failed_total": "the same",
    "alertmanager_silences_query_silences_skipped_total": "its cache begins with the second question",
    "alertmanager_silences_queries_total": "each look at its metrics is three questions for silences",
    "alertmanager_silences_query_duration_seconds": "the same",
    "alertmanager_silences_query_silences_scanned_total": "the same",
    "alertmanager_oversize_gossip_message_duration_seconds": "our large changes go as all others do",
    "alertmanager_tls_transport_read_errors_total": "it counts what a peer's goodbye leaves as an error",
}
"""Families of which one may be zero while the other is not, and why."""

FAILED_AT_LAST: Final = (("webhook", "serverError"), ("pagerduty", "serverError"), ("webhook", "other"))

Shown: TypeAlias = dict[str, tuple[str, dict[tuple[tuple[str, str], ...], float]]]
CONFIG = """\
route:
  receiver: good
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 1s
  routes:
    - {{receiver: refused, matchers: [to = refused]}}
    - {{receiver: broken, matchers: [to = broken]}}
    - {{receiver: nobody, matchers: [to = nobody]}}
    - {{receiver: several, matchers: [to = several]}}
    - {{receiver: good, matchers: [to = night], mute_time_intervals: [always]}}
inhibit_rules:
  - source_matchers: [alertname = Source]
    target_matchers: [alertname = Target]
time_intervals:
  - name: always
    time_intervals: [{{times: [{{start_time: '00:00', end_time: '24:00'}}]}}]
receivers:
  - name: good
    webhook_configs: [{{url: '{good}'}}]
  - name: refused
    webhook_configs: [{{url: '{refused}'}}]
  - name: broken
    webhook_configs: [{{url: '{broken}'}}]
  - name: nobody
    webhook_configs: [{{url: 'http://127.0.0.1:9/'}}]
  - name: several
    discord_configs: [{{webhook_url: '{refused}'}}]
    opsgenie_configs: [{{api_key: made-up, api_url: '{refused}'}}]
    victorops_configs: [{{api_key: made-up, api_url: '{refused}', routing_key: made-up}}]
    pagerduty_configs: [{{routing_key: made-up, url: '{broken}'}}]
"""


def shown(node: Node) -> Shown:
    """By name: the type, and each series' labels with its value."""
    text = node.api.http.get("/metrics").text
    found: Shown = {}
    for family in text_string_to_metric_families(text):
        kind: str = family.type
        series = {
            (("__name__", sample.name), *sorted(sample.labels.items())): sample.value
            for sample in family.samples
        }
        found[family.name] = (kind, series)
    return found


def anonymous(found: Shown, node: Node) -> Shown:
    """Without what the names of things tell: of versions, and of the node itself."""
    kind, series = found["alertmanager_build_info"]
    found["alertmanager_build_info"] = (
        kind,
        {tuple((name, "" if name != "__name__" else value) for name, value in labels): count
         for labels, count in series.items()},
    )  # fmt: skip
    return found


def compare(ours: Node, theirs: Node, *, zeros: bool = True) -> None:
    """The same families, types, labels; zero where the other is."""
    left, right = anonymous(shown(ours), ours), anonymous(shown(theirs), theirs)
    left = {name: found for name, found in left.items() if not name.startswith(OURS)}
    right = {name: found for name, found in right.items() if not name.startswith(GOS)}
    assert sorted(left) == sorted(right), "families"
    assert {name: kind for name, (kind, _) in left.items()} == {
        name: kind for name, (kind, _) in right.items()
    }
    for name, (_, series) in left.items():
        if name.startswith("alertmanager_http_re"):
            continue  # By path, as each was asked.
        assert set(series) == set(right[name][1]), name
        if not zeros or name.startswith(BY_CHANCE) or not {name, f"{name}_total"}.isdisjoint(MORE_OR_LESS):
            continue
        for labels, value in series.items():
            if labels[0][1].endswith(("_bucket", "_sum")):
                continue  # Chance; the count is compared.
            other = right[name][1][labels]
            assert bool(value) == bool(other), f"{name} {labels}: ours {value}, theirs {other}"


@dataclass
class Sinks:
    good: WebhookSink
    refused: WebhookSink
    broken: WebhookSink

    @property
    def config(self) -> str:
        return CONFIG.format(good=self.good.url, refused=self.refused.url, broken=self.broken.url)


@contextmanager
def sinks() -> Iterator[Sinks]:
    with WebhookSink() as good, WebhookSink() as refused, WebhookSink() as broken:
        refused.status, broken.status = 403, 500
        yield Sinks(good, refused, broken)


@contextmanager
def alone(folder: Path, kinds: Sequence[NodeKind], config: str, **flags: str) -> Iterator[list[Node]]:
    more = {"cluster.listen-address": "", "cluster.advertise-address": "", **flags}
    nodes = [Node(kind, f"alone-{kind}", folder / str(kind), config=config, flags=more) for kind in kinds]
    try:
        yield [node.start() for node in nodes]
    finally:
        for node in nodes:
            node.close()


def busy(node: Node, *, ended: bool = True) -> None:
    """Alerts of every fate, silences of every state, questions."""
    node.api.post_silence([matcher("alertname", "Silenced")])
    node.api.post_silence([matcher("alertname", "Later")], starts_at="2099-01-01T00:00:00.000Z", hours=1e6)
    over = node.api.post_silence([matcher("alertname", "Over")])
    node.api.http.delete(f"/api/v2/silence/{over}").raise_for_status()
    node.api.post_alerts(
        *({"labels": {"alertname": name}} for name in ("Good", "Silenced", "Source", "Target")),
        *(
            {"labels": {"alertname": to, "to": to}}
            for to in ("refused", "broken", "nobody", "several", "night")
        ),
    )
    if ended:
        times = {"startsAt": "2019-01-01T00:00:00Z", "endsAt": "2020-01-01T00:00:00Z"}
        node.api.post_alerts({"labels": {"alertname": "Ended"}, **times})
    node.api.http.post("/api/v2/alerts", json=[{"labels": {}}])
    node.api.http.get("/api/v2/silences").raise_for_status()


def has(node: Node, name: str, minimum: float, **labels: str) -> bool:
    _, series = shown(node).get(name, ("", {}))
    wanted = set(labels.items())
    return sum(value for found, value in series.items() if wanted <= set(found)) >= minimum


def settled(node: Node) -> None:
    """All that :func:`busy` began has come to pass."""
    for check in (
        partial(has, node, "alertmanager_notifications_failed", 1, reason="clientError"),
        # Counted when there is no more time to try again.
        *(partial(has, node, "alertmanager_notifications_failed", 1, integration=kind, reason=reason)
          for kind, reason in FAILED_AT_LAST),
        partial(has, node, "alertmanager_notification_requests_failed", 4, integration="webhook"),
        *(partial(has, node, "alertmanager_notification_requests_failed", 1, integration=kind)
          for kind in ("discord", "opsgenie", "victorops", "pagerduty")),
        *(partial(has, node, "alertmanager_notifications_suppressed", 1, reason=reason)
          for reason in ("silence", "inhibition", "mute_time_interval")),
    ):  # fmt: skip
        eventually(check, f"{check} on {node!r}", deadline=60.0)


@pytest.fixture
def real(peers_are_here: None) -> NodeKind:
    return alertmanager.alertmanager("0.33")


def test_without_a_cluster_at_the_start(tmp_path: Path, ours: NodeKind, real: NodeKind) -> None:
    with sinks() as found, alone(tmp_path, (ours, real), found.config) as (left, right):
        compare(left, right)
        assert not [name for name in shown(left) if "cluster_members" in name or "tls_transport" in name]


@pytest.mark.parametrize(
    "features", ["", "receiver-name-in-metrics", "alert-names-in-metrics,group-key-in-metrics"]
)
def test_without_a_cluster_after_notifications_of_every_fate(
    tmp_path: Path, ours: NodeKind, real: NodeKind, features: str
) -> None:
    flags = {"enable-feature": features} if features else {}
    with sinks() as found, alone(tmp_path, (ours, real), found.config, **flags) as (left, right):
        for node in (left, right):
            # Of an alert that has ended it shows an empty group until the next maintenance.
            busy(node, ended="group-key" not in features)
        for node in (left, right):
            settled(node)
        compare(left, right)


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_in_a_cluster(tmp_path: Path, ours: NodeKind, real: NodeKind, transport: str) -> None:
    """One of each kind, beside a real one, in two clusters."""
    with (
        Cluster(tmp_path / "ours", udp=transport == "udp") as left,
        Cluster(tmp_path / "theirs", udp=transport == "udp") as right,
    ):
        for cluster, kind in ((left, ours), (right, real)):
            cluster.add(kind, "first", peer_name="a")
            cluster.add(real, "second", peer_name="b")
            cluster.wait_whole()
        for cluster in (left, right):
            first, second = cluster.nodes
            for node in cluster.nodes:
                node.api.post_alerts({"labels": {"alertname": "Clustered"}})
            cluster.sink.wait_for("Clustered")
            for size in (10, 5000):
                for maker, reader in ((first, second), (second, first)):
                    made = maker.api.post_silence([matcher("a", "b")], comment="x" * size)
                    eventually(partial(reader.api.silence, made), "the other knows it")
            pinged: Callable[[], Any] = partial(
                has,
                first,
                "alertmanager_cluster_pings_seconds",
                2,
                peer="b",
                __name__="alertmanager_cluster_pings_seconds_count",
            )
            eventually(pinged, "pings are answered")
            alive = partial(has, first, "alertmanager_cluster_alive_messages", 1, peer="b")
            eventually(alive, "alive messages are counted")
        compare(left.nodes[0], right.nodes[0])
