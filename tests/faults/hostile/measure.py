"""What a cluster is like meanwhile: latency of gossip and API, and the memory of the node under attack."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import httpx

from tests.support.api import matcher, rfc3339
from tests.support.node import Node

PAUSE = 0.02
POLL = 0.002
LOST = 10.0
"""Seconds after which a silence is taken for not seen, and counted so."""


def quantile(values: list[float], share: float) -> float:
    """Of no values: not a number."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


@dataclass
class Latencies:
    """Seconds each."""

    api: list[float] = field(default_factory=list)
    """Making a silence on the node under attack, and reading the alerts there."""
    gossip: list[float] = field(default_factory=list)
    """From the answer to a silence made on one node until the other has it, both ways in turn."""
    unseen: int = 0
    failed: int = 0


class Probe:
    """Goes on in a thread, from entering to leaving."""

    def __init__(self, target: Node, other: Node) -> None:
        self.latencies = Latencies()
        self._nodes = (target, other)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(2 * LOST)

    def _run(self) -> None:
        clients = [httpx.Client(base_url=node.url, timeout=LOST, trust_env=False) for node in self._nodes]
        number = 0
        while not self._stop.wait(PAUSE):
            number += 1
            try:
                self._once(clients[number % 2], clients[1 - number % 2], number)
            except httpx.HTTPError:
                self.latencies.failed += 1
        for client in clients:
            client.close()

    def _once(self, maker: httpx.Client, seer: httpx.Client, number: int) -> None:
        now = datetime.now(UTC)
        body = {
            "matchers": [matcher("probe", str(number))],
            "startsAt": rfc3339(now),
            "endsAt": rfc3339(now + timedelta(seconds=30)),
            "createdBy": "probe",
            "comment": "",
        }
        began = time.perf_counter()
        answer = maker.post("/api/v2/silences", json=body)
        made = time.perf_counter()
        answer.raise_for_status()
        identifier = answer.json()["silenceID"]
        while seer.get(f"/api/v2/silence/{identifier}").status_code != 200:
            if time.perf_counter() - made > LOST:
                self.latencies.unseen += 1
                break
            time.sleep(POLL)
        else:
            self.latencies.gossip.append(time.perf_counter() - made)
        target = maker if number % 2 == 0 else seer
        if target is maker:
            self.latencies.api.append(made - began)
        began = time.perf_counter()
        target.get("/api/v2/alerts").raise_for_status()
        self.latencies.api.append(time.perf_counter() - began)


def resident(pid: int) -> int:
    """Bytes of memory in use."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> int:
    """The most since :func:`forget_peak`."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Measure the peak anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {name} of process {pid}")
