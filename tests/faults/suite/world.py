"""A cluster in a troubled network, seen from outside: who sees whom, who knows what, who was notified."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx

from tests.faults.suite.flow import Flow
from tests.faults.suite.network import HUB, Network, address
from tests.support.api import Api
from tests.support.node import Node, NodeKind, webhook_config
from tests.support.sink import WebhookSink
from tests.support.skew import skew, skewable
from tests.support.tocsin_node import TOCSIN
from tocsin.certificates import CertificateFolder
from tocsin.node.store.export import Exported, read

PORT: Final = 9093
CLUSTER_PORT: Final = 9094
DEADLINE: Final = 90.0
_ROOT: Final = Path(__file__).resolve().parents[3]


class WaitedTooLongError(AssertionError):
    """Something that must come did not, in time."""


def seconds_until(condition: Callable[[], bool], what: str, deadline: float = DEADLINE) -> float:
    """How long it took until the condition held; :class:`WaitedTooLongError`."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > deadline:
            raise WaitedTooLongError(f"not within {deadline:g} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - began


class PlacedNode(Node):
    """A node at a port of the switch, in the network namespace of that port."""

    def __init__(self, port: int, network: Network, kind: NodeKind, *arguments: Any, **options: Any) -> None:
        self.place = port
        self.host = address(port)
        placed = replace(kind, command=(*network.entering(port), *kind.command))
        super().__init__(placed, *arguments, **options)

    def _choose_ports(self) -> None:
        self.port, self.cluster_port = PORT, CLUSTER_PORT
        self.url = f"http://{self.host}:{PORT}"
        self.cluster_address = f"{self.host}:{CLUSTER_PORT}"
        self.api = Api(self.url, timeout=5.0)

    @property
    def is_tocsin(self) -> bool:
        return self.kind.version is None


@dataclass(frozen=True, slots=True)
class Notified:
    """How the groups fared."""

    groups: int
    unnotified: tuple[str, ...]
    twice_meanwhile: int
    twice_otherwise: tuple[str, ...]
    repeats: tuple[str, ...]
    """Each of them told: seconds since the trouble began, and from where."""


class World:
    """Nodes at ports 1 to n. Use as a context manager."""

    def __init__(
        self,
        folder: Path,
        kinds: Sequence[NodeKind],
        *,
        seed: int,
        flags: Mapping[str, str],
        skewed: bool = False,
        disks: Mapping[int, Path] | None = None,
        pace: float = 1.0,
    ) -> None:
        self.network = Network(len(kinds), seed)
        self._folder = folder
        self._kinds = kinds
        self._flags = flags
        self._skewed = skewed
        self._disks = disks or {}
        self._seed = seed
        self._pace = pace
        self.nodes: list[PlacedNode] = []

    def __enter__(self) -> Self:
        self.network.__enter__()
        self.sink = WebhookSink(host=address(HUB))
        self.sink.__enter__()
        authority = CertificateFolder(self._folder / "certs")
        now = datetime.now(UTC) - timedelta(hours=12)
        authority.initialise("Cluster CA", now=now, lifetime=timedelta(days=3))
        for place, kind in enumerate(self._kinds, 1):
            name = f"node-{place}"
            folder = self._folder / name
            flags = dict(self._flags)
            if place in self._disks:
                flags["storage.path"] = str(self._disks[place])
            node = PlacedNode(
                place,
                self.network,
                skewable(kind, folder / "offset") if self._skewed else kind,
                name,
                folder,
                config=webhook_config(self.sink.url),
                tls=authority.issue(name, [address(place)], now=now, lifetime=timedelta(days=2)),
                peers=[f"{address(port)}:{CLUSTER_PORT}" for port in self.network.ports if port != place],
                peer_name=name,
                flags=flags,
            )
            self.nodes.append(node)
        for node in self.nodes:
            node.process.start()
        seconds_until(lambda: all(_answers(node) for node in self.nodes), "all nodes answer")
        self.wait_members(self.nodes, self.nodes)
        for node in self.nodes:
            node.wait_ready()
        self.flow = Flow(list(self.nodes), self._seed, self._pace)
        return self

    def __exit__(self, *exc: object) -> None:
        self.network.heal()
        if hasattr(self, "flow"):
            self.flow.stop()
        for node in self.nodes:
            node.process.send(signal.SIGCONT)
            node.process.send(signal.SIGTERM)
        for node in self.nodes:
            node.close()
        self.sink.__exit__(*exc)
        self.network.__exit__(*exc)

    def skew(self, node: PlacedNode, seconds: float) -> None:
        """Set the wall clock of a node by so much wrong."""
        self.flow.book.reports.skewed(node.url, seconds)
        skew(node.folder / "offset", seconds)

    # -- what the nodes say

    def sees(self, node: PlacedNode) -> set[str]:
        """The addresses of the members that a node sees; empty when it does not answer."""
        try:
            return node.api.peer_addresses()
        except httpx.HTTPError:
            return set()

    def wait_members(self, nodes: Iterable[PlacedNode], members: Iterable[PlacedNode]) -> float:
        """Until these nodes see exactly these members."""
        wanted = {node.cluster_address for node in members}
        watched = list(nodes)
        return seconds_until(
            lambda: all(self.sees(node) == wanted for node in watched),
            f"{[node.name for node in watched]} see {sorted(wanted)}",
        )

    def silences(self, node: PlacedNode) -> dict[str, dict[str, Any]]:
        """All silences of a node by id; empty when it does not answer."""
        try:
            return {silence["id"]: silence for silence in node.api.silences()}
        except httpx.HTTPError:
            return {}

    def broken(self, until: float) -> list[str]:
        """What was promised before ``until`` and does not hold on each node."""
        return [
            f"on {node.name}: {problem}"
            for node in self.nodes
            for problem in self.flow.book.broken(self.silences(node), until)
        ]

    def equal(self) -> bool:
        """Whether all nodes hold the same: silences as they show them, log entries as they keep them."""
        first, *others = [
            {
                id_: (one["updatedAt"], one["comment"], one["endsAt"])
                for id_, one in self.silences(node).items()
            }
            for node in self.nodes
        ]
        if not first or any(other != first for other in others):
            return False
        logs = [self.log_entries(node) for node in self.nodes if node.is_tocsin]
        return all(log == logs[0] for log in logs)

    def log_entries(self, node: PlacedNode) -> set[tuple[bytes, int]]:
        """The notification log on a node's disk."""
        folder = self._disks.get(node.place, node.folder / "data")
        return {
            (entry.group_key, entry.timestamp) for entry in read(folder, time.time_ns(), Exported())["nfl"]
        }

    def notified(self, trouble: tuple[float, float]) -> Notified:
        """Who was notified how often; ``trouble``: from when until when it could not be otherwise."""
        times: dict[str, list[tuple[float, str]]] = {}
        for received in self.sink.all():
            if received.body["status"] == "firing":
                for name in received.alert_names:
                    times.setdefault(name, []).append((received.at, received.sender))
        fired = [name for name, alert in self.flow.book.alerts.items() if alert.accepted_by]
        first = {name: min(each) for name, each in times.items()}
        again = [(name, at, sender) for name, each in times.items() for at, sender in sorted(each)[1:]]
        otherwise = [name for name, at, _ in again if not trouble[0] <= at <= trouble[1]]
        return Notified(
            groups=len(fired),
            unnotified=tuple(name for name in fired if name not in times),
            twice_meanwhile=len(again) - len(otherwise),
            twice_otherwise=tuple(sorted(otherwise)),
            repeats=tuple(
                f"{name}: first {first[name][0] - trouble[0]:+.2f} s by {first[name][1]}, "
                f"again {at - trouble[0]:+.2f} s by {sender}"
                for name, at, sender in again
            ),
        )


def _answers(node: PlacedNode) -> bool:
    if not node.process.alive:
        raise WaitedTooLongError(
            f"{node.name} ended with status {node.process.returncode}\n{node.process.tail()}"
        )
    return node.api.answers()


def tocsins(count: int) -> list[NodeKind]:
    """So many Tocsin nodes."""
    return [TOCSIN] * count
