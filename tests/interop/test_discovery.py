"""Nodes that find each other by DNS and by files, in both kinds of membership, while both change and fail."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support import nameserver
from tests.support.alertmanager import alertmanager
from tests.support.api import matcher, prometheus_alert
from tests.support.cluster import Cluster, issue
from tests.support.eventually import eventually, holds_for
from tests.support.nameserver import NameServer
from tests.support.node import Node, metric
from tests.support.tocsin_node import TOCSIN
from tocsin.certificates import NodeFiles

pytestmark = pytest.mark.interop

QUICK = {"cluster.discovery-interval": "1s", "cluster.reconnect-interval": "1s"}
PATIENCE = 4.0  # longer than the last node waits for those before it
SERVICE = "--cluster.peer=dnssrv+_gossip._tcp.cluster.test"
both = pytest.mark.parametrize("membership", ["gossip", "discovery"])


def records(nodes: Iterable[Node]) -> list[str]:
    return [
        line
        for node in nodes
        for line in (f"_gossip._tcp 5 SRV 0 0 {node.cluster_port} {node.name}", f"{node.name} 5 A 127.0.0.1")
    ]


def figure(node: Node, name: str) -> int:
    return int(metric(node.api.metrics(), name))


def wait_figure(node: Node, name: str, wanted: int, deadline: float = 60.0) -> None:
    eventually(lambda: figure(node, name) == wanted, f"{name} is {wanted} on {node!r}", deadline=deadline)


class Found(Cluster):
    """Nodes that are told of no peers but a way to find them."""

    def __init__(
        self,
        folder: Path,
        membership: str,
        *ways: str,
        server: NameServer | None = None,
        transport: str = "tls",
    ) -> None:
        flags = {**QUICK, "cluster.membership": membership, "cluster.transport": transport}
        if server is not None:
            flags["cluster.dns-server"] = server.address
        super().__init__(folder, flags=flags, udp=transport == "udp")
        self.ways = ways

    def issue(self, name: str) -> NodeFiles:
        """Who is found by a name must have it in its certificate."""
        return issue(self.certificates, name, f"{name}.cluster.test")

    def join(self, *names: str) -> list[Node]:
        """Start nodes that no list names yet."""
        told = dict(way.removeprefix("--").split("=", 1) for way in self.ways)
        return [self.add(TOCSIN, name, peers=[], peer_name=name, flags=told) for name in names]


def silence_goes_round(nodes: list[Node], value: str) -> None:
    for maker in nodes:
        identifier = maker.api.post_silence([matcher("x", f"{value} {maker.name}")])
        for other in nodes:
            eventually(lambda: other.api.silence(identifier) is not None, f"silence on {other!r}")  # noqa: B023


@both
def test_nodes_follow_the_records_of_a_service(tmp_path: Path, membership: str) -> None:
    if reason := nameserver.why_not():
        pytest.skip(reason)
    with (
        NameServer(tmp_path / "nsd") as server,
        Found(tmp_path, membership, SERVICE, server=server) as cluster,
    ):
        server.start([])
        a, b = cluster.join("a", "b")
        for alone in (a, b):
            alone.wait_ready()
            alone.wait_members([alone])
        server.serve(records([a, b]))
        cluster.wait_whole()
        [c] = cluster.join("c")
        server.serve(records([a, b, c]))
        cluster.wait_whole()
        silence_goes_round([a, b, c], "whole")

        # The server fails: nobody is lost, and a node that starts meanwhile finds its way by what it kept.
        server.stop()
        c.stop()
        c.restart()
        eventually(lambda: figure(c, "tocsin_discovery_sources_failing") > 0, "c cannot ask", deadline=60)
        for node in (a, b, c):
            node.wait_members([a, b, c], deadline=60)
        silence_goes_round([a, b, c], "no server")
        server.start(records([a, b, c]))
        wait_figure(a, "tocsin_discovery_sources_failing", 0)

        # One dies and is taken off the list: nobody dials it any more, no phantom is left.
        c.kill()
        for node in (a, b):
            node.wait_members([a, b])
            assert figure(node, "alertmanager_cluster_failed_peers") == 1
        server.serve(records([a, b]))
        for node in (a, b):
            wait_figure(node, "alertmanager_cluster_failed_peers", 0)
            assert figure(node, "tocsin_discovery_forgotten_total") >= 1
            assert figure(node, "tocsin_discovery_targets") == 2
        silence_goes_round([a, b], "two")


@both
def test_nodes_follow_a_file(tmp_path: Path, membership: str) -> None:
    path = tmp_path / "peers"
    path.write_text("# nobody yet\n")
    with Found(tmp_path, membership, f"--cluster.peer=file:{path}") as cluster:
        a, b, c = cluster.join("a", "b", "c")
        path.write_text("".join(f"{node.cluster_address}\n" for node in (a, b, c)))
        cluster.wait_whole()
        silence_goes_round([a, b, c], "file")
        path.write_text("")  # as an editor leaves it for a moment, or a broken tool for good
        eventually(
            lambda: figure(a, "tocsin_discovery_empty_answers_total") > 2, "a has seen it", deadline=60
        )
        path.write_text("rubbish\n")
        eventually(
            lambda: metric(a.api.metrics(), "tocsin_discovery_failures_total", reason="file") > 2, "and this"
        )
        for node in (a, b, c):
            node.wait_members([a, b, c])


@pytest.mark.parametrize("transport", ["tls", "udp", "dtls"])
def test_by_discovery_a_killed_node_is_noticed_and_an_alert_is_notified_once(
    tmp_path: Path, transport: str
) -> None:
    path = tmp_path / "peers"
    path.write_text("")
    with Found(tmp_path, "discovery", f"--cluster.peer=file:{path}", transport=transport) as cluster:
        a, b, c = cluster.join("a", "b", "c")
        path.write_text("".join(f"{node.cluster_address}\n" for node in (a, b, c)))
        cluster.wait_whole()
        for position, node in enumerate((a, b, c)):
            wait_figure(node, "alertmanager_peer_position", position)
        a.kill()
        for node in (b, c):
            node.wait_members([b, c])
        wait_figure(b, "alertmanager_peer_position", 0)
        wait_figure(c, "alertmanager_peer_position", 1)
        for node in (b, c):
            node.api.post_alerts(prometheus_alert("Killed"))
        (received, *_) = cluster.sink.wait_for("Killed")
        assert received.sender == b.url
        a.restart()
        for node in (a, b, c):
            node.wait_members([a, b, c])
        a.wait_ready()
        a.api.post_alerts(prometheus_alert("Killed"))
        holds_for(lambda: len(cluster.sink.of_alert("Killed")) == 1, "one notification", seconds=PATIENCE)
        # A process that sleeps is given up, and found again.
        c.process.send(signal.SIGSTOP)
        a.wait_members([a, b])
        c.process.send(signal.SIGCONT)
        for node in (a, b, c):
            node.wait_members([a, b, c])
        silence_goes_round([a, b, c], "after")


def test_a_cluster_goes_over_from_gossip_to_discovery_node_by_node(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    path.write_text("")
    with Found(tmp_path, "gossip", f"--cluster.peer=file:{path}") as cluster:
        nodes = cluster.join("a", "b", "c")
        path.write_text("".join(f"{node.cluster_address}\n" for node in nodes))
        cluster.wait_whole()
        for node in nodes:
            node.stop()
            node.flags["cluster.membership"] = "discovery"
            node.restart()
            cluster.wait_whole()
            silence_goes_round(nodes, f"{node.name} went over")


def test_by_discovery_an_alertmanager_on_the_list_is_a_member_and_keeps_us(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    path.write_text("")
    with Found(tmp_path, "discovery", f"--cluster.peer=file:{path}") as cluster:
        a, b = cluster.join("a", "b")
        # It gets none of our flags.
        cluster.flags.clear()
        theirs = cluster.add(alertmanager("0.33"), "theirs", peers=[a], peer_name="theirs")
        path.write_text("".join(f"{node.cluster_address}\n" for node in (a, b, theirs)))
        cluster.wait_whole()
        silence_goes_round([a, b, theirs], "mixed")
        # It probes, and would declare us dead if we did not answer.
        holds_for(
            lambda: theirs.api.peer_names() == {"a", "b", "theirs"}, "it keeps its members", seconds=PATIENCE
        )
        theirs.kill()
        for node in (a, b):
            node.wait_members([a, b])
        theirs.restart()
        cluster.wait_whole()
        silence_goes_round([a, b, theirs], "again")
