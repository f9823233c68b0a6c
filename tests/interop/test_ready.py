"""Nodes are ready when they know what their peers know, and not later."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.node import Node, metric, webhook_config
from tests.support.tocsin_node import TOCSIN

pytestmark = pytest.mark.interop


def settled_after(node: Node) -> float:
    """Seconds, as its log says."""
    found = re.search(r"gossip settled; proceeding.* elapsed=([\d.]+)", (node.folder / "log").read_text())
    assert found, "it did not settle by itself"
    return float(found[1])


def test_three_started_together_are_ready_and_send_each_other_no_whole_states(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        for name in ("a", "b", "c"):
            node = Node(
                TOCSIN,
                name,
                tmp_path / name,
                config=webhook_config(cluster.sink.url),
                tls=cluster.issue(name),
                peer_name=name,
            )
            cluster.nodes.append(node)
        for node in cluster.nodes:
            node.peers = [other.cluster_address for other in cluster.nodes]
            node.process = node._make_process()
        for node in cluster.nodes:
            node.process.start()
        cluster.wait_whole()
        print("settled after", [settled_after(node) for node in cluster.nodes])
        for node in cluster.nodes:
            text = node.api.metrics()
            assert metric(text, "tocsin_anti_entropy_exchanges_total", reason="agreed") > 0
            assert (
                metric(text, "alertmanager_cluster_messages_received_size_total", msg_type="full_state") == 0
            )


def test_a_black_hole_among_the_peers_does_not_keep_a_node_from_settling(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster, socket.create_server(("127.0.0.1", 0)) as black_hole:
        one = cluster.add(TOCSIN, "one", peer_name="one")
        other = Node(
            TOCSIN,
            "other",
            tmp_path / "other",
            config=webhook_config(cluster.sink.url),
            tls=cluster.issue("other"),
            peers=[one.cluster_address, f"127.0.0.1:{black_hole.getsockname()[1]}"],
            peer_name="other",
            flags={"cluster.settle-timeout": "10m", "cluster.tcp-timeout": "30s"},
        )
        cluster.nodes.append(other)
        other.start()
        cluster.wait_whole()
        print("settled after", settled_after(other))
