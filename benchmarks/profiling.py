"""Where nodes spend their time while silences are posted to one of them at 1,000 a second."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, BenchNode, members, post_silence, silence_body, wait_for
from tests.support.cluster import make_authority
from tests.support.node import NodeKind
from tests.support.tocsin_node import TOCSIN

RATE = 1000
CONNECTIONS = 32
"""Enough for the rate: each silence waits for the disk before its answer, and there they gather."""
TOP = 25
_ROOT = Path(__file__).resolve().parents[1]


def profile(bench: Bench) -> dict[str, Any]:
    """Three nodes; the one that is posted to and one that only receives are looked into."""
    seconds = bench.seconds(15, 5)
    roles = ("the node that silences are posted to", "a node that receives them", "")
    with bench.folder() as folder:
        authority = make_authority(folder / "certs")
        nodes: list[BenchNode] = []
        outputs = [folder / f"profile-{number}.json" for number in range(3)]
        for number, role in enumerate(roles):
            command = (
                (sys.executable, "-m", "benchmarks.profiled_daemon", str(outputs[number]))
                if role
                else TOCSIN.command
            )
            kind = NodeKind("tocsin", command, environment={"PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"})
            name = f"node-{number}"
            peers = [node.cluster_address for node in nodes]
            nodes.append(BenchNode(kind, name, folder / name, authority=authority, peers=peers))
        try:
            for node in nodes:
                node.launch()
                wait_for(node.api.answers, 30, f"{node.name} answers", node.process.tail)
            wait_for(lambda: all(members(node) == 3 for node in nodes), 30, "the cluster is whole")
            for node in nodes[:2]:
                node.process.send(signal.SIGUSR1)
            posted = _load(nodes[0], seconds)
            for node in nodes[:2]:
                node.process.send(signal.SIGUSR2)
            wait_for(lambda: all(output.exists() for output in outputs[:2]), 30, "the profiles are written")
            found = [json.loads(output.read_text()) for output in outputs[:2]]
        finally:
            for node in nodes:
                node.process.kill()
                node.close()
    return {
        "rate": posted / seconds,
        "asked": RATE,
        "nodes": [
            {"role": role, "cpu": one["cpu"], "samples": one["samples"], "top": _top(one)}
            for role, one in zip(roles, found, strict=False)
        ],
    }


def _top(one: dict[str, Any]) -> list[tuple[str, float, float]]:
    """The places with the most time of their own, as shares."""
    samples = max(1, one["samples"])
    places = sorted(one["own"], key=one["own"].__getitem__, reverse=True)[:TOP]
    return [(place, one["own"][place] / samples, one["total"][place] / samples) for place in places]


def _load(node: BenchNode, seconds: float) -> int:
    """Post RATE silences a second over a few connections; how many were posted."""
    posted = [0] * CONNECTIONS
    began = time.monotonic()

    def post(number: int) -> None:
        with node.connect() as connection:
            while (now := time.monotonic()) < began + seconds:
                due = began + posted[number] * CONNECTIONS / RATE
                if due > now:
                    time.sleep(due - now)
                post_silence(connection, silence_body(posted[number] * CONNECTIONS + number))
                posted[number] += 1

    threads = [threading.Thread(target=post, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(posted)
