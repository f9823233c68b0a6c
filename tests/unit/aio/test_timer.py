"""A timer of the event loop: moved, disarmed, stopped."""

from __future__ import annotations

import asyncio

from tests.support.transports import eventually
from tocsin.aio import LoopTimer


def test_it_fires_once_for_the_time_that_was_set_last() -> None:
    async def story() -> None:
        fired: list[None] = []
        timer = LoopTimer(lambda: fired.append(None))
        loop = asyncio.get_running_loop()
        now = loop.time()
        timer.arm(now + 3600)
        timer.arm(now)
        assert timer.armed_for == now
        await eventually(lambda: bool(fired))
        assert len(fired) == 1
        assert timer.armed_for is None

    asyncio.run(story())


def test_an_earlier_time_counts_and_a_later_one_does_not() -> None:
    async def story() -> None:
        timer = LoopTimer(lambda: None)
        now = asyncio.get_running_loop().time()
        timer.arm_by(now + 100)
        timer.arm_by(now + 200)
        assert timer.armed_for == now + 100
        timer.arm_by(now + 50)
        assert timer.armed_for == now + 50
        timer.disarm()
        assert timer.armed_for is None

    asyncio.run(story())


def test_it_may_be_armed_again_while_it_fires_and_never_once_stopped() -> None:
    async def story() -> None:
        fired: list[None] = []

        def fire() -> None:
            fired.append(None)
            if len(fired) < 3:
                timer.arm(asyncio.get_running_loop().time())

        timer = LoopTimer(fire)
        timer.arm(0.0)
        await eventually(lambda: len(fired) == 3)
        timer.stop()
        timer.arm(0.0)
        assert timer.armed_for is None

    asyncio.run(story())
