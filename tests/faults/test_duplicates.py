"""Three nodes and a receiver in trouble: each group is notified once, by whichever node that is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.api import prometheus_alert
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import PATIENT, metric
from tests.support.tocsin_node import TOCSIN
from tests.support.told import Reports, wrong

GROUPS = 20
PLACE = 3.0
"""Seconds of ``--cluster.peer-timeout``: how much later each node's turn is than that of the one before."""
LAST_PLACE = 2 * PLACE
ATTEMPTS = 5
REPORTS = Reports()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("duplicates")
    with Cluster(folder, flags={**PATIENT, "cluster.peer-timeout": f"{PLACE:g}s"}) as cluster:
        for name in ("a", "b", "c"):
            cluster.add(TOCSIN, name, peer_name=name)
        cluster.wait_whole()
        yield cluster


def _fire(cluster: Cluster, prefix: str) -> None:
    alerts = [prometheus_alert(f"{prefix}-{number}") for number in range(GROUPS)]
    for node in cluster.nodes:
        REPORTS.fire(node.url, alerts)
        node.api.post_alerts(*alerts)


def _delivered(cluster: Cluster, prefix: str) -> Counter[str]:
    return Counter(
        name
        for received in cluster.sink.all()
        if received.status == 200
        for name in received.alert_names
        if name.startswith(f"{prefix}-")
    )


def _total(cluster: Cluster, name: str) -> float:
    return sum(metric(node.api.metrics(), name) for node in cluster.nodes)


def _once_each(cluster: Cluster, name: str, trouble: Callable[[str], None]) -> None:
    """Fire groups into ``trouble``; each is notified once.

    Whoever stands still for longer than a peer waits for it is rightly taken for gone: groups of a time in
    which a node counted that it was held up say nothing, and others are fired.
    """
    for attempt in range(ATTEMPTS):
        prefix = f"{name}-{attempt}"
        stalls = _total(cluster, "tocsin_event_loop_stalls_total")
        trouble(prefix)
        eventually(lambda: len(_delivered(cluster, prefix)) == GROUPS, "every group is notified")  # noqa: B023
        time.sleep(LAST_PLACE + 1)  # for whoever would send again
        delivered = _delivered(cluster, prefix)
        if set(delivered.values()) == {1}:
            received = [
                one for one in cluster.sink.all() if all(name.startswith(prefix) for name in one.alert_names)
            ]
            assert not wrong(REPORTS, received)
            return
        held_up = _total(cluster, "tocsin_event_loop_stalls_total") > stalls
        assert held_up, f"each group once, not {delivered}"
    raise AssertionError(f"a node was held up each of {ATTEMPTS} times")


def test_a_receiver_that_is_slower_than_the_peer_timeout_gets_each_group_once(cluster: Cluster) -> None:
    def slow(prefix: str) -> None:
        cluster.sink.delay = LAST_PLACE + PLACE
        _fire(cluster, prefix)

    try:
        _once_each(cluster, "Slow", slow)
    finally:
        cluster.sink.delay = 0.0
    assert _total(cluster, "tocsin_intent_yielded_total") > 0, "somebody has waited for somebody else"


def test_a_receiver_that_fails_for_a_while_gets_each_group_once(cluster: Cluster) -> None:
    def failing(prefix: str) -> None:
        cluster.sink.status = 500
        try:
            _fire(cluster, prefix)
            eventually(
                lambda: len(_refused_senders(cluster, prefix)) > 1,
                "more than one node has tried",
            )
        finally:
            cluster.sink.status = 200

    _once_each(cluster, "Failing", failing)


def _refused_senders(cluster: Cluster, prefix: str) -> set[str]:
    return {
        received.sender
        for received in cluster.sink.all()
        if received.status == 500 and any(name.startswith(f"{prefix}-") for name in received.alert_names)
    }
