"""A large state passes between nodes, and nobody is kept waiting by it."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from benchmarks.bench import Bench, BenchNode, data_folder, members, settled, silences_held, wait_for
from benchmarks.relay import Relays
from benchmarks.row import Figure, Row, Samples, Target, largest
from benchmarks.states import write_silences
from benchmarks.usage import cpu_seconds
from tests.support.alertmanager import alertmanager
from tests.support.cluster import make_authority
from tests.support.node import NodeKind, metric

VERSION = "0.33"
PATIENCE = 60.0
LOOKED_FOR = 32


def _join(giver_of: Callable[[NodeKind], NodeKind]) -> Callable[[Bench, NodeKind], Samples]:
    def measure(bench: Bench, kind: NodeKind) -> Samples:
        samples: Samples = {}
        for _ in range(bench.size(3, 1)):
            with bench.folder() as folder:
                for key, value in _once(folder, giver_of(kind), kind, bench.size(50_000, 10_000)).items():
                    samples.setdefault(key, []).append(value)
        return samples

    return measure


def longest_turn(key: str, node: BenchNode) -> dict[str, float]:
    """How long one turn of a Tocsin node's event loop has been at most since it serves, by its own metric."""
    seconds = metric(node.api.metrics(), "tocsin_event_loop_lag_max_seconds")
    return {key: 1e3 * seconds} if seconds else {}


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
                "taker_cpu": (taker_cpu := cpu_seconds(taker.pid) - taker_before),
                "entry": 1e6 * taker_cpu / count,
                "held": 1e3 * held,
                **longest_turn("taker_turn", taker),
                **longest_turn("giver_turn", giver),
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


class _Waits:
    """Asks a node for something small over and over, in a thread: how long was the longest wait?"""

    def __init__(self, node: BenchNode) -> None:
        self.longest = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(node,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self, node: BenchNode) -> None:
        with node.connect() as connection:
            while not self._stop.wait(0.002):
                began = time.monotonic()
                connection.get("/-/healthy")
                self.longest = max(self.longest, time.monotonic() - began)


def _give(bench: Bench, kind: NodeKind) -> Samples:
    """The node has the silences, a fresh Alertmanager joins it."""
    count = bench.size(50_000, 10_000)
    with bench.folder() as folder:
        authority = make_authority(folder / "certs")
        giver = BenchNode(kind, "giver", folder / "giver", authority=authority)
        write_silences(data_folder(giver), count)
        taker = BenchNode(
            alertmanager(VERSION),
            "taker",
            folder / "taker",
            authority=authority,
            peers=[giver.cluster_address],
        )
        try:
            giver.launch()
            wait_for(giver.api.answers, 60, "the giver answers", giver.process.tail)
            with _Waits(giver) as waits:
                taker.launch()
                wait_for(taker.api.answers, 60, "the taker answers", taker.process.tail)
                wait_for(lambda: silences_held(taker) == count, 60, "the taker has all", interval=0.1)
            turn = longest_turn("turn", giver)
        finally:
            for node in (giver, taker):
                node.process.kill()
                node.close()
    return {"held": [1e3 * waits.longest]} | {key: [value] for key, value in turn.items()}


def _restart(bench: Bench, kind: NodeKind) -> Samples:
    """The node and an Alertmanager have the same silences; the node is stopped and started again."""
    count = bench.size(50_000, 10_000)
    with bench.folder() as folder:
        authority = make_authority(folder / "certs")
        other = BenchNode(alertmanager(VERSION), "other", folder / "other", authority=authority)
        write_silences(data_folder(other), count)
        node = BenchNode(kind, "node", folder / "node", authority=authority, peers=[other.cluster_address])
        shutil.copy(data_folder(other) / "silences", data_folder(node) / "silences")
        try:
            other.launch()
            wait_for(other.api.answers, 60, "the other answers", other.process.tail)
            node.launch()
            wait_for(node.api.answers, 60, "the node answers", node.process.tail)
            wait_for(lambda: settled(node) and members(node) == 2, 60, "the node is ready")
            node.stop()
            began = node.launch()
            wait_for(node.api.answers, 60, "the node answers again", node.process.tail, 0.005)
            with _Waits(node) as waits:
                wait_for(lambda: settled(node) and members(node) == 2, 60, "the node is ready again")
                ready = time.monotonic() - began
                cpu = cpu_seconds(node.pid)
                time.sleep(bench.seconds(5, 2))  # it may still have something to tell
            wait_for(lambda: silences_held(node) == count, 60, "the node has all")
            turn = longest_turn("turn", node)
        finally:
            for each in (other, node):
                each.process.kill()
                each.close()
    figures = {"held": [1e3 * waits.longest], "ready": [ready], "cpu": [cpu], "entry": [1e6 * cpu / count]}
    return figures | {key: [value] for key, value in turn.items()}


def _alertmanager(_: NodeKind) -> NodeKind:
    return alertmanager(VERSION)


def _same(kind: NodeKind) -> NodeKind:
    return kind


def _figures(source: str, target: Target) -> tuple[Figure, ...]:
    title = f"a fresh node receives 50,000 silences from {source}"
    return (
        Figure("seconds", title, "s", target),
        Figure("megabytes", f"{title}: transferred", "MB", Target(factor=1)),
        Figure("giver_cpu", f"{title}: CPU of the giver", "s"),
        Figure("taker_cpu", f"{title}: CPU of the taker", "s"),
        Figure("entry", f"{title}: CPU of the taker for each", "µs", Target(limit=20)),
        Figure("held", f"{title}: longest small request to the taker", "ms", Target(limit=20), largest),
        Figure("taker_turn", f"{title}: longest turn of the taker's loop", "ms", Target(limit=20), largest),
    )


def _held(title: str) -> tuple[Figure, ...]:
    return (
        Figure("held", f"{title}: longest small request to it", "ms", Target(limit=20), largest),
        Figure("turn", f"{title}: longest turn of its loop", "ms", Target(limit=20), largest),
    )


_HOW = (
    "A node with 50,000 silences (read from its file) and a fresh one that is told of it; from the first "
    "connection between them until the fresh one has all. Bytes are counted outside of TLS, both ways. The "
    "longest small request is an upper bound for how long its event loop was held; the longest turn of a "
    "loop is what the node itself measured since it serves."
)

_GIVER_TURN = Figure(
    "giver_turn",
    "a fresh node receives 50,000 silences from its own kind: longest turn of the giver's loop",
    "ms",
    Target(limit=20),
    largest,
)

ROWS = (
    Row(
        "join-same",
        f"{_HOW} Both of one kind.",
        (*_figures("its own kind", Target(factor=1.0)), _GIVER_TURN),
        _join(_same),
    ),
    Row(
        "join-alertmanager",
        f"{_HOW} The giver is an Alertmanager.",
        _figures("an Alertmanager", Target(factor=1.5)),
        _join(_alertmanager),
    ),
    Row(
        "give-alertmanager",
        "A node with 50,000 silences (read from its file), and a fresh Alertmanager that joins it; until "
        "it has all.",
        _held("a node gives 50,000 silences to an Alertmanager"),
        _give,
    ),
    Row(
        "restart-large",
        "A node and an Alertmanager with the same 50,000 silences; the node is stopped and started again. "
        "Ready: from the start of its process. Requests: from its first answer until 5 s after it is ready.",
        (
            Figure("ready", "a node with 50,000 silences is started again: ready after", "s"),
            Figure("cpu", "a node with 50,000 silences is started again: CPU until ready", "s"),
            Figure("entry", "the same for each silence, its own start included", "µs", Target(limit=20)),
            *_held("a node with 50,000 silences is started again"),
        ),
        _restart,
    ),
)
