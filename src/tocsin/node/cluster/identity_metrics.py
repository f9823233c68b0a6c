"""Metrics of certificates: when they run out, and how their reloading goes. Read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tocsin.gossip.driver import Gossip
from tocsin.gossip.transport.base import Identity
from tocsin.node.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Waiting:
    """Newcomers who are to answer yet."""

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
        for name, text, label, values in (
            ("certificate_expiry", "When our own certificate runs out.", "side", identity.expiries),
            ("peer_certificate_expiry", "When a peer's certificate runs out.", "peer", self._peers()),
            (
                "crl_next_update",
                "When a revocation list should have been replaced.",
                "side",
                identity.crl_updates,
            ),
        ):
            gauge = GaugeMetricFamily(f"tocsin_tls_{name}_timestamp_seconds", text, labels=[label])
            for key, value in values.items():
                gauge.add_metric([key], value)
            yield gauge
        reloads = CounterMetricFamily("tocsin_tls_reloads_total", "Changes of TLS files that are in use.")
        reloads.add_metric([], identity.reloads)
        yield reloads
        failures = CounterMetricFamily(
            "tocsin_tls_reload_failures_total", "Changes of TLS files that could not be used."
        )
        failures.add_metric([], identity.reload_failures)
        yield failures
        yield GaugeMetricFamily(
            "tocsin_tls_last_reload_successful",
            "1 if the files as they are now are in use.",
            value=int(identity.reload_successful),
        )
        yield GaugeMetricFamily(
            "tocsin_tls_last_reload_success_timestamp_seconds",
            "When TLS files were last loaded.",
            value=identity.reloaded_at,
        )

    def describe(self) -> Iterable[Metric]:
        """Nothing to compare at registration: reading values then would be too early."""
        return ()
