"""Three nodes and a receiver in trouble: each group is notified once, by whichever node that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import prometheus_alert
from tests.support.cluster import Cluster
from tests.support.eventually import eventually, holds_for
from tests.support.node import metric
from tests.support.tocsin_node import TOCSIN

GROUPS = 20
LAST_PLACE = 2.0  # seconds that the third node waits: two places of a peer-timeout of 1 s


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("duplicates")
    with Cluster(folder, flags={"cluster.peer-timeout": "1s"}) as cluster:
        for name in ("a", "b", "c"):
            cluster.add(TOCSIN, name, peer_name=name)
        cluster.wait_whole()
        yield cluster


def _fire(cluster: Cluster, prefix: str) -> None:
    alerts = [prometheus_alert(f"{prefix}{number}") for number in range(GROUPS)]
    for node in cluster.nodes:
        node.api.post_alerts(*alerts)


def _delivered(cluster: Cluster, prefix: str) -> Counter[str]:
    return Counter(
        name
        for received in cluster.sink.all()
        if received.status == 200
        for name in received.alert_names
        if name.startswith(prefix)
    )


def _once_each(cluster: Cluster, prefix: str) -> None:
    eventually(lambda: len(_delivered(cluster, prefix)) == GROUPS, "every group is notified")
    holds_for(
        lambda: set(_delivered(cluster, prefix).values()) == {1},
        f"each group once, not {_delivered(cluster, prefix)}",
        seconds=LAST_PLACE + 1,
    )


def test_a_receiver_that_is_slower_than_the_peer_timeout_gets_each_group_once(cluster: Cluster) -> None:
    cluster.sink.delay = 3 * LAST_PLACE / 2
    try:
        _fire(cluster, "Slow")
        _once_each(cluster, "Slow")
    finally:
        cluster.sink.delay = 0.0
    yielded = [metric(node.api.metrics(), "tocsin_intent_yielded_total") for node in cluster.nodes]
    assert sum(yielded) > 0, "somebody has waited for somebody else"


def test_a_receiver_that_fails_for_a_while_gets_each_group_once(cluster: Cluster) -> None:
    cluster.sink.status = 500
    try:
        _fire(cluster, "Failing")
        eventually(
            lambda: len({received.sender for received in cluster.sink.all() if received.status == 500}) > 1,
            "more than one node has tried",
        )
    finally:
        cluster.sink.status = 200
    _once_each(cluster, "Failing")
