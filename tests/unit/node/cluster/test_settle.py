"""Settling follows Alertmanager's rule poll by poll."""

from __future__ import annotations

from tocsin.node.cluster.settle import Settle


def polls_until_settled(counts: list[int], *, deadline: float = 1000.0) -> int:
    settle = Settle(interval=2.0, deadline=deadline, now=0.0)
    for number, members in enumerate(counts, start=1):
        if settle.handle_timeout(members, 2.0 * number):
            return number
    return 0


def test_five_polls_are_the_least() -> None:
    assert polls_until_settled([3] * 10) == 5


def test_a_change_starts_the_count_again() -> None:
    assert polls_until_settled([1, 1, 1, 3, 3, 3, 3, 3]) == 8


def test_nothing_settles_while_the_size_moves() -> None:
    assert polls_until_settled([1, 2, 3, 4, 5, 6, 7]) == 0


def test_the_deadline_settles_regardless_and_says_so() -> None:
    settle = Settle(interval=2.0, deadline=3.0, now=0.0)
    assert not settle.handle_timeout(1, 2.0)
    assert settle.next_timeout() == 3.0
    assert settle.handle_timeout(2, 3.0)
    assert settle.settled
    assert settle.timed_out
    assert settle.next_timeout() is None


def test_an_early_call_is_no_poll() -> None:
    settle = Settle(interval=2.0, deadline=100.0, now=0.0)
    for _ in range(20):
        assert not settle.handle_timeout(3, 1.0)
    assert not settle.settled
