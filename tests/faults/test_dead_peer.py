"""A dead peer is only its own trouble, whatever its way of being dead."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import matcher
from tests.support.bursts import active_silences, post_silences, wait_active
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import PATIENT, Node, metric
from tests.support.processes import free_port
from tests.support.tocsin_node import TOCSIN
from tests.support.troubled_link import Trouble, TroubledLink

IMPATIENT = {"cluster.probe-interval": "500ms"}


def members(node: Node) -> int:
    return int(metric(node.api.metrics(), "alertmanager_cluster_members"))


def wait_seen(nodes: list[Node], id_: str) -> None:
    for node in nodes:
        eventually(lambda: node.api.silence(id_) is not None, f"the silence on {node!r}")  # noqa: B023


def wait_member_count(nodes: list[Node], count: int) -> None:
    for node in nodes:
        eventually(lambda: members(node) == count, f"{count} members on {node!r}")  # noqa: B023


@contextlib.contextmanager
def behind_a_link(cluster: Cluster, name: str) -> Iterator[tuple[Node, TroubledLink]]:
    """One more node of the cluster; the others reach it through the link alone.

    It does without tocsin/1: they would answer on the connections that it dials, past the link.
    """
    front = free_port()
    advertised = {"cluster.advertise-address": f"127.0.0.1:{front}", "no-cluster.tocsin-protocol": ""}
    others = list(cluster.nodes)
    node = cluster.add(TOCSIN, name, peers=[], flags=advertised)
    with TroubledLink(front, node.cluster_port) as link:
        node.stop()
        node.peers = [other.cluster_address for other in others]
        node.restart()
        yield node, link


@pytest.mark.parametrize("trouble", list(Trouble))
def test_the_others_go_on_as_if_it_were_not_there_and_it_is_found_out_and_comes_back(
    tmp_path: Path, trouble: Trouble
) -> None:
    """Trouble.NONE: the process is stopped, and its kernel goes on to accept and to acknowledge."""
    with Cluster(tmp_path, flags=PATIENT) as cluster:
        a = cluster.add(TOCSIN, "a")
        b = cluster.add(TOCSIN, "b")
        with behind_a_link(cluster, "dead") as (dead, link):
            wait_member_count([a, b, dead], 3)
            id_ = a.api.post_silence([matcher("x", "before")])
            wait_seen([b, dead], id_)

            dead.process.send(signal.SIGSTOP)
            link.become(trouble)
            for number in range(5):
                maker, other = (a, b) if number % 2 else (b, a)
                id_ = maker.api.post_silence([matcher("x", str(number))])
                wait_seen([other], id_)
            post_silences(a, 200, comment="y" * 1500)
            wait_active([a, b], 206)
            for node in (a, b):  # They had it while it was a member still: neither of them probes.
                assert members(node) == 3

            # Noticed by one that probes, while gossip flows.
            c = cluster.add(TOCSIN, "c", peers=[a, b], flags=IMPATIENT)

            def gone() -> bool:
                a.api.post_silence([matcher("x", "more")])
                return all(node.api.peer_addresses() == three for node in (a, b, c))

            three = {node.cluster_address for node in (a, b, c)}
            eventually(gone, "it is declared dead")
            eventually(
                lambda: metric(a.api.metrics(), "tocsin_replication_queue_changes") == 0,
                "nothing waits for it any more",
            )

            link.become(Trouble.NONE)
            dead.process.send(signal.SIGCONT)
            wait_member_count([a, b, c, dead], 4)
            wait_active([b, c, dead], active_silences(a))


def test_a_listed_peer_that_is_a_black_hole_delays_nothing(tmp_path: Path) -> None:
    with (
        TroubledLink(free_port(), free_port()) as hole,
        Cluster(tmp_path, flags=PATIENT) as cluster,
    ):
        hole.become(Trouble.FULL_WINDOW)
        a = cluster.add(TOCSIN, "a", peers=[])
        b = cluster.add(TOCSIN, "b", peers=[a])
        b.stop()
        b.peers.insert(0, f"127.0.0.1:{hole.port}")
        b.restart()  # returns once the API answers
        cluster.wait_whole()
        assert hole.accepted > 0
        joined = b.process.text().rpartition("cluster listening")[2]
        assert f'"joined the cluster" component=cluster peer={a.cluster_address}' in joined
        assert f'"joined the cluster" component=cluster peer=127.0.0.1:{hole.port}' not in joined
        id_ = b.api.post_silence([matcher("x", "y")])
        wait_seen([a], id_)


def test_connections_that_break_in_the_middle_of_a_burst_lose_nothing(tmp_path: Path) -> None:
    with Cluster(tmp_path, flags=PATIENT) as cluster:
        a = cluster.add(TOCSIN, "a")
        b = cluster.add(TOCSIN, "b")
        with behind_a_link(cluster, "far") as (far, link):
            wait_member_count([a, b, far], 3)
            for round_ in range(3):
                post_silences(a, 50, comment=f"{round_} " + "x" * 1000)
                link.become(Trouble.RESET)
                post_silences(a, 50, comment=f"{round_} " + "y" * 1000)
                link.become(Trouble.NONE)
            wait_active([a, b, far], 300)
            assert metric(a.api.metrics(), "tocsin_resyncs_started_total") > 0
            assert metric(b.api.metrics(), "tocsin_replication_changes_dropped_total") == 0
