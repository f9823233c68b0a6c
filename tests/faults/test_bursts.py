"""Thousands of silences at once are everywhere without loss, large ones too."""

from __future__ import annotations

from pathlib import Path

from tests.support.bursts import post_silences, wait_active
from tests.support.cluster import Cluster
from tests.support.node import PATIENT, metric
from tests.support.tocsin_node import TOCSIN


def test_two_thousand_silences_at_once_are_on_all_three_nodes(tmp_path: Path) -> None:
    with Cluster(tmp_path, flags=PATIENT) as cluster:  # No exchange of whole states helps.
        maker, *others = [cluster.add(TOCSIN, name) for name in ("a", "b", "c")]
        cluster.wait_whole()
        post_silences(maker, 2000)
        wait_active([maker, *others], 2000)
        post_silences(maker, 300, comment="large" * 300)
        wait_active([maker, *others], 2300)
        numbers = maker.api.metrics()
        assert metric(numbers, "tocsin_replication_changes_sent_total") == 2 * 2300
        assert metric(numbers, "tocsin_replication_changes_dropped_total") == 0
        assert metric(numbers, "tocsin_resyncs_started_total") == 0
        assert metric(numbers, "tocsin_replication_queue_changes") == 0
