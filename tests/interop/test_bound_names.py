"""--cluster.tls-bind-names beside real Alertmanagers, and peers that are given by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.alertmanager import alertmanager
from tests.support.cluster import Cluster
from tests.support.eventually import eventually, holds_for
from tests.support.node import ON, Node, NodeKind, metric
from tests.support.tocsin_node import TOCSIN
from tocsin.certificates import NodeFiles

pytestmark = pytest.mark.interop


def named(cluster: Cluster, name: str, *hosts: str) -> NodeFiles:
    """Files whose certificate carries these names beside the address."""
    return cluster.certificates.issue(
        name, ["127.0.0.1", *hosts], now=datetime.now(UTC), lifetime=timedelta(days=1)
    )


def test_an_alertmanager_with_its_certificates_name_is_a_member(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        for kind, name in ((TOCSIN, "first"), (alertmanager("0.33"), "theirs"), (TOCSIN, "last")):
            flags = {"cluster.tls-bind-names": ON} if kind is TOCSIN else {}
            cluster.add(kind, name, peer_name=name, tls=named(cluster, name, name), flags=flags)
        cluster.wait_whole()
        for node in (cluster.nodes[0], cluster.nodes[2]):
            assert metric(node.api.metrics(), "tocsin_gossip_names_refused_total") == 0
            assert node.api.peer_names() == {"first", "theirs", "last"}


@pytest.mark.parametrize("version", ["0.28", "0.33"])
def test_an_alertmanager_with_a_random_name_is_none(tmp_path: Path, version: str) -> None:
    """It learns of us and may keep us; to us it is nobody."""
    with Cluster(tmp_path) as cluster:
        ours = [
            cluster.add(
                TOCSIN,
                name,
                peer_name=name,
                tls=named(cluster, name, name),
                flags={"cluster.tls-bind-names": ON},
            )
            for name in ("first", "last")
        ]
        cluster.wait_whole()
        theirs = cluster.add(alertmanager(version), "theirs", tls=named(cluster, "theirs", "theirs"))
        whole = {node.cluster_address for node in ours}
        refused: list[Node] = []

        def counted() -> bool:
            refused[:] = [
                node for node in ours if metric(node.api.metrics(), "tocsin_gossip_names_refused_total")
            ]
            return bool(refused)

        eventually(counted, f"{theirs!r} is refused and counted")
        holds_for(
            lambda: all(node.api.peer_addresses() == whole for node in ours), "they are two", seconds=3.0
        )


def test_a_peer_given_by_name_needs_a_certificate_for_that_name(tmp_path: Path, theirs: NodeKind) -> None:
    with Cluster(tmp_path) as cluster:
        for kind, names, good in (
            (theirs, ("localhost",), True),
            (theirs, (), False),
            (TOCSIN, ("localhost",), True),
            (TOCSIN, (), False),
        ):
            label = f"{kind.name.replace('.', '-')}-{'good' if good else 'bad'}"
            there = cluster.add(kind, label, peers=[], tls=named(cluster, label, *names))
            here = Node(
                TOCSIN,
                f"of-{label}",
                tmp_path / f"of-{label}",
                config=there.config_file.read_text(),
                tls=named(cluster, f"of-{label}"),
                peers=[f"localhost:{there.cluster_port}"],
            )
            cluster.nodes.append(here)
            here.start()
            if good:
                here.wait_members([there, here])
            else:
                eventually(
                    lambda: "certificate is for another name" in here.process.text(),  # noqa: B023
                    "its log tells why",
                )
                assert here.api.peer_addresses() == {here.cluster_address}
