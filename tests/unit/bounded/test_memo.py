"""A memo forgets what was written longest ago; a throttle admits each key once in a while."""

from __future__ import annotations

from tocsin.bounded import Memo, Throttle


def test_the_oldest_goes_first() -> None:
    memo: Memo[str, int] = Memo(2)
    memo.put("a", 1)
    memo.put("b", 2)
    memo.put("a", 3)
    memo.put("c", 4)
    assert (memo.get("a"), memo.get("b"), memo.get("c")) == (3, None, 4)
    memo.touch("a")
    memo.put("d", 5)
    assert list(memo) == ["a", "d"]
    assert memo.pop("a") == 3
    assert memo.pop("a") is None
    assert memo.pop_oldest() == ("d", 5)
    assert len(memo) == 0


def test_each_key_is_admitted_once_in_an_interval() -> None:
    throttle: Throttle[str] = Throttle(60.0, 10)
    assert [throttle.admit("a", now) for now in (0.0, 59.0, 60.0, 61.0)] == [True, False, True, False]
    assert throttle.admit("b", 61.0)


def test_a_throttle_remembers_a_bounded_number_of_keys() -> None:
    throttle: Throttle[int] = Throttle(60.0, 10)
    for key in range(100):
        throttle.admit(key, 0.0)
    assert len(throttle) == 10
