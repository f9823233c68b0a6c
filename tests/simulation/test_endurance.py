"""Hours of trouble in three regions: the cluster comes together each time, and nothing grows."""

from __future__ import annotations

import pytest

from simulation.endurance import Day, live


def test_a_short_day_leaves_nothing_behind() -> None:
    day = live(3, hours=3, nodes=3, hour=720)
    assert not day.wronged
    assert max(day.held) <= 1.2 * min(day.held)
    assert sum(day.done.values()) >= 2


@pytest.mark.parametrize(("hours", "steady"), [([5, 9, 9, 9, 9, 9], True), ([5, 9, 9, 9, 10, 12], False)])
def test_what_grows_is_noticed(hours: list[int], steady: bool) -> None:
    assert Day().steady(hours) == steady


@pytest.mark.slow
def test_a_day_leaves_nothing_behind() -> None:
    day = live(1, hours=24)
    assert not day.wronged
    assert day.steady(day.objects)
    assert day.steady(day.held)
