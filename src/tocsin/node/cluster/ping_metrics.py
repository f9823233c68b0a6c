"""How long members took to answer pings, as Alertmanager shows it. Read at each scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tocsin.gossip.core.peer_statistics import ROUND_TRIPS, PeerStatistics

_BOUNDS = (*map(str, ROUND_TRIPS), "+Inf")


class PingCollector(Collector):
    """``alertmanager_cluster_pings_seconds``; not shown before the first answer."""

    def __init__(self, statistics: PeerStatistics) -> None:
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        """The family of this moment."""
        if not self._statistics.round_trips:
            return
        name, text = "alertmanager_cluster_pings_seconds", "Time that members took to answer a ping."
        family = HistogramMetricFamily(name, text, labels=["peer"])
        for peer, trips in self._statistics.round_trips.items():
            counts = list(zip(_BOUNDS, accumulate(trips.counts), strict=True))
            family.add_metric([peer], counts, trips.seconds)
        yield family

    def describe(self) -> Iterable[Metric]:
        """Nothing to compare at registration: reading values then would be too early."""
        return ()
