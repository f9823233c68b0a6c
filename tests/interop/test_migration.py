"""A running cluster moves from Alertmanagers in clear text to Tocsin over mutual TLS, one node at a time.

Silences and alerts flow all the while; `docs/choosing-a-transport.md` has the recipe that this test follows.
"""

from __future__ import annotations

import itertools
import socket
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.alertmanager import alertmanager
from tests.support.api import Api, matcher, prometheus_alert
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind, metric
from tests.support.tocsin_node import TOCSIN

pytestmark = pytest.mark.interop

QUIET = {"cluster.peer-timeout": "3s"}


class Traffic:
    """Silences to one node after the other, and alerts to all, until told to stop. A context manager."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.silences: list[str] = []
        """Acknowledged."""
        self.alerts: list[str] = []
        """Taken by one node at least."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        apis = [Api(node.url) for node in self.nodes]
        for number in itertools.count():
            if self._stop.wait(0.4):
                break
            with suppress(httpx.HTTPError, AssertionError):  # One is being replaced.
                silenced = [matcher("number", str(number))]
                self.silences.append(apis[number % len(apis)].post_silence(silenced))
            name, taken = f"Alert{number}", False
            for api in apis:
                with suppress(httpx.HTTPError):
                    api.post_alerts(prometheus_alert(name))
                    taken = True
            if taken:
                self.alerts.append(name)
        for api in apis:
            api.close()


def replace(cluster: Cluster, node: Node, kind: NodeKind, flags: dict[str, str]) -> None:
    """Stop a node, and start ``kind`` in its place with other flags, as an operator does."""
    assert node.stop() == 0
    node.kind = kind
    node.tls = node.tls or cluster.issue(node.name)
    node.flags.pop("cluster.transport", None)
    node.flags.update(flags)
    node.restart()
    for each in cluster.nodes:
        each.wait_members(cluster.nodes, deadline=60)
        each.wait_ready()


@pytest.mark.parametrize("start", ["alertmanager-0.33", "tocsin"])
def test_from_clear_text_to_mutual_tls_without_a_stop(tmp_path: Path, start: str) -> None:
    """Twice round: once with ``udp-to-tls``, once without any ``--cluster.transport``."""
    before = TOCSIN if start == "tocsin" else alertmanager("0.33")
    with Cluster(tmp_path, flags=QUIET, udp=True) as cluster:
        for name in "abc":
            cluster.add(before, name)
        cluster.wait_whole()
        with Traffic(cluster.nodes) as traffic:
            for node in cluster.nodes:
                replace(cluster, node, TOCSIN, {"cluster.transport": "udp-to-tls"})
            for node in cluster.nodes:
                eventually(
                    lambda node=node: metric(node.api.metrics(), "tocsin_transport_peers_in_clear") == 0,  # type: ignore[misc]
                    f"{node!r} reaches nobody in clear text",
                    deadline=60,
                )
            for node in cluster.nodes:
                replace(cluster, node, TOCSIN, {})
            eventually(lambda: len(traffic.silences) > 20, "20 silences and more are made", deadline=120)
        for node in cluster.nodes:
            eventually(
                lambda node=node: set(traffic.silences) <= {s["id"] for s in node.api.silences()},  # type: ignore[misc]
                f"{node!r} has every acknowledged silence",
            )
            assert refuses_clear_text(node)
        eventually(
            lambda: set(traffic.alerts) <= notified(cluster),
            "every alert was notified",
            deadline=60,
        )


def notified(cluster: Cluster) -> set[str]:
    return {name for received in cluster.sink.all() for name in received.alert_names}


def refuses_clear_text(node: Node) -> bool:
    """Nobody has the UDP port, and a stream that begins with no TLS is cut without an answer."""
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.connect(("127.0.0.1", node.cluster_port))
        datagrams.settimeout(5)
        datagrams.send(b"\x00\x80")
        try:
            datagrams.recv(1)
        except ConnectionRefusedError:
            pass
        else:
            return False
    with socket.create_connection(("127.0.0.1", node.cluster_port), 5) as stream:
        stream.sendall(b"\x06\x00\x00")
        stream.shutdown(socket.SHUT_WR)
        try:
            answer = stream.recv(100)
        except ConnectionError:
            answer = b""
        return not answer or answer[0] == 21  # A TLS alert.
