"""The order in which Alertmanager lists alerts and groups: in notifications and in the API."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels

REMEMBERED: Final = 64
"""Characters of a label's name up to which its key is remembered: names can be long, and made up."""
_COMPLEMENTS: Final = bytes([max(254 - byte, 0) for byte in range(256)])

LabelsOrder: TypeAlias = tuple[int, tuple[tuple[bytes, str], ...]]
AlertOrder: TypeAlias = tuple[tuple[bool, str], tuple[bool, str], LabelsOrder]


def labels_order(labels: Labels) -> LabelsOrder:
    """Sort key of a label set: fewer labels first; then, at the first difference, the *later* name or the
    smaller value (a set that lacks a name which the other has comes first)."""
    return len(labels), tuple((_descending(name), value) for name, value in labels.pairs)


def alert_order(alert: Alert) -> AlertOrder:
    """Sort key of an alert: by ``job``, then ``instance`` (those without come last), then its labels."""
    labels = alert.labels
    return _override(labels, "job"), _override(labels, "instance"), labels_order(labels)


def _override(labels: Labels, name: str) -> tuple[bool, str]:
    value = labels.get(name)
    return (True, "") if value is None else (False, value)


def _descending(name: str) -> bytes:
    """A key that sorts texts backwards."""
    return _remembered(name) if len(name) <= REMEMBERED else _backwards(name)


@lru_cache(maxsize=4096)
def _remembered(name: str) -> bytes:
    return _backwards(name)


def _backwards(name: str) -> bytes:
    # UTF-8 is in the order of the characters. What no byte of it becomes ends the key, so that a longer text
    # comes before its own beginning.
    return name.encode("utf-8", "surrogatepass").translate(_COMPLEMENTS) + b"\xff"
