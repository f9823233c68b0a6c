"""Sorting in small steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.alerting import steps
from tocsin.alerting.steps import finish, sorting


@given(st.lists(st.integers(0, 50)), st.integers(1, 60) | st.none(), st.integers(1, 20))
def test_it_is_the_same_in_however_many_steps(items: list[int], most: int | None, at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "SORTED_AT_ONCE", at_once)
        places = list(enumerate(items))
        found = finish(sorting(places, key=lambda each: each[1], most=most))
    assert found == sorted(places, key=lambda each: each[1])[:most], "also those that are equal"


def test_no_step_looks_at_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "SORTED_AT_ONCE", 8)
    looked = longest = 0

    def key(item: int) -> int:
        nonlocal looked
        looked += 1
        return -item

    for _ in sorting(range(1000), key=key):
        longest, looked = max(longest, looked), 0
    assert longest <= 1000 // 8 + 8, "the first of each slice, and those of one step"
