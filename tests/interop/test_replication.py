"""Many and large changes between Tocsin and Alertmanager: batches in packets, which have no MTU over TLS."""

import pytest

from tests.interop.conftest import Trio
from tests.support.bursts import active_silences, post_silences, wait_active
from tests.support.node import NodeKind, metric

pytestmark = pytest.mark.interop


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind, theirs: NodeKind) -> Trio:
    """A cluster whose nodes exchange whole states too seldom to help."""
    return Trio(tmp_path_factory.mktemp("fresh"), flags={"cluster.pushpull-interval": "10m"})


def test_two_thousand_silences_at_once_are_on_all_nodes(
    fresh: Trio, ours: NodeKind, theirs: NodeKind
) -> None:
    with fresh as trio:
        trio.fill(ours, theirs)
        post_silences(trio.first, 2000)
        wait_active(trio.nodes, 2000)
        # Each longer than all that fits a datagram, a fourth of a megabyte in all.
        post_silences(trio.first, 50, comment="large" * 1000)
        wait_active(trio.nodes, 2050)
        assert "handler queue full" not in trio.theirs.process.text()
        numbers = trio.first.api.metrics()
        assert metric(numbers, "tocsin_replication_changes_sent_total") == 2 * 2050
        assert metric(numbers, "tocsin_replication_changes_dropped_total") == 0
        assert metric(numbers, "tocsin_resyncs_started_total") == 0
        # No stream was opened for them, whatever their size.
        assert metric(numbers, "alertmanager_oversized_gossip_message_sent_total") == 2 * 50
        assert metric(numbers, "alertmanager_tls_transport_stream_connections_sent_total") < 20


def test_what_an_alertmanager_tells_a_few_reaches_all_of_ours(
    fresh: Trio, ours: NodeKind, theirs: NodeKind
) -> None:
    with fresh as trio:
        trio.fill(ours, theirs)
        post_silences(trio.theirs, 100)
        wait_active([trio.first, trio.last], 100)
        assert active_silences(trio.theirs) == 100
