"""A node of a cluster, of either kind: the flags are the same, so the tests need not know which it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.processes import Process, free_port, start_until_up
from tocsin.certificates import NodeFiles


@dataclass(frozen=True, slots=True)
class NodeKind:
    """A program that can be a node."""

    name: str  # as a test's id shows it: "tocsin", "alertmanager-0.33"
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None  # to run it in
    version: tuple[int, int] | None = None  # of Alertmanager; None: Tocsin

    @property
    def knows_peer_name(self) -> bool:
        return self.version is None or self.version >= (0, 30)

    @property
    def knows_label(self) -> bool:
        return self.version is None or self.version >= (0, 26)

    def __str__(self) -> str:
        return self.name


ON = "(on)"
"""The value of a switch that is turned on."""

# Much quicker than the defaults, and still far slower than any step takes on a busy machine.
QUICK = {
    "cluster.gossip-interval": "50ms",
    "cluster.probe-interval": "500ms",
    "cluster.probe-timeout": "250ms",
    "cluster.pushpull-interval": "2s",
    "cluster.settle-timeout": "10s",
    "cluster.peer-timeout": "1s",
    "cluster.reconnect-interval": "1s",
    "cluster.tcp-timeout": "2s",
    "log.level": "debug",
}
# Where no node dies, none is taken for dead either, however long the machine keeps it from answering.
PATIENT = {"cluster.probe-interval": "1h", "cluster.pushpull-interval": "10m", "cluster.tcp-timeout": "1m"}


class Node:
    """One node in a folder of its own. ``start`` again after ``stop`` or ``kill`` for a restart."""

    host = "127.0.0.1"  # a node in a network of its own has another

    def __init__(
        self,
        kind: NodeKind,
        name: str,
        folder: Path,
        *,
        config: str,
        tls: NodeFiles | None = None,
        peers: Iterable[str] = (),
        peer_name: str = "",
        flags: Mapping[str, str] | None = None,
        cluster_host: str = "",
    ) -> None:
        self.cluster_host = cluster_host or self.host
        self.kind = kind
        self.name = name
        self.folder = folder
        self.tls = tls
        self.peers = list(peers)
        self.peer_name = peer_name if kind.knows_peer_name else ""
        self.flags = {**QUICK, **(flags or {})}
        self.config_file = folder / "alertmanager.yml"
        folder.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(config)
        self._choose_ports()
        self.process = self._make_process()

    def __repr__(self) -> str:
        return f"<{self.name}: {self.kind} at {self.cluster_address}>"

    def _choose_ports(self) -> None:
        self.port, self.cluster_port = free_port(), free_port()
        self.url = f"http://{self.host}:{self.port}"
        host = f"[{self.cluster_host}]" if ":" in self.cluster_host else self.cluster_host
        self.cluster_address = f"{host}:{self.cluster_port}"
        self.api = Api(self.url)

    def arguments(self) -> list[str]:
        """The command line, as an operator would write it."""
        flags = {
            "config.file": str(self.config_file),
            "storage.path": str(self.folder / "data"),
            "web.listen-address": f"{self.host}:{self.port}",
            "web.external-url": self.url,
            "cluster.listen-address": self.cluster_address,
            "cluster.advertise-address": self.cluster_address,
            **self.flags,
        }
        if self.tls is not None:
            flags["cluster.tls-config"] = str(self.tls.tls_config)
        if self.peer_name:
            flags["cluster.peer-name"] = self.peer_name
        # A switch takes no value.
        switches = {f for f, value in flags.items() if f.startswith("no-") or value == ON}
        listed = [f"--{f}" if f in switches else f"--{f}={value}" for f, value in flags.items()]
        return listed + [f"--cluster.peer={peer}" for peer in self.peers]

    def _make_process(self) -> Process:
        command: Sequence[str] = [*self.kind.command, *self.arguments()]
        return Process(
            f"{self.name} ({self.kind})",
            command,
            log=self.folder / "log",
            environment=self.kind.environment,
            directory=self.kind.directory,
        )

    def start(self, *, fixed_ports: bool = False) -> Node:
        """Start it, wait until its API answers; with new ports if one was taken, unless ``fixed_ports``."""
        first = True

        def make() -> Process:
            nonlocal first
            if not first and not fixed_ports:
                self._choose_ports()
            first = False
            self.process = self._make_process()
            return self.process

        start_until_up(make, lambda: self.api.answers(), attempts=1 if fixed_ports else 3)
        return self

    def restart(self) -> Node:
        """Start it again at the same addresses, as a service manager does."""
        return self.start(fixed_ports=True)

    def stop(self) -> int:
        """SIGTERM: it leaves the cluster, writes its state, and ends. Returns the exit status."""
        return self.process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    @property
    def alive(self) -> bool:
        return self.process.alive

    def close(self) -> None:
        """End it, politely first, and forget it."""
        self.process.terminate(5.0)
        self.process.forget()
        self.api.close()

    def wait_ready(self) -> Node:
        """Wait until the cluster has settled."""
        eventually(
            lambda: self.api.cluster()["status"] == "ready", f"{self!r} is ready", ignoring=(httpx.HTTPError,)
        )
        return self

    def wait_members(self, nodes: Iterable[Node], *, deadline: float = 30.0) -> None:
        """Wait until it sees exactly these nodes (itself among them)."""
        wanted = {node.cluster_address for node in nodes}
        eventually(
            lambda: self.api.peer_addresses() == wanted or _differ(self.api.peer_addresses(), wanted),
            f"{self!r} sees {sorted(wanted)}",
            deadline=deadline,
            ignoring=(httpx.HTTPError,),
        )


def _differ(seen: set[str], wanted: set[str]) -> bool:
    raise AssertionError(
        f"sees {sorted(seen)}, missing {sorted(wanted - seen)}, too many {sorted(seen - wanted)}"
    )


def webhook_config(url: str, *, group_wait: str = "100ms", group_interval: str = "5m") -> str:
    """A configuration that sends every alert, grouped by name, to one webhook."""
    return f"""\
route:
  receiver: sink
  group_by: [alertname]
  group_wait: {group_wait}
  group_interval: {group_interval}
  repeat_interval: 4h
receivers:
  - name: sink
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


def metric(text: str, name: str, **labels: str) -> float:
    """The sum of the samples of ``name`` whose labels include ``labels``; 0 if there are none."""
    total = 0.0
    for line in text.splitlines():
        if not line.startswith(name):
            continue  # most, and much sooner than by the pattern
        found = re.match(rf"{re.escape(name)}(?:\{{(.*)\}})? (\S+)$", line)
        if found:
            present = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[1] or ""))
            if labels.items() <= present.items():
                total += float(found[2])
    return total
