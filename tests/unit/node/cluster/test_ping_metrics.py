"""Answers to pings, as Alertmanager shows them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from tocsin.gossip.core.peer_statistics import PeerStatistics
from tocsin.node.cluster.ping_metrics import PingCollector


def test_a_histogram_for_each_peer_and_nothing_before_the_first_answer() -> None:
    statistics = PeerStatistics()
    registry = CollectorRegistry()
    registry.register(PingCollector(statistics))
    assert generate_latest(registry) == b""
    for seconds in (0.001, 0.3, 2.0):
        statistics.answered("a", seconds)
    text = generate_latest(registry).decode()
    name = "alertmanager_cluster_pings_seconds"
    for line in (
        f'{name}_bucket{{le="0.005",peer="a"}} 1.0',
        f'{name}_bucket{{le="0.25",peer="a"}} 1.0',
        f'{name}_bucket{{le="0.5",peer="a"}} 2.0',
        f'{name}_bucket{{le="+Inf",peer="a"}} 3.0',
        f'{name}_count{{peer="a"}} 3.0',
        f'{name}_sum{{peer="a"}} 2.301',
    ):
        assert line in text
    statistics.forget({"a"})
    assert generate_latest(registry) == b""
