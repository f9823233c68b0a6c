"""A quota: both bounds, and no memory for keys that hold nothing."""

from __future__ import annotations

import pytest

from tocsin.bounded import Quota


def test_each_key_and_all_together_are_bounded() -> None:
    quota: Quota[str] = Quota(2, 3)
    assert [quota.acquire(key) for key in ("a", "a", "a", "b", "b")] == [True, True, False, True, False]
    assert quota.full
    assert quota.full_of("a")
    assert not quota.full_of("b")
    quota.release("a")
    assert quota.acquire("b")


def test_an_amount_that_would_exceed_a_bound_is_not_counted() -> None:
    quota: Quota[str] = Quota(10, 12)
    assert quota.acquire("a", 8)
    assert not quota.acquire("a", 3)
    assert not quota.acquire("b", 5)
    assert (quota.of("a"), quota.of("b"), quota.total) == (8, 0, 8)


def test_what_was_added_past_a_bound_is_known_to_exceed_it() -> None:
    quota: Quota[str] = Quota(10, 12)
    quota.add("a", 10)
    assert not quota.exceeded("a")
    quota.add("b", 3)
    assert quota.exceeded("a")


def test_a_key_that_holds_nothing_takes_no_memory() -> None:
    quota: Quota[int] = Quota()
    for key in range(1000):
        quota.add(key)
        quota.release(key)
        quota.add(key, 0)
    assert len(quota) == 0
    assert quota.total == 0


def test_nobody_releases_what_it_does_not_hold() -> None:
    quota: Quota[str] = Quota()
    quota.add("a")
    with pytest.raises(ValueError, match="2 released of 1"):
        quota.release("a", 2)
    assert quota.total == 1
