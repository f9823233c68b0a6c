"""The oracle of a cluster sees what is taken away, added or changed: else it would be none."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from simulation.alerting.cluster_oracle import ClusterOracle, Report, Told
from tests.support.api import prometheus_alert
from tests.support.sink import Received
from tests.support.told import Reports, wrong
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import SECOND

GROUP = '{}:{alertname="A"}'
ONE, TWO = (Labels({"alertname": "A", "i": number}) for number in "12")


def _reports() -> list[Report]:
    """One and two fire at 1 s, two ends at 40 s, on both nodes."""
    return [
        Report(at * SECOND, node, Alert(labels, Labels(), starts_at=SECOND, ends_at=ends * SECOND))
        for at, labels, ends in ((1, ONE, 0), (1, TWO, 0), (40, TWO, 40))
        for node in ("a", "b")
    ]


def _told(at: int, firing: set[Labels], resolved: set[Labels], reason: str) -> Told:
    now = at * SECOND
    return Told(now, now, "a", GROUP, frozenset(firing), frozenset(resolved), reason, (now, now))


RIGHT = [_told(5, {ONE, TWO}, set(), "first notification"), _told(60, {ONE}, {TWO}, "some alerts resolved")]


def _judge(told: list[Told]) -> list[str]:
    oracle = ClusterOracle(lambda _labels: GROUP)
    return [*oracle.judge(_reports(), told), *oracle.untold(30 * SECOND, 200 * SECOND)]


def test_what_is_right_is_right() -> None:
    assert not _judge(RIGHT)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told[1:],
        lambda told: told[:1],
        lambda told: [*told, replace(told[1], at=80 * SECOND, taken=80 * SECOND, node="b")],
        lambda told: [replace(told[0], firing=frozenset({ONE})), told[1]],
        lambda told: [told[0], replace(told[1], firing=frozenset({ONE, TWO}), resolved=frozenset())],
        lambda told: [replace(told[0], reason="new alerts added"), told[1]],
        lambda told: [told[0], replace(told[1], reason="repeat interval elapsed")],
        lambda told: [replace(told[0], node="c"), told[1]],
    ],
)
def test_it_sees_what_is_not(spoil: Callable[[list[Told]], list[Told]]) -> None:
    assert _judge(spoil(list(RIGHT)))


def test_it_judges_what_real_nodes_told() -> None:
    reports, body = Reports(), prometheus_alert("A")
    reports.fire("http://a", [body])

    def received(name: str, reason: str, status: str = "firing") -> Received:
        told = {
            "groupKey": f'{{}}:{{alertname="{name}"}}',
            "externalURL": "http://a",
            "notification_reason": reason,
            "alerts": [{"status": status, "labels": {**body["labels"], "alertname": name}}],
        }
        return Received(time.monotonic(), "/", {}, told, 200)

    assert not wrong(reports, [received("A", "first notification")])
    assert wrong(reports, [received("A", "new alerts added")])
    assert wrong(reports, [received("B", "first notification")])
    told = [received("A", "first notification"), received("A", "all alerts resolved", "resolved")]
    assert wrong(reports, told)
    reports.skewed("http://a", 30 * 86400)
    told = [*told[:1], received("A", "all alerts resolved", "resolved")]
    assert not wrong(reports, told), "by a clock that is far ahead it has ended"
    reports.skewed("http://a", -3 * 3600)
    assert not wrong(reports, [*told, received("A", "first notification")]), "and now it fires"
