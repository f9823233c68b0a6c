"""Alerts: their status, how reports merge, how the store keeps them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting.alert import Alert, merge
from tocsin.alerting.alerts import COLLECTED_IN_STEP, Alerts
from tocsin.alerting.labels import Labels
from tocsin.alerting.limit import AlertNameLimit
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


def test_thousands_are_forgotten_in_steps_and_one_that_comes_again_meanwhile_is_there_once() -> None:
    alerts = Alerts()
    made = [alert(10, 50, name=f"A{number}") for number in range(2 * COLLECTED_IN_STEP)]
    alerts.put(made, 10)
    steps = alerts.collecting(60)
    assert len(next(steps)) == COLLECTED_IN_STEP
    assert len(alerts) == COLLECTED_IN_STEP
    anew = [alert(70, ZERO, name="A0"), alert(70, ZERO, name=made[-1].name)]
    alerts.put(anew, 70)
    assert len(list(alerts.by_fingerprint())) == COLLECTED_IN_STEP + 1
    assert len(next(steps)) == COLLECTED_IN_STEP - 1
    assert list(steps) == []
    in_order = sorted(anew, key=lambda one: one.labels.fingerprint)
    assert list(alerts.by_fingerprint()) == in_order


def test_a_name_that_is_full_takes_no_new_alert_until_one_has_ended() -> None:
    limit = AlertNameLimit(2)
    alerts = Alerts(limit)
    first, second, third = (
        Alert(Labels({"alertname": "A", "i": str(number)}), Labels(), 10, 100 + number) for number in range(3)
    )
    assert alerts.put([first, second, third, alert(10, 100, name="B")], 20) == [
        first,
        second,
        alert(10, 100, name="B"),
    ]
    assert limit.dropped == {"A": 1}
    later = replace(first, ends_at=500, updated_at=60)  # A known one is always admitted.
    assert len(alerts.put([later], 60)) == 1
    assert alerts.put([third], 100) == []
    assert alerts.put([third], 102) == [third]  # The second one ended at 101, and the first one goes on.
    assert limit.dropped == {"A": 2}
    alerts.gc(600)
    assert len(alerts.put([replace(first, ends_at=900), replace(second, ends_at=900)], 600)) == 2


@given(
    limit=st.integers(1, 4),
    story=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 40), st.integers(0, 5)), max_size=60),
)
def test_a_limit_is_never_passed_and_known_alerts_are_always_taken(
    limit: int, story: list[tuple[int, int, int]]
) -> None:
    bound = AlertNameLimit(limit)
    now = 10
    living: dict[int, int] = {}
    for number, lasts, passes in story:
        now += 10 * passes
        one = Alert(
            Labels({"alertname": "A", "i": str(number)}), Labels(), now, now + 10 * lasts + number
        )  # No two end at once.
        admitted = bound.admit(one, now)
        if number in living:
            assert admitted
        elif admitted and len(living) >= limit:
            ended = min(living, key=lambda each: living[each])
            assert living.pop(ended) < now
        else:
            assert admitted == (len(living) < limit)
        if admitted:
            living[number] = one.ends_at
        assert len(living) <= limit


def test_the_place_of_an_alert_that_was_ended_early_is_free() -> None:
    """Alerts fire with an end ahead, which moves back when they are resolved."""
    bound = AlertNameLimit(2)
    first, second, third = (
        Alert(Labels({"alertname": "A", "i": str(number)}), Labels(), 10, 100 + number) for number in range(3)
    )
    assert bound.admit(first, 20)
    assert bound.admit(second, 20)
    for end in range(99, 30, -1):
        assert bound.admit(replace(second, ends_at=end), 20)
    assert not bound.admit(third, 25)
    assert bound.admit(third, 40), "the second one has ended, though the first one was to end before it"
    assert not bound.admit(replace(second, ends_at=200), 40)


def test_without_a_limit_all_are_taken() -> None:
    alerts = Alerts()
    assert len(alerts.put([alert(10, 100, name="A")] * 5, 20)) == 5


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.booleans()), max_size=60))
def test_they_are_given_by_fingerprint_whatever_comes_and_goes(
    steps: list[tuple[int, bool, bool]],
) -> None:
    alerts = Alerts()
    known: dict[int, Alert] = {}
    for number, ends, looks in steps:
        one = alert(1, 2 if ends else ZERO, name=f"A{number}")
        [stored] = alerts.put([one], 1)
        known[one.fingerprint] = stored
        if ends:
            for gone in alerts.gc(3):
                del known[gone.fingerprint]
        if looks:
            assert list(alerts.by_fingerprint()) == [known[each] for each in sorted(known)]
    assert list(alerts.by_fingerprint()) == [known[each] for each in sorted(known)]
