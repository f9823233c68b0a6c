"""A fresh node receives a large state."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench, BenchNode, data_folder, silences_held, wait_for
from benchmarks.relay import Relays
from benchmarks.row import Figure, Row, Samples, Target, largest
from benchmarks.states import write_silences
from benchmarks.usage import cpu_seconds
from tests.support.alertmanager import alertmanager
from tests.support.cluster import make_authority
from tests.support.node import NodeKind

VERSION = "0.33"
PATIENCE = 60.0
LOOKED_FOR = 32


def _join(giver_of: Callable[[NodeKind], NodeKind]) -> Callable[[Bench, NodeKind], Samples]:
    def measure(bench: Bench, kind: NodeKind) -> Samples:
        samples: Samples = {"seconds": [], "megabytes": [], "giver_cpu": [], "taker_cpu": [], "held": []}
        for _ in range(bench.size(3, 1)):
            with bench.folder() as folder:
                for key, value in _once(folder, giver_of(kind), kind, bench.size(50_000, 10_000)).items():
                    samples[key].append(value)
        return samples

    return measure


def _once(folder: Path, giver_kind: NodeKind, taker_kind: NodeKind, count: int) -> dict[str, float]:
    authority = make_authority(folder / "certs")
    giver = BenchNode(giver_kind, "giver", folder / "giver", authority=authority)
    ids = write_silences(data_folder(giver), count)
    with Relays() as relays:
        address = f"127.0.0.1:{relays.add(giver.cluster_port)}"
        giver.flags["cluster.advertise-address"] = address
        taker = BenchNode(taker_kind, "taker", folder / "taker", authority=authority, peers=[address])
        taker.flags["cluster.advertise-address"] = f"127.0.0.1:{relays.add(taker.cluster_port)}"
        try:
            giver.launch()
            wait_for(giver.api.answers, 60, "the giver answers", giver.process.tail)
            wait_for(lambda: silences_held(giver) == count, 60, "the giver has loaded its file")
            time.sleep(1.0)
            giver_before = cpu_seconds(giver.pid)
            taker.launch()
            wait_for(taker.api.answers, 60, "the taker answers", taker.process.tail, 0.005)
            taker_before = cpu_seconds(taker.pid)
            done, held = _wait_for_all(taker, ids[:: max(1, count // LOOKED_FOR)], count)
            return {
                "seconds": done - relays.counted.first_at,
                "megabytes": relays.counted.bytes / 1e6,
                "giver_cpu": cpu_seconds(giver.pid) - giver_before,
                "taker_cpu": cpu_seconds(taker.pid) - taker_before,
                "held": 1e3 * held,
            }
        finally:
            for node in (giver, taker):
                node.process.kill()
                node.close()


def _wait_for_all(taker: BenchNode, ids: list[str], count: int) -> tuple[float, float]:
    """When it had them all (monotonic), and the longest that a small request took meanwhile."""
    end = time.monotonic() + PATIENCE
    longest = 0.0
    waiting = list(ids)
    with taker.connect() as connection:
        while waiting and time.monotonic() < end:
            began = time.monotonic()
            status, _ = connection.get(f"/api/v2/silence/{waiting[0]}")
            longest = max(longest, time.monotonic() - began)
            if status == 200:
                waiting.pop(0)
            else:
                time.sleep(0.002)
    # Looks that count all are dear, so they come last.
    while time.monotonic() < end:
        if silences_held(taker) == count:
            return time.monotonic(), longest
        time.sleep(0.02)
    return math.inf, longest


def _alertmanager(_: NodeKind) -> NodeKind:
    return alertmanager(VERSION)


def _same(kind: NodeKind) -> NodeKind:
    return kind


def _figures(source: str, target: Target) -> tuple[Figure, ...]:
    title = f"a fresh node receives 50,000 silences from {source}"
    return (
        Figure("seconds", title, "s", target),
        Figure("megabytes", f"{title}: transferred", "MB"),
        Figure("giver_cpu", f"{title}: CPU of the giver", "s"),
        Figure("taker_cpu", f"{title}: CPU of the taker", "s"),
        Figure("held", f"{title}: longest small request to the taker", "ms", Target(limit=20), largest),
    )


_HOW = (
    "A node with 50,000 silences (read from its file) and a fresh one that is told of it; from the first "
    "connection between them until the fresh one has all. Bytes are counted outside of TLS, both ways. The "
    "longest small request is an upper bound for how long its event loop was held."
)

ROWS = (
    Row("join-same", f"{_HOW} Both of one kind.", _figures("its own kind", Target(limit=1.0)), _join(_same)),
    Row(
        "join-alertmanager",
        f"{_HOW} The giver is an Alertmanager.",
        _figures("an Alertmanager", Target(limit=2.0)),
        _join(_alertmanager),
    ),
)
