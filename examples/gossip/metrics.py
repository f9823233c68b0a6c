"""The counters of a member for Prometheus: ``REGISTRY.register(GossipCollector(gossip))``."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from tocsin.gossip import Gossip


class GossipCollector(Collector):
    def __init__(self, gossip: Gossip) -> None:
        self._gossip = gossip

    def collect(self) -> Iterator[CounterMetricFamily]:
        families: dict[str, CounterMetricFamily] = {}
        for one in self._gossip.counters():
            empty = CounterMetricFamily(f"gossip_{one.name}", "A counter of tocsin.gossip.", labels=["kind"])
            families.setdefault(one.name, empty).add_metric([one.kind], one.value)
        yield from families.values()
