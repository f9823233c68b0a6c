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
"""Families that are read and encoded in one step."""
_END: Final = b"# EOF\n"


def exposing(registry: CollectorRegistry, accept: str = "") -> Steps[tuple[bytes, str]]:
    """The metrics and their content type: OpenMetrics where the ``Accept`` header asks for it, else text."""
    open_metrics = "application/openmetrics-text" in accept
    encode = _open_metrics if open_metrics else _text
    pieces: list[bytes] = []
    families: list[Metric] = []
    for family in registry.collect():
        families.append(family)
        if len(families) == _AT_ONCE:
            pieces.append(encode(families))
            families = []
            yield
    pieces.append(encode(families))
    if open_metrics:
        return b"".join((*pieces, _END)), openmetrics.CONTENT_TYPE_LATEST
    escaping = "allow-utf-8" if "escaping=allow-utf-8" in accept else "underscores"
    return b"".join(pieces), f"{_TEXT}; escaping={escaping}"


def _open_metrics(families: Sequence[Metric]) -> bytes:
    made: bytes = openmetrics.generate_latest(_Families(families))  # type: ignore[no-untyped-call]
    return made.removesuffix(_END)


def _text(families: Sequence[Metric]) -> bytes:
    for family in families:
        if family.type == "histogram":  # Go writes a bound as 1 and not 1.0: a rule may name one.
            family.samples = [
                sample._replace(labels={**sample.labels, "le": bound.removesuffix(".0")})
                if (bound := sample.labels.get("le")) is not None
                else sample
                for sample in family.samples
            ]
    return _WHOLE.sub(rb"\1", generate_latest(_Families(families)))


class _Families(Collector):
    """Some families, as encoders take them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)
