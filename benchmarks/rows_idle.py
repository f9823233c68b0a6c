"""What nodes use when nothing happens, and the connections between them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.bench import Bench, silences_held, wait_for
from benchmarks.relay import Relays
from benchmarks.row import Figure, Row, Samples, Target
from benchmarks.states import write_silences
from benchmarks.usage import cpu_seconds, memory_bytes
from tests.support.api import prometheus_alert
from tests.support.node import NodeKind

BATCH = 256
SETTLING = 12.0
"""Seconds until a default Alertmanager has done what it does at its start."""


def _idle(bench: Bench, kind: NodeKind) -> Samples:
    with bench.cluster(kind) as nodes:
        time.sleep(SETTLING)
        seconds = bench.seconds(20, 8)
        before = [cpu_seconds(node.pid) for node in nodes]
        time.sleep(seconds)
        cpu = [
            1e3 * (cpu_seconds(node.pid) - used) / seconds for node, used in zip(nodes, before, strict=True)
        ]
        return {"memory": [memory_bytes(node.pid) / 2**20 for node in nodes], "cpu": cpu}


def _start(bench: Bench, kind: NodeKind) -> Samples:
    """What it took until the first answer; what loads later counts as soon as it is used."""
    samples: Samples = {"cpu": [], "memory": []}
    for _ in range(bench.size(10, 2)):
        with bench.alone(kind) as node:
            samples["cpu"].append(1e3 * cpu_seconds(node.pid))
            samples["memory"].append(memory_bytes(node.pid) / 2**20)
    return samples


def _held(bench: Bench, kind: NodeKind) -> Samples:
    """A node that holds what a large installation does, at rest."""
    with bench.alone(kind, prepare=lambda folder: write_silences(folder, bench.size(5_000, 1_000))) as node:
        alerts = [
            prometheus_alert(f"Group{number % 1000}", instance=f"host-{number}", team=f"team-{number % 20}")
            for number in range(bench.size(10_000, 2_000))
        ]
        with node.connect() as connection:
            for start in range(0, len(alerts), BATCH):
                status, _ = connection.post(
                    "/api/v2/alerts", json.dumps(alerts[start : start + BATCH]).encode()
                )
                assert status == 200
        time.sleep(SETTLING)
        return {"memory": [memory_bytes(node.pid) / 2**20]}


def _network(count: int, silences: int) -> Callable[[Bench, NodeKind], Samples]:
    """What passes between ``count`` nodes that hold so many silences."""

    def measure(bench: Bench, kind: NodeKind) -> Samples:
        with (
            Relays() as relays,
            bench.cluster(
                kind,
                count,
                flags={"cluster.pushpull-interval": "10s"} if bench.quick else {},
                advertise=relays.add,
                prepare=lambda folder: write_silences(folder, silences),
            ) as nodes,
        ):
            wait_for(lambda: all(silences_held(node) == silences for node in nodes), 60, "all hold all")
            # By then each had reason to talk to each: a probe goes to another member each second.
            time.sleep(bench.seconds(SETTLING + count, 5 + count))
            before = replace(relays.counted)
            seconds = bench.seconds(60, 10)  # the interval of push/pull: each node begins one
            looks: list[float] = []
            for _ in range(10):
                time.sleep(seconds / 10)
                looks.append(2 * relays.open_connections / count)
            return {
                "open": looks,
                "new": [(relays.counted.connections - before.connections) / count * 60 / seconds],
                "sent": [(relays.counted.bytes - before.bytes) / count / seconds / 1e3],
            }

    return measure


def _connections(count: int, target: Target) -> tuple[Figure, ...]:
    return (
        Figure("open", f"connections a node has, {count} nodes", "", target),
        Figure("new", f"new connections a node opens a minute, {count} nodes", "", Target(limit=0)),
    )


ROWS = (
    Row(
        "start-cost",
        "A node without a cluster and without integrations, from its start to its first answer: processor "
        "time of the process, in steps of 10 ms, and resident memory.",
        (
            Figure("cpu", "start: processor time until the first answer", "ms", Target(limit=300)),
            Figure("memory", "start: memory at the first answer", "MiB", Target(limit=45)),
        ),
        _start,
    ),
    Row(
        "idle",
        "Three nodes at rest; resident memory and CPU of each over 20 s.",
        (
            Figure("memory", "idle node: memory", "MiB", Target(limit=45)),
            Figure("cpu", "idle node: CPU", "ms/s", Target(1)),
        ),
        _idle,
    ),
    Row(
        "held",
        "A node without a cluster that holds 10,000 alerts in 1,000 groups and 5,000 silences; resident "
        "memory.",
        (
            Figure(
                "memory", "with 10,000 alerts, 5,000 silences, 1,000 groups: memory", "MiB", Target(factor=1)
            ),
        ),
        _held,
    ),
    Row(
        "network-3",
        "Three nodes with 5,000 silences at rest, for a minute; bytes sent by each, counted outside of TLS; "
        "connections that are open between them (each counts for both its ends), and new ones.",
        (
            Figure("sent", "with 5,000 silences, idle: bytes sent by a node", "kB/s", Target(limit=1.0)),
            *_connections(3, Target(limit=2)),
        ),
        _network(3, 5000),
    ),
    Row(
        "network-10",
        "Ten nodes without silences at rest, as above.",
        _connections(10, Target(limit=9)),
        _network(10, 0),
    ),
)
