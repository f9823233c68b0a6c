"""Metrics of the process and the handler that Go's client has and prometheus_client has not."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_NETSTAT: Final = Path("/proc/self/net/netstat")
_UNLIMITED: Final = float(2**64 - 1)


class MoreOfTheProcess(Collector):
    """Bytes on the network, the memory limit, and the number of scrapes."""

    def __init__(self) -> None:
        self.served = 0
        """Scrapes served, the current one not included."""

    def collect(self) -> Iterator[Metric]:
        """The families of this moment."""
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        yield GaugeMetricFamily(
            "process_virtual_memory_max_bytes",
            "Maximum amount of virtual memory available in bytes.",
            _UNLIMITED if limit == resource.RLIM_INFINITY else limit,
        )
        octets = _octets()
        for name, key, did in (("receive", "InOctets", "received"), ("transmit", "OutOctets", "sent")):
            if key in octets:
                yield CounterMetricFamily(
                    f"process_network_{name}_bytes",
                    f"Bytes that were {did} in the network namespace of this process.",
                    octets[key],
                )
        handled = CounterMetricFamily(
            "promhttp_metric_handler_requests", "Scrapes by HTTP status.", labels=["code"]
        )
        for code, count in (("200", self.served), ("500", 0), ("503", 0)):
            handled.add_metric([code], count)
        yield handled
        yield GaugeMetricFamily(
            "promhttp_metric_handler_requests_in_flight", "Scrapes being served, this one included.", 1
        )

    def describe(self) -> Iterable[Metric]:
        """Nothing to compare at registration."""
        return ()


def _octets() -> dict[str, float]:
    """The numbers of the line ``IpExt``; empty where the system has none."""
    try:
        lines = [line.split() for line in _NETSTAT.read_text().splitlines() if line.startswith("IpExt:")]
        names, values = lines
        return {name: float(value) for name, value in zip(names[1:], values[1:], strict=True)}
    except (OSError, ValueError):
        return {}
