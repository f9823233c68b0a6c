"""How fast alerts go in, and come out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.bench import SILENT_CONFIG, Bench, BenchNode, in_threads
from benchmarks.row import Figure, Row, Samples, Target
from benchmarks.states import (
    Matchers,
    all_but_one_shared,
    instance_pattern,
    name_or_instance,
    negative,
    write_silences,
)
from benchmarks.usage import cpu_seconds
from tests.support.api import prometheus_alert, rfc3339
from tests.support.node import NodeKind

ALERTS = 10_240
PER_REQUEST = 256
CONNECTIONS = 4
_ENDS = "@when it ends, as Prometheus says anew each time@"


def _bodies() -> list[bytes]:
    """10,240 alerts in requests of 256, with a mark where the end goes."""
    alerts = [
        {
            **prometheus_alert(
                f"Alert{number % 50}",
                instance=f"host-{number}.example.org:9100",
                severity="warning" if number % 3 else "critical",
                team=f"team-{number % 20}",
            ),
            "endsAt": _ENDS,
        }
        for number in range(ALERTS)
    ]
    return [
        json.dumps(alerts[start : start + PER_REQUEST]).encode() for start in range(0, ALERTS, PER_REQUEST)
    ]


def _fill(node: BenchNode, bodies: list[bytes]) -> None:
    """All alerts once."""
    with node.connect() as connection:
        for body in bodies:
            status, answer = connection.post("/api/v2/alerts", _now(body))
            if status != 200:
                raise RuntimeError(f"alerts were refused: {status} {answer[:200]!r}")


def _now(body: bytes) -> bytes:
    ends = rfc3339(datetime.now(UTC) + timedelta(minutes=4))
    return body.replace(_ENDS.encode(), ends.encode())


def _accepted(bench: Bench, kind: NodeKind) -> Samples:
    bodies = _bodies()
    rates: list[float] = []
    costs: list[float] = []
    with bench.alone(kind) as node:
        _fill(node, bodies)
        for _ in range(bench.size(5, 2)):
            counts = [0] * CONNECTIONS
            seconds = 2.0
            used = cpu_seconds(node.pid)
            began = time.monotonic()

            def post(number: int, counts: list[int] = counts, end: float = began + seconds) -> None:
                with node.connect() as connection:
                    position = number
                    while time.monotonic() < end:
                        connection.post("/api/v2/alerts", _now(bodies[position % len(bodies)]))
                        position += CONNECTIONS
                        counts[number] += PER_REQUEST

            in_threads(post, CONNECTIONS)
            took = time.monotonic() - began
            rates.append(sum(counts) / took)
            costs.append(1e6 * (cpu_seconds(node.pid) - used) / sum(counts))
    return {"rate": rates, "cpu": costs}


def _shown(bench: Bench, kind: NodeKind) -> Samples:
    first: list[float] = []
    later: list[float] = []
    for _ in range(bench.size(3, 1)):
        with bench.alone(kind, prepare=lambda folder: write_silences(folder, 2000, name_or_instance)) as node:
            _fill(node, _bodies())
            with node.connect() as connection:
                for number in range(6):
                    began = time.perf_counter()
                    alerts = connection.get("/api/v2/alerts")
                    (later if number else first).append(1e3 * (time.perf_counter() - began))
                    assert alerts[0] == 200
    return {"first": first, "later": later}


def _matched(matchers: Callable[[int], Matchers]) -> Callable[[Bench, NodeKind], Samples]:
    def measure(bench: Bench, kind: NodeKind) -> Samples:
        return _first_get(bench, kind, prepare=lambda folder: write_silences(folder, 2000, matchers))

    return measure


def _inhibited(bench: Bench, kind: NodeKind) -> Samples:
    rules = "".join(
        f"- source_matchers: [alertname = Alert{number}, severity = critical]\n"
        f"  target_matchers: [severity = warning, team =~ team-{number}]\n"
        "  equal: [instance]\n"
        for number in range(200)
    )
    return _first_get(bench, kind, config=f"{SILENT_CONFIG}inhibit_rules:\n{rules}")


def _first_get(bench: Bench, kind: NodeKind, **how: Any) -> Samples:
    first: list[float] = []
    for _ in range(bench.size(3, 1)):
        with bench.alone(kind, **how) as node:
            _fill(node, _bodies())
            with node.connect() as connection:
                began = time.perf_counter()
                status, _ = connection.get("/api/v2/alerts")
                first.append(1e3 * (time.perf_counter() - began))
                assert status == 200
    return {"first": first}


_ADVERSE = {
    "shared": (all_but_one_shared, "2,000 silences that share every label but one"),
    "patterns": (instance_pattern, "2,000 silences of regular expressions only"),
    "negative": (negative, "2,000 silences of negative matchers only"),
}

ROWS = (
    Row(
        "alerts",
        "10,240 alerts, 256 a request over 4 connections, are posted over and over to a node on its own, "
        "each time with a new end, as Prometheus does; 2 seconds a sample. The client shares the machine.",
        (
            Figure("rate", "alerts accepted a second", "1/s", Target(1, at_least=True)),
            Figure("cpu", "CPU per alert accepted", "µs", Target(1)),
        ),
        _accepted,
    ),
    Row(
        "get-alerts",
        "GET of 10,240 alerts from a node with 2,000 silences (half with a regular expression), before and "
        "after it has been asked once.",
        (
            Figure("first", "GET of 10,000 alerts with 2,000 silences: first", "ms", Target(1 / 3)),
            Figure("later", "GET of 10,000 alerts with 2,000 silences: later", "ms", Target(1 / 2)),
        ),
        _shown,
    ),
    *(
        Row(
            f"get-alerts-{name}",
            f"The first GET of 10,240 alerts from a node with {what}.",
            (Figure("first", f"first GET of 10,000 alerts, {what}", "ms", Target(1 / 5)),),
            _matched(matchers),
        )
        for name, (matchers, what) in _ADVERSE.items()
    ),
    Row(
        "get-alerts-inhibited",
        "The first GET of 10,240 alerts from a node with 200 inhibition rules.",
        (Figure("first", "first GET of 10,000 alerts, 200 inhibition rules", "ms", Target(1 / 5)),),
        _inhibited,
    ),
)
