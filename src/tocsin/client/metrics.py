"""Reads samples from a node's ``/metrics`` in Prometheus' text format, as far as the tool needs it."""

from __future__ import annotations

import re
from typing import Final

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})? ([-+.\deE]+|NaN|[+-]?Inf)(?: \d+)?\Z")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def by_label(text: str, name: str, label: str) -> dict[str, float]:
    """The samples of ``name``, by the value of one label."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith(name):
            sample = _SAMPLE.match(line)
            if sample is not None and sample[1] == name:
                labels = dict(_LABEL.findall(sample[2] or ""))
                found[labels.get(label, "")] = float(sample[3])
    return found
