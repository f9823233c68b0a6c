"""Of the requests with work in slices one goes on at a time; who has had few comes in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.alerting.steps import Steps
from tocsin.node.api.scheduler import CURRENT, QUICK, SHARED, RequestScheduler, pause
from tocsin.node.api.steps import pauses_after, run_steps

SLOW = 4


class Slices:
    """Counts the slices of work of each request, and how many there are in an iteration of the event loop."""

    def __init__(self) -> None:
        self.had: list[int] = []
        self.most = 0
        self._now = 0
        self._scheduler = RequestScheduler(SLOW, self._worked)

    def _worked(self) -> float:
        """Each slice fills an iteration's share."""
        return sum(self.had) * SHARED

    def request(self, count: int, *, writes: bool = False) -> Coroutine[None, None, int]:
        """A request of ``count`` slices; returns how many all had had at its end."""
        self.had.append(0)
        return self._request(len(self.had) - 1, count, writes)

    async def _request(self, number: int, count: int, writes: bool) -> int:
        CURRENT.set(self._scheduler.begin(writes=writes))
        pauses = pauses_after(1)
        for _ in range(count):
            if next(pauses):
                await pause()
            self.had[number] += 1
            self._now += 1
            self.most = max(self.most, self._now)
        return sum(self.had)

    async def watch(self) -> None:
        """See how many come in each iteration, until cancelled."""
        while True:
            self._now = 0
            await asyncio.sleep(0)


def play(story: Callable[[Slices], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        slices = Slices()
        watching = asyncio.create_task(slices.watch())
        await story(slices)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    asyncio.run(run())


def test_eighty_requests_do_not_make_an_iteration_eighty_slices_long() -> None:
    async def story(slices: Slices) -> None:
        await asyncio.gather(*(slices.request(50) for _ in range(80)))
        assert slices.had == [50] * 80
        assert slices.most <= 2

    play(story)


def test_a_request_of_few_slices_does_not_wait_for_those_of_many() -> None:
    async def story(slices: Slices) -> None:
        long = [asyncio.create_task(slices.request(1000)) for _ in range(80)]
        while min(slices.had) <= QUICK:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0)
        before = sum(slices.had)
        after = await slices.request(QUICK - 1)  # Here a pause comes before the first slice, too.
        assert after - before <= 2 * QUICK + 4
        before = after
        after = await slices.request(10 * QUICK, writes=True)
        assert after - before <= 2 * 10 * QUICK + 4, "nor does one that writes"
        for each in long:
            each.cancel()
        await asyncio.gather(*long, return_exceptions=True)

    play(story)


def test_of_those_of_many_only_the_oldest_go_on() -> None:
    async def story(slices: Slices) -> None:
        long = [asyncio.create_task(slices.request(100)) for _ in range(40)]
        await asyncio.wait(long, return_when=asyncio.FIRST_COMPLETED)
        assert [each for each in slices.had if each > QUICK + 1] == slices.had[:SLOW]
        await asyncio.gather(*long)
        assert slices.had == [100] * 40

    play(story)


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=12), st.integers(0, 60))
@settings(deadline=None, max_examples=50)
def test_all_come_to_an_end_whoever_leaves(asked: list[tuple[int, bool]], when: int) -> None:
    async def story(slices: Slices) -> None:
        requests = [asyncio.create_task(slices.request(count)) for count, _ in asked]
        for _ in range(when):
            await asyncio.sleep(0)
        for request, (_, leaves) in zip(requests, asked, strict=True):
            if leaves:
                request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        for had, (count, leaves) in zip(slices.had, asked, strict=True):
            assert had == count or leaves

    play(story)


def test_steps_wait_for_another_request_before_the_first() -> None:
    async def story(slices: Slices) -> None:
        began: list[int] = []
        scheduler = RequestScheduler(SLOW, lambda: len(began) * SHARED)

        def steps(number: int) -> Steps[None]:
            began.append(number)
            yield

        async def request(number: int) -> None:
            CURRENT.set(scheduler.begin())
            await run_steps(steps(number))

        requests = [asyncio.create_task(request(number)) for number in range(3)]
        await asyncio.sleep(0)
        assert began == [0]
        await asyncio.gather(*requests)
        assert began == [0, 1, 2]

    play(story)


def test_small_requests_share_an_iteration_until_they_have_filled_it() -> None:
    """An iteration for each of them costs a tenth of their work."""

    async def story() -> None:
        began: list[int] = []
        scheduler = RequestScheduler(SLOW, lambda: len(began) * SHARED / 4)

        def steps(number: int) -> Steps[None]:
            began.append(number)
            yield

        async def request(number: int) -> None:
            CURRENT.set(scheduler.begin(writes=True))
            await run_steps(steps(number))

        requests = [asyncio.create_task(request(number)) for number in range(12)]
        await asyncio.sleep(0)
        assert began == [0, 1, 2, 3]
        await asyncio.gather(*requests)
        assert began == list(range(12))

    asyncio.run(story())
