"""Attempts that come at once are spread over iterations of the event loop, by the time that they take."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tocsin.notify.integrations.sender import STARTING, Pace

ATTEMPTS = 24


async def _started_in(seconds: float) -> Counter[int]:
    """How many of many attempts started in each iteration, if each takes so long there."""
    loop, time, iteration = asyncio.get_running_loop(), 0.0, 0
    pace, started = Pace(lambda: time), Counter[int]()

    def next_iteration() -> None:
        nonlocal iteration
        iteration += 1
        if started.total() < ATTEMPTS:
            loop.call_soon(next_iteration)

    async def attempt() -> None:
        nonlocal time
        await pace.wait()
        started[iteration] += 1
        time += seconds

    loop.call_soon(next_iteration)
    await asyncio.gather(*[attempt() for _ in range(ATTEMPTS)])
    return started


@pytest.mark.parametrize(
    ("share", "most"), [(2.0, 1), (1.0, 1), (0.5, 2), (0.3, 4)], ids=["long", "equal", "half", "third"]
)
def test_those_that_take_long_start_in_different_iterations(share: float, most: int) -> None:
    started = asyncio.run(_started_in(share * STARTING))
    assert started.total() == ATTEMPTS
    assert max(started.values()) == most


def test_those_that_take_no_time_start_together() -> None:
    assert max(asyncio.run(_started_in(0.0)).values()) == ATTEMPTS
