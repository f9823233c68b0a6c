"""The cycle collector is kept short, and still collects."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from tocsin.node import garbage


class Knot:
    """Refers to itself: reference counts never free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_growth_sets_off_no_full_collection() -> None:
    garbage.set_up()
    full = gc.get_stats()[2]["collections"]
    young = gc.get_stats()[0]["collections"]
    kept = [Knot() for _ in range(200_000)]
    assert len(kept) == 200_000
    assert gc.get_stats()[2]["collections"] == full
    assert gc.get_stats()[0]["collections"] > young


def test_what_was_there_is_kept_out() -> None:
    knots = [Knot() for _ in range(1_000)]
    garbage.keep_what_is_there()
    assert gc.get_freeze_count() >= len(knots)


async def _until_collected(dead: weakref.ref[Knot]) -> None:
    task = asyncio.create_task(garbage.collect_forever(0.001))
    try:
        async with asyncio.timeout(10):
            while dead() is not None:  # noqa: ASYNC110 (there is no event to wait for)
                await asyncio.sleep(0.001)
    finally:
        task.cancel()


def test_old_knots_go_with_the_next_full_collection() -> None:
    garbage.set_up()
    knot = Knot()
    dead = weakref.ref(knot)
    gc.collect()  # it is old now
    del knot
    asyncio.run(_until_collected(dead))
