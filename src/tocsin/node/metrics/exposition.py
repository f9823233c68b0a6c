"""Encodes metrics: in Prometheus' text format as Go's client does, or in OpenMetrics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from tocsin.alerting.steps import Steps

_WHOLE: Final = re.compile(rb"^([^#\n][^\n]* [-0-9]+)\.0$", re.MULTILINE)
"""A sample whose value is a whole number, written as Python does: Go leaves the fraction out."""
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


_AT_ONCE: Final = 16
"""Families that are encoded in one step."""
_END: Final = b"# EOF\n"


def exposing(registry: CollectorRegistry, accept: str = "") -> Steps[tuple[bytes, str]]:
    """The metrics and their content type: OpenMetrics where the ``Accept`` header asks for it, else text.
    All are read in the first step, and encoded in the others."""
    families = list(registry.collect())
    yield
    open_metrics = "application/openmetrics-text" in accept
    pieces = []
    for start in range(0, len(families), _AT_ONCE):
        some = _Families(families[start : start + _AT_ONCE], go_bounds=not open_metrics)
        if open_metrics:
            made: bytes = openmetrics.generate_latest(some)  # type: ignore[no-untyped-call]
            pieces.append(made.removesuffix(_END))
        else:
            pieces.append(_WHOLE.sub(rb"\1", generate_latest(some)))
        yield
    if open_metrics:
        return b"".join((*pieces, _END)), openmetrics.CONTENT_TYPE_LATEST
    escaping = "allow-utf-8" if "escaping=allow-utf-8" in accept else "underscores"
    return b"".join(pieces), f"{_TEXT}; escaping={escaping}"


class _Families(Collector):
    """Some families, with the bounds of buckets as Go writes them in text if ``go_bounds``, ``1`` and not
    ``1.0``: a rule may name one."""

    def __init__(self, families: Sequence[Metric], *, go_bounds: bool) -> None:
        self._families = families
        self._go_bounds = go_bounds

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            if self._go_bounds and family.type == "histogram":
                family.samples = [
                    sample._replace(labels={**sample.labels, "le": bound.removesuffix(".0")})
                    if (bound := sample.labels.get("le")) is not None
                    else sample
                    for sample in family.samples
                ]
            yield family
