"""One cluster of Tocsin and Alertmanager over UDP and TCP in clear text, as Alertmanagers without TLS are.

What is true over TLS is true here: the same tests, on another cluster.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.conftest import NEWEST, Trio, versions
from tests.interop.test_leaving import (  # noqa: F401
    test_a_goodbye_is_heard,
    test_a_kill_is_noticed,
    test_a_node_that_nobody_names_is_dialled_again,
    test_a_quick_restart,
    test_what_happened_meanwhile_is_caught_up,
    test_who_was_killed_comes_back,
)
from tests.interop.test_membership import (  # noqa: F401
    test_each_node_counts_its_members,
    test_each_node_is_ready,
    test_each_node_sees_all_three,
    test_each_node_sees_the_same_names,
)
from tests.support import alertmanager
from tests.support.bursts import active_silences, post_silences, wait_active
from tests.support.cluster import Cluster, silences_go_both_ways
from tests.support.eventually import holds_for
from tests.support.node import NodeKind, metric

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module", params=versions(NEWEST))
def theirs(request: pytest.FixtureRequest, peers_are_here: None) -> NodeKind:
    """The older ones in slow tests: how they differ is tried over TLS."""
    return alertmanager.alertmanager(request.param)


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind, theirs: NodeKind) -> Iterator[Trio]:
    """A cluster that stays whole."""
    with Trio(tmp_path_factory.mktemp("udp"), udp=True) as trio:
        yield trio.fill(ours, theirs)


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind, theirs: NodeKind) -> Iterator[Trio]:
    """A cluster of its own, which each test may harm and the next one finds healed."""
    with Trio(tmp_path_factory.mktemp("udp-shaken"), udp=True) as trio:
        yield trio.fill(ours, theirs)


@pytest.fixture(scope="module")
def polite(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind, theirs: NodeKind) -> Iterator[Trio]:
    """As ``shaken``, but nobody probes anybody: only a goodbye can tell that a member has gone."""
    folder = tmp_path_factory.mktemp("udp-polite")
    with Trio(folder, flags={"cluster.probe-interval": "1h"}, udp=True) as trio:
        yield trio.fill(ours, theirs)


def test_two_thousand_silences_at_once_are_on_all_nodes(
    tmp_path: Path, ours: NodeKind, theirs: NodeKind
) -> None:
    """The nodes exchange whole states too seldom to help; what does not fit a datagram goes by stream."""
    with Trio(tmp_path, flags={"cluster.pushpull-interval": "10m"}, udp=True) as trio:
        trio.fill(ours, theirs)
        post_silences(trio.first, 2000)
        wait_active(trio.nodes, 2000)
        post_silences(trio.first, 50, comment="large" * 1000)
        wait_active(trio.nodes, 2050)
        assert "handler queue full" not in trio.theirs.process.text()
        numbers = trio.first.api.metrics()
        assert metric(numbers, "tocsin_replication_changes_dropped_total") == 0
        assert metric(numbers, "tocsin_replication_changes_undelivered_total") == 0
        assert metric(numbers, "tocsin_resyncs_started_total") == 0
        for node in (trio.first, trio.last):
            assert metric(node.api.metrics(), "tocsin_transport_receive_buffer_drops_total") == 0


def test_what_an_alertmanager_tells_reaches_all_of_ours(
    tmp_path: Path, ours: NodeKind, theirs: NodeKind
) -> None:
    with Trio(tmp_path, udp=True) as trio:
        trio.fill(ours, theirs)
        post_silences(trio.theirs, 100)
        wait_active([trio.first, trio.last], 100)
        assert active_silences(trio.theirs) == 100


@pytest.mark.parametrize(
    "theirs", ["0.33", pytest.param("0.28", marks=pytest.mark.slow)], indirect=True
)  # 0.25 knows no label
def test_a_label_tells_clusters_apart(tmp_path: Path, ours: NodeKind, theirs: NodeKind) -> None:
    with Cluster(tmp_path, flags={"cluster.label": "night"}, udp=True) as cluster:
        first = cluster.add(ours, "first")
        second = cluster.add(theirs, "second")
        cluster.wait_whole()
        silences_go_both_ways(first, second)
        stranger = cluster.add(ours, "stranger", flags={"cluster.label": "day"})
        holds_for(
            lambda: (
                stranger.api.peer_addresses() == {stranger.cluster_address}
                and first.api.peer_addresses() == {first.cluster_address, second.cluster_address}
            ),
            "the stranger stays apart",
            seconds=3.0,
        )
