"""The order in which Alertmanager lists alerts and groups: in notifications and in the API."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels

LabelsOrder: TypeAlias = tuple[int, tuple[tuple[tuple[int, ...], str], ...]]
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


@lru_cache(maxsize=4096)
def _descending(name: str) -> tuple[int, ...]:
    """A key that sorts texts backwards; 1 ends it, so that a longer text comes before its own beginning."""
    return (*(-ord(letter) for letter in name), 1)
