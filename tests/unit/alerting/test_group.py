"""The order within a group is kept from report to report, and is what sorting would give."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.alerting import group as module
from tocsin.alerting import steps
from tocsin.alerting.alert import Alert
from tocsin.alerting.group import AggregationGroup
from tocsin.alerting.labels import Labels
from tocsin.alerting.order import AlertOrder, alert_order
from tocsin.alerting.timestamp import Nanoseconds

FOR_EVER = 10**19


def alert(number: int, ends_at: Nanoseconds = FOR_EVER) -> Alert:
    labels = Labels({"alertname": "A", "instance": f"host-{number * 7 % 50}", "number": str(number)})
    return Alert(labels=labels, annotations=Labels(), starts_at=1, ends_at=ends_at, updated_at=1)


def group() -> AggregationGroup:
    return AggregationGroup(route=None, labels=Labels(), key="k", alerts={})  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["report", "resolve", "look"])), max_size=80))
def test_the_order_is_that_of_sorting_whatever_comes_and_goes(script: list[tuple[int, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MANY", 5)
        held = group()
        for number, what in script:
            if what == "report":
                held.insert(alert(number))
            elif what == "resolve":
                held.insert(alert(number, ends_at=2))
            else:
                # As a flush of the group that went well: what is resolved goes.
                flushed = [one for one in held.sorted_alerts() if one.resolved_at(3)]
                held.flushed(flush_of(flushed), success=True)
            assert held.sorted_alerts() == tuple(sorted(held.alerts.values(), key=alert_order))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12), st.sampled_from(["report", "resolve", "flush", "end", "begin", "step"])
        ),
        max_size=60,
    )
)
@example(
    [
        *((0, "resolve"), (1, "report"), (0, "flush"), (2, "report"), (3, "report"), (4, "report")),
        *((0, "begin"), (0, "step"), (0, "end"), (0, "report")),
    ]
)
def test_so_it_is_when_it_is_sorted_in_steps_and_alerts_come_and_go_between(
    script: list[tuple[int, str]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MANY", 2)
        patch.setattr(steps, "SORTED_AT_ONCE", 2)
        held = group()
        flushed: list[Alert] = []
        under_way: list[steps.Steps[tuple[Alert, ...]]] = []
        for number, what in script:
            if what == "report":
                held.insert(alert(number))
            elif what == "resolve":
                held.insert(alert(number, ends_at=2))
            elif what == "flush":
                flushed = [one for one in held.sorted_alerts() if one.resolved_at(3)]
            elif what == "end":
                held.flushed(flush_of(flushed), success=True)
                flushed = []
            elif what == "begin":
                under_way.append(held.sorting())
            elif under_way:
                under_way.append(one := under_way.pop(0))
                next(one, None)
        for one in under_way:
            # Of the step that was its last, the result is lost: None.
            part = steps.finish(one) or ()
            assert part == tuple(sorted(part, key=alert_order))
            assert all(held.alerts[each.fingerprint] is each for each in part)
        assert steps.finish(held.sorting()) == tuple(sorted(held.alerts.values(), key=alert_order))


def test_what_comes_faster_than_it_is_sorted_is_left_for_the_next_time() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MANY", 2)
        patch.setattr(steps, "SORTED_AT_ONCE", 2)
        held = group()
        for number in range(6):
            held.insert(alert(number))
        sorting = held.sorting()
        next(sorting)
        for number in range(6, 12):
            held.insert(alert(number))
        assert len(steps.finish(sorting)) == 6
        assert held.unsorted == 6
        assert len(steps.finish(held.sorting())) == 12


def test_what_goes_while_it_is_sorted_has_no_step_sort_all() -> None:
    compared = [0]

    def counted(one: Alert) -> AlertOrder:
        compared[-1] += 1
        return alert_order(one)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MANY", 2)
        patch.setattr(module, "alert_order", counted)
        patch.setattr(steps, "SORTED_AT_ONCE", 8)
        held = group()
        for number in range(48):
            held.insert(alert(number, ends_at=2 if number < 2 else FOR_EVER))
        sorting = held.sorting()
        for number in range(2):
            next(sorting)
            held.flushed(flush_of([held.alerts[alert(number).labels.fingerprint]]), success=True)
        found = None
        while found is None:
            compared.append(0)
            try:
                next(sorting)
            except StopIteration as end:
                found = end.value
        assert found == tuple(sorted(held.alerts.values(), key=alert_order))
        assert len(found) == 46
        assert max(compared) < 20


def flush_of(alerts: list[Alert]) -> module.Flush:
    return module.Flush(
        group_key="k",
        route_id="",
        group_labels=Labels(),
        options=None,  # type: ignore[arg-type]
        alerts=tuple(alerts),
        now=3,
        deadline=4,
    )


def test_what_is_reported_again_is_not_sorted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    held = group()
    for number in range(300):
        held.insert(alert(number))
    before = held.sorted_alerts()
    asked: list[Alert] = []
    monkeypatch.setattr(module, "alert_order", lambda one: asked.append(one) or alert_order(one))  # type: ignore[func-returns-value]
    for number in range(300):
        held.insert(alert(number))
    assert [one.labels for one in held.sorted_alerts()] == [one.labels for one in before]
    assert not asked
    held.insert(alert(1000))
    assert len(held.sorted_alerts()) == 301
    assert 0 < len(asked) < 20
