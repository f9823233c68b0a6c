"""Encodes metrics: in Prometheus' text format as Go's client does, or in OpenMetrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

_WHOLE: Final = re.compile(rb"^([^#\n][^\n]* [-0-9]+)\.0$", re.MULTILINE)
"""A sample whose value is a whole number, written as Python does: Go leaves the fraction out."""
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def expose(registry: CollectorRegistry, accept: str = "") -> tuple[bytes, str]:
    """The metrics and their content type: OpenMetrics where the ``Accept`` header asks for it, else text."""
    if "application/openmetrics-text" in accept:
        return openmetrics.generate_latest(registry), openmetrics.CONTENT_TYPE_LATEST  # type: ignore[no-untyped-call]
    escaping = "allow-utf-8" if "escaping=allow-utf-8" in accept else "underscores"
    text = _WHOLE.sub(rb"\1", generate_latest(_GoBounds(registry)))
    return text, f"{_TEXT}; escaping={escaping}"


class _GoBounds(Collector):
    """The bounds of buckets as Go writes them in text, ``1`` and not ``1.0``: a rule may name one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            if family.type == "histogram":
                family.samples = [
                    sample._replace(labels={**sample.labels, "le": bound.removesuffix(".0")})
                    if (bound := sample.labels.get("le")) is not None
                    else sample
                    for sample in family.samples
                ]
            yield family
