"""Who asks for a run while one goes on shares the next."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.aio.joined import Joined


def test_a_thousand_who_ask_cost_two_runs() -> None:
    async def story() -> int:
        runs = 0
        began, go_on = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            nonlocal runs
            runs += 1
            began.set()
            await go_on.wait()

        joined = Joined(work)
        first = asyncio.create_task(joined.run())
        await began.wait()
        others = [asyncio.create_task(joined.run()) for _ in range(1000)]
        await asyncio.sleep(0)
        others[0].cancel()  # costs nobody else his
        go_on.set()
        await first
        await asyncio.gather(*others[1:])
        await joined.run()
        return runs

    assert asyncio.run(story()) == 3


def test_all_are_told_of_a_failure_and_the_next_run_is_another() -> None:
    async def story() -> None:
        failures = [ValueError("no"), None]

        async def work() -> None:
            await asyncio.sleep(0)
            failure = failures.pop(0)
            if failure is not None:
                raise failure

        joined = Joined(work)
        told = await asyncio.gather(joined.run(), joined.run(), return_exceptions=True)
        assert [str(each) for each in told] == ["no", "no"]
        await joined.run()
        with pytest.raises(IndexError):
            await joined.run()

    asyncio.run(story())
