"""The timer that drives a pure machine."""

from __future__ import annotations

import asyncio

from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node.clock import Clock, ClockWatch, Timer


class Countdown:
    """Due again at once until it has run ``left`` times."""

    def __init__(self, left: int, due: Nanoseconds) -> None:
        self.left = left
        self.due = due
        self.done = asyncio.Event()
        self.early = 0

    def next_timeout(self) -> Nanoseconds | None:
        return self.due if self.left else None

    def expired(self, now: Nanoseconds) -> None:
        self.early += now < self.due
        self.left -= 1
        if not self.left:
            self.done.set()


def test_a_machine_runs_until_it_has_nothing_due() -> None:
    async def scenario() -> None:
        clock = Clock()
        machine = Countdown(3, clock.now() + 1_000_000)
        timer = Timer(clock, machine.next_timeout, machine.expired)
        timer.arm()
        await asyncio.wait_for(machine.done.wait(), 30)
        assert machine.early == 0
        assert machine.left == 0

    asyncio.run(scenario())


def test_an_earlier_due_time_is_taken_over_when_armed_again() -> None:
    async def scenario() -> None:
        clock = Clock()
        machine = Countdown(1, clock.now() + 3600 * 10**9)
        timer = Timer(clock, machine.next_timeout, machine.expired)
        timer.arm()
        machine.due = clock.now()
        timer.arm()
        await asyncio.wait_for(machine.done.wait(), 30)

    asyncio.run(scenario())


def test_a_clock_set_back_fires_late_but_never_early() -> None:
    class Jumping(Clock):
        def __init__(self) -> None:
            self.value = 10**18

        def now(self) -> Nanoseconds:
            return self.value

    async def scenario() -> None:
        clock = Jumping()
        machine = Countdown(1, clock.value + 1_000_000)
        timer = Timer(clock, machine.next_timeout, machine.expired)
        timer.arm()
        clock.value -= 1_000_000
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert machine.left == 1
        clock.value += 3_000_000
        await asyncio.wait_for(machine.done.wait(), 30)
        assert machine.early == 0

    asyncio.run(scenario())


def test_a_stopped_timer_stays_stopped() -> None:
    async def scenario() -> None:
        clock = Clock()
        machine = Countdown(1, clock.now())
        timer = Timer(clock, machine.next_timeout, machine.expired)
        timer.arm()
        timer.stop()
        timer.arm()
        await asyncio.sleep(0.01)
        assert machine.left == 1

    asyncio.run(scenario())


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
