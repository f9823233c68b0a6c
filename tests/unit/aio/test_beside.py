"""Calls beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from tocsin.aio.beside import Beside
from tocsin.errors import ClosedError


def run(story: Callable[[Beside], Awaitable[None]]) -> None:
    async def whole() -> None:
        thread = Beside("test")
        try:
            async with asyncio.timeout(40):
                await story(thread)
        finally:
            thread.close()

    asyncio.run(whole())


def _raise() -> None:
    raise BaseExceptionGroup("what no program expects", [GeneratorExit()])


def test_a_thread_tells_what_was_raised_and_a_hanging_one_is_a_daemon() -> None:
    async def story(thread: Beside) -> None:
        assert await thread.run(lambda: 1) == 1
        with pytest.raises(ZeroDivisionError):
            await thread.run(lambda: 1 // 0)
        with pytest.raises(BaseExceptionGroup):
            await thread.run(_raise)
        assert await thread.run(lambda: threading.current_thread().daemon)

    run(story)


def test_what_follows_a_call_is_done_on_the_loop_before_its_caller_goes_on() -> None:
    async def story(thread: Beside) -> None:
        told: list[object] = []
        here = threading.get_ident()

        def then(result: int) -> None:
            assert threading.get_ident() == here
            told.append(result)

        assert await thread.run(lambda: 1, then) == 1
        assert told == [1]
        with pytest.raises(ZeroDivisionError):
            await thread.run(lambda: 1 // 0, then)
        assert told == [1]
        with pytest.raises(ZeroDivisionError):
            await thread.run(lambda: 0, lambda result: 1 // result)

    run(story)


def test_after_its_end_calls_are_refused_and_those_before_are_done() -> None:
    async def story(thread: Beside) -> None:
        go = threading.Event()
        before = asyncio.create_task(thread.run(go.wait))
        await asyncio.sleep(0)
        thread.close()
        async with asyncio.timeout(5):
            with pytest.raises(ClosedError, match="test"):
                await thread.run(lambda: 1)
        go.set()
        assert await before

    run(story)


def test_what_follows_a_call_is_done_though_nobody_waits_any_more() -> None:
    async def story(thread: Beside) -> None:
        go, told = threading.Event(), asyncio.Event()
        waiting = asyncio.create_task(thread.run(go.wait, lambda _: told.set()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        go.set()
        await told.wait()

    run(story)
