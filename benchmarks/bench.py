"""A place to measure in: clusters of either kind with Alertmanager's default flags."""

from __future__ import annotations

import json
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.connection import Connection
from tests.support.api import rfc3339
from tests.support.cluster import issue, make_authority
from tests.support.node import Node, NodeKind, metric
from tocsin.certificates import CertificateFolder

SILENT_CONFIG = """\
route:
  receiver: nobody
  group_by: [alertname]
  group_wait: 1h
  group_interval: 1h
receivers:
  - name: nobody
"""


class BenchNode(Node):
    """A node whose flags are the program's own defaults, but for the addresses and what a row says."""

    def __init__(
        self,
        kind: NodeKind,
        name: str,
        folder: Path,
        *,
        config: str = SILENT_CONFIG,
        authority: CertificateFolder | None = None,
        peers: Sequence[str] = (),
        flags: Mapping[str, str] | None = None,
    ) -> None:
        tls = issue(authority, name) if authority is not None else None
        super().__init__(kind, name, folder, config=config, tls=tls, peers=peers, peer_name=name)
        self.flags = {"log.level": "error", **(flags or {})}

    def launch(self) -> float:
        """Start it and do not wait; the monotonic time just before."""
        self.process = self._make_process()
        began = time.monotonic()
        self.process.start()
        return began

    def connect(self) -> Connection:
        """A connection to its API."""
        return Connection(self.url)

    @property
    def pid(self) -> int:
        return self.process.pid

    def freeze(self) -> None:
        """Stop it: the kernel still accepts its connections, and nobody ever answers."""
        self.process.send(signal.SIGSTOP)


class Bench:
    """What rows are given: how thorough to be, and clusters."""

    def __init__(self, *, quick: bool = False) -> None:
        self.quick = quick
        self.notes: list[str] = []

    def size(self, full: int, quick: int) -> int:
        """How much of something to do."""
        return quick if self.quick else full

    def seconds(self, full: float, quick: float) -> float:
        """How long to go on, at most."""
        return quick if self.quick else full

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder that is removed afterwards."""
        with tempfile.TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True) as name:
            yield Path(name)

    @contextmanager
    def alone(
        self, kind: NodeKind, *, config: str = SILENT_CONFIG, prepare: Callable[[Path], object] | None = None
    ) -> Iterator[BenchNode]:
        """One node without a cluster. ``prepare`` may fill its data folder."""
        with self.folder() as folder:
            node = BenchNode(
                kind, "alone", folder / "alone", config=config, flags={"cluster.listen-address": ""}
            )
            if prepare is not None:
                prepare(data_folder(node))
            try:
                yield _started(node)
            finally:
                node.close()

    @contextmanager
    def cluster(
        self,
        kind: NodeKind,
        count: int = 3,
        *,
        config: str = SILENT_CONFIG,
        flags: Mapping[str, str] | None = None,
        prepare: Callable[[Path], object] | None = None,
        advertise: Callable[[int], int] | None = None,
        extra_peers: Sequence[str] = (),
    ) -> Iterator[list[BenchNode]]:
        """Nodes that all see each other, over mutual TLS. ``advertise`` gives the port to tell the others."""
        with self.folder() as folder, ExitStack() as stack:
            authority = make_authority(folder / "certs")
            nodes: list[BenchNode] = []
            for number in range(count):
                name = f"node-{number}"
                node = BenchNode(
                    kind,
                    name,
                    folder / name,
                    config=config,
                    authority=authority,
                    peers=[*extra_peers, *(told_address(other) for other in nodes)],
                    flags=flags,
                )
                if advertise is not None:
                    node.flags["cluster.advertise-address"] = f"127.0.0.1:{advertise(node.cluster_port)}"
                if prepare is not None and number == 0:
                    prepare(data_folder(node))
                nodes.append(node)
                stack.callback(node.close)
                _started(node)
            stack.callback(_kill_all, nodes)
            wait_for(lambda: all(members(node) == count for node in nodes), 40, "the cluster is whole")
            yield nodes


def _kill_all(nodes: Sequence[BenchNode]) -> None:
    """All at once: nothing that is measured here is worth a goodbye."""
    for node in nodes:
        node.process.send(signal.SIGKILL)


def _started(node: BenchNode) -> BenchNode:
    node.launch()
    wait_for(node.api.answers, 30, f"{node.name} answers", node.process.tail)
    return node


def data_folder(node: BenchNode) -> Path:
    """Where a node keeps its files; made if need be."""
    path = node.folder / "data"
    path.mkdir(parents=True, exist_ok=True)
    return path


def told_address(node: BenchNode) -> str:
    """Where the others reach it."""
    return node.flags.get("cluster.advertise-address", node.cluster_address)


def members(node: BenchNode) -> int:
    """How many members it sees."""
    return len(node.api.cluster().get("peers") or [])


def settled(node: BenchNode) -> bool:
    """Whether it says that it is ready."""
    return bool(node.api.cluster()["status"] == "ready")


def silences_held(node: BenchNode) -> int:
    """How many active silences it has."""
    return int(metric(node.api.metrics(), "alertmanager_silences", state="active"))


def wait_for(
    condition: Callable[[], object],
    patience: float,
    what: str,
    tail: Callable[[], str] = str,
    interval: float = 0.02,
) -> None:
    """Wait until it is true; TimeoutError after ``patience`` seconds."""
    if not waited_for(condition, patience, interval):
        error = TimeoutError(f"not within {patience:g} s: {what}")
        error.add_note(tail())
        raise error


def waited_for(condition: Callable[[], object], patience: float, interval: float = 0.02) -> bool:
    """Wait until it is true, or ``patience`` seconds are over; whether it became true."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(interval)
    return True


def silence_body(number: int, *, comment: str = "measured", hours: float = 2.0) -> bytes:
    """The body of a POST of a new silence."""
    now = datetime.now(UTC)
    body: dict[str, Any] = {
        "matchers": [{"name": "alertname", "value": f"Measured{number}", "isRegex": False, "isEqual": True}],
        "startsAt": rfc3339(now),
        "endsAt": rfc3339(now + timedelta(hours=hours)),
        "createdBy": "benchmarks",
        "comment": comment,
    }
    return json.dumps(body).encode()


def post_silence(connection: Connection, body: bytes) -> str:
    """Make a silence; its id."""
    status, answer = connection.post("/api/v2/silences", body)
    if status != 200:
        raise RuntimeError(f"a silence was refused: {status} {answer[:200]!r}")
    return str(json.loads(answer)["silenceID"])


def in_threads(function: Callable[[int], None], count: int) -> None:
    """Run it so many times at once; raises what one of them raised."""
    problems: list[BaseException] = []

    def run(number: int) -> None:
        try:
            function(number)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
