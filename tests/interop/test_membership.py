"""One cluster of Tocsin and Alertmanager over mutual TLS: who is in it, as both kinds see it."""

import pytest

from tests.interop.conftest import Trio
from tests.support.node import metric

pytestmark = pytest.mark.interop


def test_each_node_sees_all_three(trio: Trio) -> None:
    addresses = {node.cluster_address for node in trio.nodes}
    for node in trio.nodes:
        assert node.api.peer_addresses() == addresses, node


def test_each_node_sees_the_same_names(trio: Trio) -> None:
    names = {node.api.cluster()["name"] for node in trio.nodes}
    assert len(names) == 3
    for node in trio.nodes:
        assert node.api.peer_names() == names, node


def test_names_sort_as_the_notification_tests_need_it(trio: Trio) -> None:
    names = [node.api.cluster()["name"] for node in trio.nodes]
    assert names == sorted(names)


def test_each_node_is_ready(trio: Trio) -> None:
    for node in trio.nodes:
        assert node.api.cluster()["status"] == "ready", node
        assert node.api.http.get("/-/ready").status_code == 200, node


def test_each_node_counts_its_members(trio: Trio) -> None:
    for node in trio.nodes:
        text = node.api.metrics()
        assert metric(text, "alertmanager_cluster_members") == 3, node
        assert metric(text, "alertmanager_cluster_health_score") == 0, node
