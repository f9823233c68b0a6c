"""Alertmanager's metrics of the event recorder; it shows none of them where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tocsin.node.eventrecorder.outputs import Statistics


class RecorderCollector(Collector):
    """Shows the numbers of the moment. A counter is shown once it has counted something."""

    def __init__(self, statistics: Statistics, queued: Callable[[], int]) -> None:
        self._statistics = statistics
        self._queued = queued

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        counted = self._statistics
        yield from _counter(
            "events_recorded",
            "Events that were handed to an output, by how that went.",
            ("event_type", "output", "result"),
            counted.recorded,
        )
        yield from _counter(
            "event_recorder_bytes_written",
            "Bytes of the events that were handed to an output.",
            ("event_type", "output"),
            counted.written_bytes,
        )
        yield from _counter(
            "events_dropped", "Events dropped as too many were waiting.", ("event_type",), counted.dropped
        )
        yield from _counter(
            "event_serialize_errors",
            "Events that could not be encoded.",
            ("event_type",),
            counted.unencodable,
        )
        yield from _counter(
            "event_output_drops",
            "Events dropped by an output that had too many waiting.",
            ("output",),
            counted.output_drops,
        )
        yield GaugeMetricFamily(
            "alertmanager_event_recorder_queue_length", "Events that wait to be written.", self._queued()
        )

    def describe(self) -> Iterable[Metric]:
        """Nothing to compare at registration."""
        return ()


def _counter(name: str, text: str, labels: tuple[str, ...], counts: Mapping[Any, int]) -> Iterator[Metric]:
    metric = CounterMetricFamily(f"alertmanager_{name}", text, labels=labels)
    for key, count in counts.items():
        metric.add_metric([key] if isinstance(key, str) else list(key), count)
    if metric.samples:
        yield metric
