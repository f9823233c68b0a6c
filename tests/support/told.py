"""Holds what real nodes told a receiver against :class:`simulation.alerting.cluster_oracle.ClusterOracle`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulation.alerting.cluster_oracle import ClusterOracle, Report, Told
from tests.support.sink import Received
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import SECOND, ZERO

WAITED = 60 * SECOND
"""At most so long a notification is on its way: its place, others' intents, the receiver's delay."""


class Reports:
    """What nodes were told of alerts that fire, by whoever posts it."""

    def __init__(self) -> None:
        self.all: list[Report] = []

    def fire(self, node: str, bodies: Iterable[Mapping[str, Any]]) -> None:
        """These are about to be posted to the node (by its external URL)."""
        now = time.monotonic_ns()
        for body in bodies:
            alert = Alert(Labels(dict(body["labels"])), Labels(), starts_at=now, ends_at=ZERO)
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
