"""A thousand groups, each of them told to three receivers on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.bench import Bench, BenchNode, wait_for
from benchmarks.row import Figure, Row, Samples, Target, largest
from benchmarks.rows_joining import longest_turn
from benchmarks.usage import cpu_seconds, memory_bytes
from tests.support.api import prometheus_alert
from tests.support.node import NodeKind

BATCH: Final = 250
RECEIVERS: Final = 3


def configuration(port: int) -> str:
    """A webhook, a Slack and a PagerDuty, with all their defaults."""
    url = f"http://127.0.0.1:{port}"
    return f"""
route:
  receiver: three
  group_by: [alertname]
  group_wait: 2s
  group_interval: 5m
  repeat_interval: 4h
receivers:
- name: three
  webhook_configs:
  - url: {url}/hook
  slack_configs:
  - {{api_url: '{url}/slack', channel: '#ops'}}
  pagerduty_configs:
  - {{url: '{url}/v2/enqueue', routing_key: made-up}}
"""


ONE_GROUP: Final = """
route: {{receiver: hook, group_by: [alertname], group_wait: 2s, group_interval: 5s, repeat_interval: 4h}}
receivers: [{{name: hook, webhook_configs: [{{url: '{url}/hook'}}]}}]
"""


@contextmanager
def _taker() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.taker"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _told(port: int) -> tuple[int, float, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/told", timeout=10) as answer:
        count, first, last = json.load(answer)
    return count, first, last


def _once(bench: Bench, kind: NodeKind, groups: int) -> dict[str, float]:
    with _taker() as port, bench.alone(kind, config=configuration(port)) as node:
        alerts = [prometheus_alert(f"Group{number}") for number in range(groups)]
        before = cpu_seconds(node.pid)
        _post(node, alerts)
        wanted = groups * RECEIVERS
        wait_for(lambda: _told(port)[0] >= wanted, 120, f"{wanted} notifications")
        time.sleep(1)  # what is done after the last answer counts too
        count, first, last = _told(port)
        used = cpu_seconds(node.pid) - before
        return {
            "rate": (count - 1) / (last - first),
            "cpu": 1e3 * used / count,
            "memory": memory_bytes(node.pid) / 2**20,
            "extra": float(count - wanted),
            **longest_turn("turn", node),
        }


def _post(node: BenchNode, alerts: list[dict[str, object]]) -> None:
    with node.connect() as connection:
        for start in range(0, len(alerts), BATCH):
            connection.post("/api/v2/alerts", json.dumps(alerts[start : start + BATCH]).encode())


def _measure(bench: Bench, kind: NodeKind) -> Samples:
    samples: Samples = {}
    for _ in range(bench.size(3, 1)):
        for key, value in _once(bench, kind, bench.size(1000, 200)).items():
            samples.setdefault(key, []).append(value)
    return samples


def _one_group(bench: Bench, kind: NodeKind) -> Samples:
    """All alerts in one group, flushed and then reported and flushed once more."""
    count = bench.size(10_000, 2000)
    config = ONE_GROUP
    with _taker() as port, bench.alone(kind, config=config.format(url=f"http://127.0.0.1:{port}")) as node:
        alerts = [prometheus_alert("OneGroup", instance=f"host-{number}") for number in range(count)]
        before = cpu_seconds(node.pid)
        _post(node, alerts)
        wait_for(lambda: _told(port)[0] >= 1, 120, "the group is notified")
        _post(node, [{**alert, "annotations": {"again": "yes"}} for alert in alerts[: count // 2]])
        _post(node, [prometheus_alert("OneGroup", instance="one more")])
        wait_for(lambda: _told(port)[0] >= 2, 120, "the group is notified again")
        time.sleep(1)
        used = cpu_seconds(node.pid) - before
        return {"cpu": [used], **{key: [value] for key, value in longest_turn("turn", node).items()}}


ROWS = (
    Row(
        "one-group",
        "10,000 alerts are posted, all of one group with a webhook; when it is notified half of them are "
        "posted again and one is new.",
        (
            Figure("cpu", "10,000 alerts in one group, notified twice: processor time", "s"),
            Figure(
                "turn",
                "10,000 alerts in one group: longest turn of the event loop",
                "ms",
                Target(limit=20),
                largest,
            ),
        ),
        _one_group,
    ),
    Row(
        "receivers",
        "1,000 alerts, each a group of its own, are posted to one node whose receiver has a webhook, a Slack "
        "and a PagerDuty at a server of this machine; the rate is that at which the 3,000 requests come. "
        "Processor time is all of the node's from the first post on, taking the alerts included.",
        (
            Figure(
                "rate",
                "1,000 groups, three receivers each: notifications",
                "/s",
                Target(factor=1, at_least=True),
            ),
            Figure("cpu", "processor time, a notification", "ms", Target(factor=2)),
            Figure("memory", "resident memory then", "MiB"),
            Figure("extra", "sent more than once", "", Target(limit=0)),
            Figure("turn", "longest turn of the event loop", "ms", Target(limit=20), largest),
        ),
        _measure,
    ),
)
