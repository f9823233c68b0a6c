"""Alerts: their status, how reports merge, how the store keeps them."""

from __future__ import annotations

import pytest

from tocsin.alerting.alert import Alert, merge
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import ZERO
from tocsin.errors import ValidationError


def alert(start: int, end: int, updated: int = 0, *, name: str = "Down", timeout: bool = False) -> Alert:
    return Alert(Labels({"alertname": name}), Labels(), start, end, updated_at=updated, timeout=timeout)


def test_status() -> None:
    assert alert(10, ZERO).status_at(10**18) == "firing"
    assert alert(10, 0).status_at(10**18) == "firing"
    assert alert(10, 20).status_at(19) == "firing"
    assert alert(10, 20).status_at(20) == "resolved"
    assert alert(10, 20).name == "Down"
    assert alert(10, 20).fingerprint == Labels({"alertname": "Down"}).fingerprint


@pytest.mark.parametrize(
    ("older", "younger", "start", "end"),
    [
        # the younger's end counts, the earlier start is kept
        (alert(10, 100, 1, timeout=True), alert(20, 90, 2), 10, 90),
        # an end the sender gave outlives an earlier one of a younger report
        (alert(10, 100, 1), alert(20, 90, 2), 10, 100),
        # both have ended: the later end
        (alert(10, 40, 1), alert(20, 30, 2), 10, 40),
        # the younger has ended, the older not: it is over
        (alert(10, 100, 1), alert(20, 30, 2), 10, 30),
        (alert(20, 90, 1), alert(10, 100, 2), 10, 100),
    ],
)
def test_merge_in_either_order(older: Alert, younger: Alert, start: int, end: int) -> None:
    for merged in (merge(older, younger, 50), merge(younger, older, 50)):
        assert (merged.starts_at, merged.ends_at, merged.updated_at) == (start, end, 2)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (Alert(Labels({"a": "b"}), Labels(), ZERO, ZERO), "start time missing"),
        (Alert(Labels({"a": "b"}), Labels(), 20, 10), "start time must be before end time"),
        (Alert(Labels(), Labels(), 20, 30), "at least one label pair required"),
        (Alert(Labels({"": "b"}), Labels(), 20, 30), 'invalid label set: invalid name ""'),
        (
            Alert(Labels({"a": "b"}), Labels({"x": "\ud800"}), 20, 30),
            'invalid annotations: invalid value "\\\\ufffd"',
        ),
    ],
)
def test_validation(bad: Alert, problem: str) -> None:
    with pytest.raises(ValidationError, match=f"^{problem}$"):
        bad.validate()


def test_a_valid_alert_passes() -> None:
    Alert(Labels({"a": "b"}), Labels(), 20, ZERO).validate()


def test_the_store_merges_overlapping_reports_and_replaces_others() -> None:
    alerts = Alerts()
    assert alerts.put([alert(10, 100, 1)], 20) == [alert(10, 100, 1)]
    (merged,) = alerts.put([alert(30, 200, 2)], 40)
    assert (merged.starts_at, merged.ends_at) == (10, 200)
    (anew,) = alerts.put([alert(300, 400, 3)], 310)
    assert (anew.starts_at, anew.ends_at) == (300, 400)
    assert len(alerts) == 1
    assert alerts.get(anew.fingerprint) is anew
    assert alerts.all() == [anew]


def test_the_store_forgets_resolved_alerts() -> None:
    alerts = Alerts()
    alerts.put([alert(10, 50, name="A"), alert(10, 90, name="B"), alert(10, ZERO, name="C")], 10)
    assert alerts.counts(60) == {"firing": 2, "resolved": 1}
    assert [gone.name for gone in alerts.gc(60)] == ["A"]
    assert [kept.name for kept in alerts.all()] == ["B", "C"]
    assert alerts.gc(60) == []
