"""The order of alerts and groups, and what is remembered for it."""

from __future__ import annotations

from functools import cmp_to_key

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.routing import T0, alert, one_route
from tocsin.alerting import dispatch, order
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.labels import Labels
from tocsin.alerting.order import REMEMBERED, labels_order

names = st.text(st.characters(codec=None), min_size=1, max_size=4)


def compared(first: Labels, second: Labels) -> int:
    """As the definition says."""
    if len(first) != len(second):
        return len(first) - len(second)
    for (name, value), (other, another) in zip(first.pairs, second.pairs, strict=True):
        if name != other:
            return -1 if name > other else 1
        if value != another:
            return -1 if value < another else 1
    return 0


@given(st.lists(st.dictionaries(names, st.text(max_size=2), max_size=3), max_size=6))
def test_it_is_that_of_the_definition(sets: list[dict[str, str]]) -> None:
    labels = [Labels({name: value or "x" for name, value in each.items()}) for each in sets]
    assert sorted(labels, key=labels_order) == sorted(labels, key=cmp_to_key(compared))


def test_long_names_are_not_remembered() -> None:
    """Whoever posts alerts makes them up: of 60 KB each, and thousands."""
    order._remembered.cache_clear()
    labels_order(Labels({"n" * (REMEMBERED + 1): "x"}))
    assert order._remembered.cache_info().currsize == 0
    labels_order(Labels({"n" * REMEMBERED: "x"}))
    assert order._remembered.cache_info().currsize == 1


def test_groups_are_viewed_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their labels whoever posts alerts makes as many groups as alerts."""
    monkeypatch.setattr(dispatch, "VIEWED_IN_STEP", 4)
    dispatcher = Dispatcher(one_route(group_by=("alertname",)), now=T0)
    for number in range(50):
        dispatcher.insert(alert(alertname=f"A{number:02}"), T0)
    steps = dispatcher.viewing()
    assert sum(1 for _ in steps) >= 50 // 4
    assert [group.labels.value("alertname") for group in dispatcher.groups()] == [
        f"A{number:02}" for number in range(50)
    ]


def test_groups_whose_alerts_are_not_sorted_yet_are_viewed_in_small_steps() -> None:
    """Thousands of new alerts in a few dozen groups: to sort those of one takes a millisecond or more."""
    dispatcher = Dispatcher(one_route(group_by=("alertname",)), now=T0)
    for number in range(40):
        for pod in range(130):
            dispatcher.insert(alert(alertname=f"A{number:02}", pod=f"p{pod}"), T0)
    cold = sum(1 for _ in dispatcher.viewing())
    warm = sum(1 for _ in dispatcher.viewing())
    assert cold - warm >= 40 * 130 // dispatch.SORTED_IN_STEP - 1
    assert [len(group.alerts) for group in dispatcher.groups()] == [130] * 40
