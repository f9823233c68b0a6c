"""Metrics of certificates: when they expire, and whether reloading them succeeds. Read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tocsin.dataclass import dataclass
from tocsin.node.metrics import Metrics
from tocsin.node.metrics.own import help_of

if TYPE_CHECKING:  # Not needed by a node without a cluster.
    from tocsin.gossip.gossip import Gossip
    from tocsin.gossip.transport.base import Identity


@dataclass(frozen=True, slots=True)
class Waiting:
    """Newcomers that have not answered yet."""

    waiting: int


def observe_identity(metrics: Metrics, gossip: Gossip) -> None:
    """Show the certificates of a transport that has some."""
    if (certificates := gossip.transport.certificates) is not None:
        metrics.registry.register(IdentityCollector(certificates.identity, certificates.peer_expiries))


class IdentityCollector(Collector):
    """``peers`` gives the expiry of peers' certificates by address, a bounded number of them."""

    def __init__(self, identity: Identity, peers: Callable[[], Mapping[str, float]]) -> None:
        self._identity = identity
        self._peers = peers

    def collect(self) -> Iterator[Metric]:
        """The families of this moment."""
        identity = self._identity
        for name, label, values in (
            ("certificate_expiry", "side", identity.expiries),
            ("peer_certificate_expiry", "peer", self._peers()),
            ("crl_next_update", "side", identity.crl_updates),
        ):
            full = f"tocsin_tls_{name}_timestamp_seconds"
            gauge = GaugeMetricFamily(full, help_of(full), labels=[label])
            for key, value in values.items():
                gauge.add_metric([key], value)
            yield gauge
        for name, count in (
            ("tocsin_tls_reloads_total", identity.reloads),
            ("tocsin_tls_reload_failures_total", identity.reload_failures),
        ):
            yield CounterMetricFamily(name, help_of(name), count)
        for name, value in (
            ("tocsin_tls_last_reload_successful", int(identity.reload_successful)),
            ("tocsin_tls_last_reload_success_timestamp_seconds", identity.reloaded_at),
        ):
            yield GaugeMetricFamily(name, help_of(name), value)

    def describe(self) -> Iterable[Metric]:
        """Nothing to compare at registration: reading values then would be too early."""
        return ()
