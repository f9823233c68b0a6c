"""A set of tasks: failures are reported, the end cancels all of them and waits."""

from __future__ import annotations

import asyncio

from tocsin.aio import Tasks


def test_a_failure_is_reported_once_and_ends_no_other_task() -> None:
    async def story() -> None:
        errors: list[BaseException] = []
        tasks = Tasks(errors.append)

        async def fail() -> None:
            raise ValueError("this one")

        async def answer() -> int:
            await asyncio.sleep(0)
            return 42

        tasks.spawn(fail())
        assert await tasks.spawn(answer()) == 42
        await asyncio.sleep(0)
        assert [str(error) for error in errors] == ["this one"]
        assert len(tasks) == 0

    asyncio.run(story())


def test_cancelling_waits_for_what_tasks_do_at_their_end() -> None:
    async def story() -> None:
        tasks, ended = Tasks(lambda _: None), []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        tasks.spawn(work())
        tasks.spawn(work())
        await asyncio.sleep(0)
        await tasks.cancel()
        assert ended == [True, True]
        await tasks.cancel()

    asyncio.run(story())


def test_a_task_may_cancel_the_others() -> None:
    async def story() -> None:
        tasks = Tasks(lambda _: None)
        other = tasks.spawn(asyncio.Event().wait())
        await tasks.spawn(tasks.cancel())
        assert other.cancelled()

    asyncio.run(story())


def test_those_that_do_not_finish_in_time_are_cancelled() -> None:
    async def story() -> None:
        tasks = Tasks(lambda _: None)
        late, quick = tasks.spawn(asyncio.Event().wait()), tasks.spawn(asyncio.sleep(0))
        await tasks.finished(0.01)
        assert late.cancelled()
        assert not quick.cancelled()

    asyncio.run(story())
