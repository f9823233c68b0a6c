"""A night on call, posted to a node: alerts, silences and a configuration that look like a real cluster's.

    python -m tools.oncall --config > alertmanager.yml
    python -m tools.oncall http://127.0.0.1:9093 [--alerts 10000]

The pages are tried and pictured with it. Nothing in it is by chance: the same call posts the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

SLICE = 500

CONFIG = """\
global:
  resolve_timeout: 5m
route:
  receiver: platform-chat
  group_by: [alertname, cluster]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h
  routes:
    - receiver: database-page
      matchers: [team="database", severity="critical"]
      group_by: [alertname, cluster, instance]
      group_wait: 10s
      continue: true
    - receiver: database-chat
      matchers: [team="database"]
    - receiver: payments-page
      matchers: [team="payments", severity=~"critical|page"]
      repeat_interval: 1h
    - receiver: batch-mail
      matchers: [team="batch"]
      mute_time_intervals: [nights, weekends]
    - receiver: dead-mans-switch
      matchers: [alertname="Watchdog"]
      group_interval: 1m
      repeat_interval: 1m
inhibit_rules:
  - source_matchers: [alertname="NodeDown"]
    target_matchers: [severity=~"warning|info"]
    equal: [cluster, instance]
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [alertname, cluster, service]
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: "18:00", end_time: "24:00"}, {start_time: "00:00", end_time: "08:00"}]
  - name: weekends
    time_intervals:
      - weekdays: [saturday, sunday]
receivers:
  - name: platform-chat
    webhook_configs: [{url: "WEBHOOK"}]
  - name: database-page
    webhook_configs: [{url: "WEBHOOK"}]
  - name: database-chat
    webhook_configs: [{url: "WEBHOOK"}]
  - name: payments-page
    webhook_configs: [{url: "WEBHOOK"}]
  - name: batch-mail
    webhook_configs: [{url: "WEBHOOK"}]
  - name: dead-mans-switch
    webhook_configs: [{url: "WEBHOOK"}]
"""

RUNBOOKS = "https://runbooks.example.org"
PROMETHEUS = "https://prometheus.example.org/graph?g0.expr="

# alertname, severity, team, minutes since, summary with {label}s, and the labels of each alert of it
_NIGHT: Sequence[tuple[str, str, str, int, str, Sequence[Mapping[str, str]]]] = (
    ("NodeDown", "critical", "platform", 11, "{instance} does not answer",
     [{"cluster": "eu-west", "instance": "web-17.eu-west.example.org:9100", "job": "node"}]),
    ("PostgresReplicationLag", "critical", "database", 42, "{instance} is 14 minutes behind {primary}",
     [{"cluster": "eu-west", "instance": f"pg-{n}.eu-west.example.org:9187", "primary": "pg-1",
       "job": "postgres"}
      for n in (2, 3)]),
    ("CheckoutErrorBudgetBurn", "page", "payments", 7,
     "Checkout burns its monthly error budget 14 times too fast",
     [{"cluster": "eu-west", "service": "checkout", "slo": "availability", "window": "1h"}]),
    ("PaymentProviderTimeouts", "critical", "payments", 9, "{provider} answers {share} of calls too late",
     [{"cluster": "eu-west", "service": "checkout", "provider": "northbank", "share": "31%"}]),
    ("HighRequestLatency", "warning", "platform", 16, "p99 of {service} is above 800 ms in {cluster}",
     [{"cluster": c, "service": s, "handler": h} for c in ("eu-west", "us-east")
      for s, h in (("search", "/query"), ("catalogue", "/items/:id"), ("checkout", "/basket"))]),
    ("DiskWillFillIn4Hours", "warning", "platform", 128, "{device} of {instance} will be full in 4 hours",
     [{"cluster": "eu-west", "instance": f"log-{n}.eu-west.example.org:9100", "device": "/dev/nvme1n1",
       "mountpoint": "/var/log", "job": "node"} for n in range(1, 9)]),
    ("KubePodCrashLooping", "warning", "platform", 63, "{namespace}/{pod} restarts again and again",
     [{"cluster": "us-east", "namespace": ns, "pod": pod, "container": pod.split("-")[0]}
      for ns, pod in (("search", "indexer-6c9f7d-x2v8k"), ("search", "indexer-6c9f7d-p9dqw"),
                      ("mail", "relay-0"), ("billing", "invoices-7f5b-lm2zn"))]),
    ("HostHighLoad", "warning", "platform", 10, "{instance}: load is 4 for each core",
     [{"cluster": "eu-west", "instance": "web-17.eu-west.example.org:9100", "job": "node"},
      {"cluster": "eu-west", "instance": "web-04.eu-west.example.org:9100", "job": "node"}]),
    ("CertificateExpiresSoon", "warning", "platform", 2_880, "{host} has a certificate for 9 more days",
     [{"host": h, "job": "blackbox"} for h in ("shop.example.org", "api.example.org", "status.example.org")]),
    ("BackupLate", "warning", "database", 310, "No whole backup of {database} for 27 hours",
     [{"cluster": "eu-west", "database": d, "job": "backup"} for d in ("orders", "customers")]),
    ("NightlyReportFailed", "info", "batch", 95, "{report} ended with status {code}",
     [{"report": r, "code": "1", "job": "reports"} for r in ("revenue", "returns")]),
    ("TargetDown", "warning", "platform", 27, "{share} of the targets of {job} are down",
     [{"cluster": "us-east", "job": "kubelet", "share": "12%"}]),
    ("ClockSkew", "info", "platform", 720, "{instance} is 70 ms off",
     [{"cluster": c, "instance": f"web-{n:02d}.{c}.example.org:9100", "job": "node"}
      for c in ("eu-west", "us-east") for n in (3, 11, 12)]),
    ("Watchdog", "none", "platform", 20_160, "Alerting works",
     [{"cluster": c} for c in ("eu-west", "us-east")]),
)  # fmt: skip

# matchers, hours since and until, creator, comment
_SILENCES: Sequence[tuple[Sequence[tuple[str, str, bool]], float, float, str, str]] = (
    ([("alertname", "DiskWillFillIn4Hours", False), ("instance", "log-[1-3]\\..*", True)], -2, 0.6, "mira",
     "Moving to larger disks, OPS-4411"),
    ([("alertname", "ClockSkew", False), ("cluster", "us-east", False)], -30, 90, "tomasz",
     "NTP pool of the provider is being replaced, https://tickets.example.org/OPS-4302"),
    ([("host", "status.example.org", False)], -50, 160, "mira", "The new certificate is ordered"),
    ([("alertname", "CanaryDiverges", False), ("service", "search", False)], -5, 20, "ana",
     "Canary is switched off until Thursday"),
    ([("cluster", "us-east", False), ("alertname", "Kube.*", True)], 6, 9, "tomasz",
     "Upgrade of the control plane"),
)  # fmt: skip


def rfc3339(moment: datetime) -> str:
    """As the API writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def night(now: datetime) -> Iterator[dict[str, Any]]:
    """The alerts of the night."""
    for name, severity, team, minutes, summary, each in _NIGHT:
        for number, own in enumerate(each):
            labels = {"alertname": name, "severity": severity, "team": team, **own}
            yield {
                "labels": labels,
                "annotations": {
                    "summary": summary.format(**labels),
                    "runbook_url": f"{RUNBOOKS}/{name}",
                    "dashboard_url": f"https://grafana.example.org/d/{team}",
                },
                "startsAt": rfc3339(now - timedelta(minutes=minutes + 3 * number)),
                "endsAt": rfc3339(now + timedelta(hours=12)),
                "generatorURL": f"{PROMETHEUS}{name}&g0.tab=1",
            }


def many(count: int, now: datetime) -> Iterator[dict[str, Any]]:
    """So many alerts more: a large site on a bad day."""
    severities = ("critical", "warning", "warning", "warning", "info")
    for i in range(count):
        cluster, rack = f"dc{i % 7}", i // 7 % 40
        labels = {
            "alertname": f"Rule{i % 53:02d}Broken",
            "severity": severities[i % 5],
            "team": ("platform", "database", "payments", "batch")[i % 4],
            "cluster": cluster,
            "instance": f"host-{i:05d}.rack{rack}.{cluster}.example.org:9100",
            "job": ("node", "kubelet", "postgres", "blackbox")[i // 4 % 4],
            "rack": f"rack{rack}",
            "namespace": f"ns-{i % 31}",
        }
        yield {
            "labels": labels,
            "annotations": {
                "summary": f"{labels['alertname']} on {labels['instance']}: {i % 100} is above {i % 90}",
                "runbook_url": f"{RUNBOOKS}/{labels['alertname']}",
            },
            "startsAt": rfc3339(now - timedelta(minutes=i % 600)),
            "endsAt": rfc3339(now + timedelta(hours=12)),
            "generatorURL": f"{PROMETHEUS}{labels['alertname']}&g0.tab=1",
        }


def silences(now: datetime) -> Iterator[dict[str, Any]]:
    """The silences of the night."""
    for matchers, since, until, creator, comment in _SILENCES:
        yield {
            "matchers": [
                {"name": name, "value": value, "isRegex": regex, "isEqual": True}
                for name, value, regex in matchers
            ],
            "startsAt": rfc3339(now + timedelta(hours=since)),
            "endsAt": rfc3339(now + timedelta(hours=until)),
            "createdBy": creator,
            "comment": comment,
        }


def post(url: str, *, alerts: int = 0, with_silences: bool = True) -> None:
    """Post the night, and ``alerts`` more, to the node at ``url``."""
    now = datetime.now(UTC)
    with httpx.Client(base_url=url.rstrip("/") + "/", timeout=60, trust_env=False) as http:
        listed = [*night(now), *many(alerts, now)]
        for start in range(0, len(listed), SLICE):
            http.post("api/v2/alerts", json=listed[start : start + SLICE]).raise_for_status()
        for silence in silences(now) if with_silences else ():
            http.post("api/v2/silences", json=silence).raise_for_status()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.oncall", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("url", nargs="?", help="of a node")
    parser.add_argument("--alerts", type=int, default=0, help="so many more")
    parser.add_argument("--config", action="store_true", help="print the configuration that goes with it")
    parser.add_argument("--webhook", default="http://127.0.0.1:9/", help="where that configuration sends to")
    given = parser.parse_args()
    if given.config:
        print(CONFIG.replace("WEBHOOK", given.webhook), end="")
    elif given.url:
        post(given.url, alerts=given.alerts)
    else:
        parser.error("name a node, or --config")
    return 0


if __name__ == "__main__":
    sys.exit(main())
