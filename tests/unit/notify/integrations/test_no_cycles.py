"""What a notification makes goes when it is over, by reference counts: no cycle is left to the collector,
whose collections hold the event loop."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import httptools

from tests.support.httpreceiver import client, run, served
from tocsin.alerting.steps import Rounds, Steps


@contextmanager
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_an_answer_goes_with_its_parser() -> None:
    async def story() -> None:
        async with served() as server, client() as http:
            await http.post(server.url, b"{}")
            with collector_off():
                for _ in range(5):
                    await http.post(server.url, b"{}")
                    await asyncio.sleep(0)
                left = [each for each in gc.get_objects() if isinstance(each, httptools.HttpResponseParser)]
                assert not left

    run(story)


def test_what_steps_found_goes_with_its_reader() -> None:
    class Found:
        """Something that can be watched."""

    def steps() -> Steps[Found]:
        yield
        return Found()

    rounds: Rounds[str, Found] = Rounds(10)
    rounds.add("work", steps())
    with collector_off():
        [(work, found)] = rounds.go_on()
        watched = weakref.ref(found)
        del found
        assert work == "work"
        assert watched() is None
