"""Holds what real nodes told a receiver against :class:`simulation.alerting.cluster_oracle.ClusterOracle`."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from simulation.alerting.cluster_oracle import ClusterOracle, Report, Told
from tests.support.sink import Received
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds

WAITED = 60 * SECOND
"""At most so long a notification is on its way: its place, others' intents, the receiver's delay."""


class Reports:
    """What nodes were told of alerts that fire, by whoever posts it again before they end. When they have
    ended a node knows by its own clock: one that is far ahead takes them for ended as they come."""

    def __init__(self) -> None:
        self.all: list[Report] = []
        self._lock = threading.Lock()
        self._ahead: dict[str, Nanoseconds] = {}
        self._ends: defaultdict[str, dict[Labels, Nanoseconds]] = defaultdict(dict)
        self._over: dict[tuple[str, Labels], bool] = {}

    def fire(self, node: str, bodies: Iterable[Mapping[str, Any]]) -> None:
        """These are about to be posted to the node (by its external URL)."""
        with self._lock:
            for body in bodies:
                left = datetime.fromisoformat(body["endsAt"]) - datetime.now(UTC)
                labels = Labels(dict(body["labels"]))
                self._ends[node][labels] = time.monotonic_ns() + round(left.total_seconds() * SECOND)
                self._hear(node, labels)

    def skewed(self, node: str, seconds: float) -> None:
        """The node's clock is so much ahead from now on."""
        with self._lock:
            self._ahead[node] = round(seconds * SECOND)
            for labels in self._ends[node]:
                self._hear(node, labels)

    def _hear(self, node: str, labels: Labels) -> None:
        now = time.monotonic_ns()
        over = self._ends[node][labels] - self._ahead.get(node, 0) <= now
        if self._over.get((node, labels)) is not over:
            self._over[node, labels] = over
            alert = Alert(labels, Labels(), starts_at=now, ends_at=now if over else ZERO)
            self.all.append(Report(now, node, alert))


def wrong(
    reports: Reports,
    received: Iterable[Received],
    *,
    lost: Callable[[Told], bool] = lambda _told: False,
) -> list[str]:
    """What the oracle has against the notifications that were taken. Groups are by ``alertname``."""
    told = [_told(one) for one in received if one.status == 200]
    return ClusterOracle(_group_of, lost=lost).judge(reports.all, told)


def _group_of(labels: Labels) -> str:
    return f'{{}}:{{alertname="{labels["alertname"]}"}}'


def _told(received: Received) -> Told:
    body = received.body
    at = round(received.at * SECOND)
    sides: dict[str, set[Labels]] = {"firing": set(), "resolved": set()}
    for alert in body["alerts"]:
        sides[alert["status"]].add(Labels(alert["labels"]))
    return Told(
        at,
        at,
        received.sender,
        body["groupKey"],
        frozenset(sides["firing"]),
        frozenset(sides["resolved"]),
        body["notification_reason"],
        (at - WAITED, at),
    )
