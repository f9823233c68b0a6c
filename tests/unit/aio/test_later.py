"""What takes long to make is made once, in a thread, when it is first asked for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tocsin.aio.later import Later


def test_it_is_made_once_in_a_thread_for_all_who_ask() -> None:
    async def story() -> None:
        made: list[threading.Thread] = []

        def make() -> object:
            made.append(threading.current_thread())
            return object()

        later = Later(make)
        with pytest.raises(RuntimeError):
            later.made  # noqa: B018 - it raises
        given_up = asyncio.create_task(later.get())
        others = [asyncio.create_task(later.get()) for _ in range(100)]
        await asyncio.sleep(0)
        given_up.cancel()  # costs nobody else his
        found = await asyncio.gather(*others)
        assert set(found) == {later.made}
        assert len(made) == 1
        assert made[0] is not threading.current_thread()

    asyncio.run(story())


def test_who_asks_after_a_failure_has_it_tried_again() -> None:
    async def story() -> None:
        failures = [ImportError("no")]

        def make() -> int:
            if failures:
                raise failures.pop()
            return 1

        later = Later(make)
        with pytest.raises(ImportError):
            await later.get()
        assert await later.get() == later.made == 1

    asyncio.run(story())
