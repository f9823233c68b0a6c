"""What runs a machine on the event loop."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.aio import MachineShell
from tocsin.aio import shell as shell_module
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.node.clock import Clock


class Countdown:
    """Due again at once until it has run ``left`` times."""

    def __init__(self, left: int, due: Nanoseconds) -> None:
        self.left = left
        self.due = due
        self.done = asyncio.Event()
        self.early = 0
        self.effects: list[str] = []
        self.performed: list[str] = []

    def next_timeout(self) -> Nanoseconds | None:
        return self.due if self.left else None

    def drain(self) -> list[str]:
        effects, self.effects = self.effects, []
        return effects

    def perform(self, effects: list[str]) -> None:
        self.performed += effects

    def handle_timeout(self, now: Nanoseconds) -> None:
        self.early += now < self.due
        self.effects.append("again")
        self.left -= 1
        if not self.left:
            self.done.set()


def test_a_machine_runs_until_it_has_nothing_due() -> None:
    async def scenario() -> None:
        clock = Clock()
        machine = Countdown(3, clock.now() + 1_000_000)
        shell = MachineShell(machine, clock, machine.perform)
        shell.arm()
        await asyncio.wait_for(machine.done.wait(), 30)
        assert machine.early == 0
        assert machine.left == 0
        await asyncio.sleep(0)
        assert machine.performed == ["again"] * 3

    asyncio.run(scenario())


def test_an_earlier_due_time_is_taken_over_when_armed_again() -> None:
    async def scenario() -> None:
        clock = Clock()
        machine = Countdown(1, clock.now() + 3600 * 10**9)
        shell = MachineShell(machine, clock, machine.perform)
        shell.arm()
        machine.due = clock.now()
        shell.arm()
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
        shell = MachineShell(machine, clock, machine.perform)
        shell.arm()
        clock.value -= 1_000_000
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert machine.left == 1
        clock.value += 3_000_000
        await asyncio.wait_for(machine.done.wait(), 30)
        assert machine.early == 0

    asyncio.run(scenario())


def test_what_is_stopped_stays_stopped() -> None:
    async def scenario() -> None:
        clock = Clock()
        machine = Countdown(1, clock.now())
        shell = MachineShell(machine, clock, machine.perform)
        shell.arm()
        shell.stop()
        shell.arm()
        await asyncio.sleep(0.01)
        assert machine.left == 1

    asyncio.run(scenario())


def test_what_an_effect_makes_is_performed_after_it_and_not_within() -> None:
    class Twice(Countdown):
        depth = 0

        def perform(self, effects: list[str]) -> None:
            self.depth += 1
            assert self.depth == 1
            self.performed += effects
            if len(self.performed) < 2:
                self.effects.append("second")
                shell.run()
            self.depth -= 1

    machine = Twice(0, 0)
    machine.effects.append("first")
    shell = MachineShell(machine, Clock(), machine.perform)
    shell.run()
    assert machine.performed == ["first", "second"]


def test_time_goes_on_for_a_machine_that_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_module, "PAUSE", 0.001)

    class Raising(Countdown):
        def handle_timeout(self, now: Nanoseconds) -> None:
            super().handle_timeout(now)
            if self.left:
                raise RuntimeError("a bug")

    async def scenario() -> None:
        reported: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(str(context["exception"]))
        )
        clock = Clock()
        machine = Raising(3, clock.now() + 1_000_000)
        MachineShell(machine, clock, machine.perform).arm()
        await asyncio.wait_for(machine.done.wait(), 30)
        assert reported == ["a bug", "a bug"]

    asyncio.run(scenario())
