"""The wall clock, and how it is noticed that somebody set it back."""

from __future__ import annotations

from tocsin.alerting.timestamp import SECOND
from tocsin.node.clock import Clock, ClockWatch


def test_only_a_clock_that_was_set_back_is_told_of() -> None:
    class Set(Clock):
        at = 100 * SECOND

        def now(self) -> int:
            return self.at

    wall, monotonic = Set(), 0
    watch = ClockWatch(wall, lambda: monotonic)
    wall.at += 5 * SECOND
    monotonic += 5 * SECOND
    assert watch.set_back_by() == 0
    wall.at += 3600 * SECOND
    assert watch.set_back_by() == 0  # forward: timers are only early
    wall.at -= SECOND // 2
    assert watch.set_back_by() == 0  # steered
    wall.at -= 7200 * SECOND
    monotonic += 5 * SECOND
    assert watch.set_back_by() == 7205 * SECOND
    assert watch.set_back_by() == 0
    wall.at += 3600 * SECOND
    assert watch.now() == wall.at
    wall.at -= 3600 * SECOND
    assert watch.set_back_by() == 3600 * SECOND  # ahead for a moment, and somebody has seen it
    assert watch.set_back_by() == 0
