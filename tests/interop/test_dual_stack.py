"""IPv4 and IPv6 members in one cluster, over mutual TLS, a real Alertmanager among them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.alertmanager import alertmanager
from tests.support.api import matcher
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import Node, metric
from tests.support.tocsin_node import TOCSIN

pytestmark = pytest.mark.interop

QUICK = {"cluster.discovery-interval": "1s"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with Cluster(tmp_path) as cluster:
        yield cluster


def silence_goes_round(nodes: list[Node], value: str) -> None:
    for maker in nodes:
        identifier = maker.api.post_silence([matcher("x", f"{value} {maker.name}")])
        for other in nodes:
            eventually(lambda: other.api.silence(identifier) is not None, f"silence on {other!r}")  # noqa: B023


def test_members_of_both_families_and_an_alertmanager_at_ipv6_are_one_cluster(cluster: Cluster) -> None:
    four = cluster.add(TOCSIN, "four")
    six = cluster.add(TOCSIN, "six", host="::1")
    theirs = cluster.add(alertmanager("0.33"), "theirs", host="::1")
    cluster.wait_whole()
    silence_goes_round([four, six, theirs], "both")
    assert six.api.peer_addresses() == {four.cluster_address, six.cluster_address, theirs.cluster_address}
    assert {f"[::1]:{theirs.cluster_port}", f"[::1]:{six.cluster_port}"} < theirs.api.peer_addresses()
    theirs.kill()
    for node in (four, six):
        node.wait_members([four, six])
    theirs.restart()
    cluster.wait_whole()
    silence_goes_round([four, six, theirs], "again")


@pytest.mark.parametrize("membership", ["gossip", "discovery"])
def test_a_wildcard_of_ipv6_takes_both_and_a_name_of_both_is_one_member(
    cluster: Cluster, tmp_path: Path, membership: str
) -> None:
    """Each node listens on [::] and is listed by both of its addresses."""
    path = tmp_path / "peers"
    path.write_text("")
    nodes = []
    for name, host in (("a", "127.0.0.1"), ("b", "::1"), ("c", "127.0.0.1")):
        flags = {**QUICK, "cluster.membership": membership, "cluster.peer": f"file:{path}"}
        node = cluster.add(TOCSIN, name, host=host, peers=[], peer_name=name, flags=flags)
        node.stop()
        node.flags["cluster.listen-address"] = f"[::]:{node.cluster_port}"
        nodes.append(node.restart())
    path.write_text("".join(f"127.0.0.1:{n.cluster_port}\n[::1]:{n.cluster_port}\n" for n in nodes))
    for node in nodes:
        eventually(lambda: node.api.peer_names() == {"a", "b", "c"}, f"{node!r} sees three")  # noqa: B023
        node.wait_ready()
    silence_goes_round(nodes, "wild")
    for node in nodes:
        eventually(
            lambda: metric(node.api.metrics(), "tocsin_discovery_targets") == 6,  # noqa: B023
            f"{node!r} has read the file",
        )
        # The other address of each is no lost peer.
        eventually(
            lambda: metric(node.api.metrics(), "alertmanager_cluster_failed_peers") == 0,  # noqa: B023
            f"no peer of {node!r} is lost",
        )
        assert metric(node.api.metrics(), "alertmanager_cluster_members") == 3
