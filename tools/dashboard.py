"""``python -m tools.dashboard`` writes mixin/dashboard.json, a Grafana dashboard of Tocsin's own metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tocsin.node.metrics.own import meanings

PAGE: Final = Path(__file__).resolve().parents[1] / "mixin/dashboard.json"
_JOB: Final = '{job="$job",instance=~"$instance"}'
_WIDTH: Final = 12
_HEIGHT: Final = 7

PANELS: Final[tuple[tuple[str, str, str, tuple[str, ...]], ...]] = (
    # title, the metric that its description is of, unit, queries (METRIC stands with its labels)
    (
        "Members, and those expected",
        "tocsin_cluster_expected_members",
        "short",
        ("alertmanager_cluster_members{}", "tocsin_cluster_expected_members{}"),
    ),
    ("The cluster is whole", "tocsin_cluster_whole", "bool", ("tocsin_cluster_whole{}",)),
    ("Active silences", "", "short", ('sum by (instance) (alertmanager_silences{state="active"})',)),
    (
        "Notifications and failures",
        "tocsin_notification_failures_total",
        "ops",
        (
            "sum by (instance) (rate(alertmanager_notifications_total{}[5m]))",
            "sum by (instance, reason) (rate(tocsin_notification_failures_total{}[5m]))",
        ),
    ),
    (
        "Days until certificates expire",
        "tocsin_tls_certificate_expiry_timestamp_seconds",
        "d",
        (
            "(tocsin_tls_certificate_expiry_timestamp_seconds{} - time()) / 86400",
            "(tocsin_tls_peer_certificate_expiry_timestamp_seconds{} - time()) / 86400",
        ),
    ),
    ("Clear text", "tocsin_cluster_transport_clear_text", "bool", ("tocsin_cluster_transport_clear_text{}",)),
    (
        "Journal: seconds of a commit",
        "tocsin_journal_commit_seconds_total",
        "s",
        ("rate(tocsin_journal_commit_seconds_total{}[5m]) / rate(tocsin_journal_commits_total{}[5m])",),
    ),
    (
        "Journal: failing, and bytes that wait",
        "tocsin_journal_failing",
        "short",
        ("tocsin_journal_failing{}", "tocsin_journal_waiting_bytes{}"),
    ),
    (
        "Event loop: turns, 99th percentile",
        "tocsin_event_loop_lag_seconds",
        "s",
        ("histogram_quantile(0.99, rate(tocsin_event_loop_lag_seconds_bucket{}[5m]))",),
    ),
    (
        "Event loop: stalls",
        "tocsin_event_loop_stalls_total",
        "short",
        ("increase(tocsin_event_loop_stalls_total{}[15m])",),
    ),
    (
        "Packets that were dropped",
        "tocsin_transport_packets_dropped_total",
        "ops",
        ("sum by (instance, reason) (rate(tocsin_transport_packets_dropped_total{}[5m]))",),
    ),
    (
        "Entries of peers refused",
        "tocsin_cluster_inbox_refused_total",
        "ops",
        ("sum by (instance) (rate(tocsin_cluster_inbox_refused_total{}[5m]))",),
    ),
)


def dashboard() -> dict[str, Any]:
    """The whole, as Grafana imports it."""
    known = meanings()
    panels = []
    for number, (title, metric, unit, queries) in enumerate(PANELS):
        meaning = known[metric] if metric else None
        panels.append(
            {
                "id": number + 1,
                "title": title,
                "type": "timeseries",
                "description": f"{meaning.what}. Worry when {meaning.worry or 'never by itself'}."
                if meaning
                else "",
                "datasource": {"type": "prometheus", "uid": "$datasource"},
                "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
                "gridPos": {"x": number % 2 * _WIDTH, "y": number // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
                "targets": [
                    {"refId": chr(ord("A") + at), "expr": _selected(query)}
                    for at, query in enumerate(queries)
                ],
            }
        )
    return {
        "uid": "tocsin",
        "title": "Tocsin",
        "tags": ["alertmanager", "tocsin"],
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                _variable("job", "label_values(alertmanager_build_info, job)", many=False),
                _variable(
                    "instance", 'label_values(alertmanager_build_info{job="$job"}, instance)', many=True
                ),
            ]
        },
        "panels": panels,
    }


def _selected(query: str) -> str:
    return query.replace("{}", _JOB).replace('{state="active"}', _JOB.replace("}", ',state="active"}'))


def _variable(name: str, query: str, *, many: bool) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "query": query,
        "refresh": 2,
        "multi": many,
        "includeAll": many,
        "datasource": {"type": "prometheus", "uid": "$datasource"},
    }


if __name__ == "__main__":
    PAGE.write_text(json.dumps(dashboard(), indent=1, sort_keys=True) + "\n")
