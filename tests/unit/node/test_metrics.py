"""The metrics: Alertmanager's names, types and labels, read when asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tocsin.node.metrics import Metrics
from tocsin.node.metrics.families import CLUSTER_ONLY, FAMILIES, TIMINGS, TLS_ONLY

CAPTURED = Path(__file__).parent / "alertmanager-0.33.1-metrics.txt"

ELSEWHERE = {"alertmanager_cluster_pings_seconds"}
"""Read from the members by a collector of its own: tests/unit/node/cluster/test_ping_metrics.py."""


def captured() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for line in CAPTURED.read_text().splitlines():
        if not line.startswith("#"):
            name, kind, *labels = line.split()
            yield name, kind, tuple(labels)


def rendered(metrics: Metrics) -> dict[str, tuple[str, set[tuple[str, ...]], dict[tuple[str, ...], float]]]:
    """Type, label names and values, by the name in the TYPE line."""
    text, content_type = metrics.render()
    assert content_type.startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {tuple(sorted(set(sample.labels) - {"le", "quantile"})) for sample in family.samples}
        values = {tuple(sample.labels.values()): sample.value for sample in family.samples}
        found[name] = (family.type, labels, values)
    return found


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3")


def test_all_of_alertmanagers_metrics_are_here(metrics: Metrics) -> None:
    ours = rendered(metrics)
    listed = list(captured())
    assert len(listed) > 80
    for name, kind, labels in listed:
        if name in ELSEWHERE:
            continue
        if name not in ours:  # No sample before its label values are known: then Alertmanager shows nothing.
            declared = {each.name: each for each in (*FAMILIES, *TIMINGS)}[name]
            assert set(declared.labels) == set(labels), name
            continue
        assert ours[name][0] == kind, name
        assert ours[name][1] == {labels}, name


def test_what_is_not_counted_yet_is_zero(metrics: Metrics) -> None:
    ours = rendered(metrics)
    assert ours["alertmanager_cluster_members"][2] == {(): 0}
    assert ours["alertmanager_silences"][2] == {("active",): 0, ("expired",): 0, ("pending",): 0}
    assert "1.2.3" in ours["alertmanager_build_info"][2].popitem()[0]


def test_values_are_read_when_asked_for(metrics: Metrics) -> None:
    members = 1
    failures = Counter({("webhook", "other"): 2})
    metrics.watch("cluster_members", lambda: members)
    metrics.watch("silences", lambda: {"active": 5})
    metrics.watch("notifications_failed_total", lambda: failures)
    members, failures["webhook", "other"] = 3, 4
    ours = rendered(metrics)
    assert ours["alertmanager_cluster_members"][2] == {(): 3}
    assert ours["alertmanager_silences"][2][("active",)] == 5
    assert ours["alertmanager_notifications_failed_total"][2][("webhook", "other")] == 4
    assert ours["alertmanager_notifications_failed_total"][2][("webhook", "serverError")] == 0


def test_a_name_that_is_none_is_an_error(metrics: Metrics) -> None:
    with pytest.raises(KeyError):
        metrics.watch("cluster_menbers", lambda: 1)


def test_one_broken_value_hides_no_other(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> float:
        raise RuntimeError("gone")

    metrics.watch("cluster_members", broken)
    metrics.watch("receivers", lambda: 7)
    ours = rendered(metrics)
    assert ours["alertmanager_receivers"][2] == {(): 7}
    assert "alertmanager_cluster_members" in caplog.text


@dataclass
class Numbers:
    packets_dropped: Counter[str] = field(default_factory=Counter)
    connections_open: int = 0
    frames_refused: int = 0


def test_a_statistics_object_shows_each_of_its_fields(metrics: Metrics) -> None:
    numbers: Numbers | None = None
    metrics.watch_statistics("transport", lambda: numbers, gauges=["connections_open"])
    assert not any(name.startswith("tocsin_transport") for name in rendered(metrics))
    numbers = Numbers(Counter(queue_full=3), 2, 1)
    ours = rendered(metrics)
    assert ours["tocsin_transport_packets_dropped_total"][2] == {("queue_full",): 3}
    assert ours["tocsin_transport_connections_open"][:1] == ("gauge",)
    assert ours["tocsin_transport_frames_refused_total"][2] == {(): 1}


def test_a_timer_is_bound_once_and_fed(metrics: Metrics) -> None:
    child = metrics.timer("notification_latency_seconds", "webhook")
    child.observe(3)
    values = rendered(metrics)["alertmanager_notification_latency_seconds"][2]
    assert values[("webhook", "5")] == 1
    assert values[("webhook", "1")] == 0


def test_openmetrics_on_request_and_no_created_series(metrics: Metrics) -> None:
    text, content_type = metrics.render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    assert b"_created" not in text
    assert b'le="5.0"' in text  # as the standard has it; Go writes le="5" into text


def test_two_nodes_in_one_process_do_not_share(metrics: Metrics) -> None:
    metrics.watch("receivers", lambda: 7)
    assert rendered(Metrics(version="2"))["alertmanager_receivers"][2] == {(): 0}


def test_families_without_a_source_are_not_shown(metrics: Metrics) -> None:
    metrics.hide((*CLUSTER_ONLY, *TLS_ONLY))
    ours = rendered(metrics)
    left = {
        name for name in ours if "cluster" in name or "peer" in name or "oversize" in name or "tls" in name
    }
    assert left == {"alertmanager_cluster_enabled"}


def test_versions_of_alertmanager_and_of_tocsin() -> None:
    ours = rendered(Metrics(version="9.9", alertmanager_version="0.34.1"))
    (labels,) = ours["alertmanager_build_info"][2]
    assert {"0.34.1", "9.9"} < set(labels)
    assert ours["tocsin_build_info"][2] == {("9.9",): 1}


def test_a_feature_gives_a_family_its_labels() -> None:
    metrics = Metrics(version="1", features=("alert-names-in-metrics", "group-key-in-metrics"))
    metrics.watch("alerts_limited_total", lambda: {"A": 2})
    metrics.watch("alerts", lambda: {("{}:{}", "active"): 3})
    ours = rendered(metrics)
    assert ours["alertmanager_alerts_limited_total"][1:] == ({("alertname",)}, {("A",): 2})
    assert ours["alertmanager_alerts"][1:] == ({("group_key", "state")}, {("{}:{}", "active"): 3})


def test_receivers_names_are_labels_on_request() -> None:
    metrics = Metrics(version="1", features=("receiver-name-in-metrics",))
    assert "alertmanager_notifications_total" not in rendered(metrics)  # none is known yet
    metrics.watch("notifications_failed_total", lambda: {("webhook", "team", "other"): 2})
    metrics.timer("notification_latency_seconds", "webhook", "team").observe(1)
    ours = rendered(metrics)
    labels = {("integration", "reason", "receiver_name")}
    assert ours["alertmanager_notifications_failed_total"][1:] == (labels, {("webhook", "other", "team"): 2})
    assert ours["alertmanager_notification_latency_seconds"][1] == {("integration", "receiver_name")}


def test_a_summary_may_be_read_as_a_count_and_a_sum(metrics: Metrics) -> None:
    metrics.watch_summary("dispatcher_alert_processing_duration_seconds", lambda: (3, 0.5))
    kind, _, values = rendered(metrics)["alertmanager_dispatcher_alert_processing_duration_seconds"]
    assert kind == "summary"
    assert 0.5 in values.values()


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_they_are_encoded_in_steps_as_at_once(metrics: Metrics, accept: str) -> None:
    steps, taken = metrics.rendering(accept), 0
    while True:
        try:
            next(steps)
            taken += 1
        except StopIteration as done:
            text = done.value[0].decode()
            break
    assert taken >= 3
    assert text.count("# TYPE ") == len(set(re.findall(r"# TYPE (\S+)", text))) > 50
    assert text.count("# EOF\n") == text.endswith("# EOF\n") == bool(accept)
