"""Who answers GETs: an address without a place gets one, if need be of one that is slow."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.node.api import places as module
from tocsin.node.api.places import Place, Places


class Asked:
    """GETs that go on until they are ended."""

    def __init__(self, concurrency: int = 2) -> None:
        self.now = 0.0
        self.counts = [0]
        self.places = Places(concurrency, self.counts.append, lambda: self.now)
        self.refused: list[str] = []
        self.ended: list[str] = []
        self._running: list[asyncio.Task[None]] = []

    async def get(self, *sources: str) -> None:
        """One GET of each address begins, when the one before is slow."""
        for source in sources:
            self._running.append(asyncio.create_task(self._answer(source)))
            for _ in range(5):
                await asyncio.sleep(0)
            self.now += 2 * module.SLOW

    async def _answer(self, source: str) -> None:
        place = await self.places.take(source)
        if place is None:
            self.refused.append(source)
            return
        try:
            async with asyncio.timeout(None) as limit:
                place.may_end(limit)
                await asyncio.sleep(3600)
        except TimeoutError:
            self.ended.append(source)
        finally:
            self.places.give_back(place)

    async def close(self) -> None:
        for each in self._running:
            each.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        assert self.counts[-1] == 0, "nobody keeps a place"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEWCOMERS", 2)


def test_many_addresses_keep_none_out() -> None:
    async def story() -> None:
        asked = Asked()
        await asked.get("client")
        many = [f"2001:db8:0:{number:x}::/64" for number in range(100)]
        await asked.get(*many)
        assert max(asked.counts) == 2 * 2 + 2
        assert not asked.refused
        # Who came first goes on; of the others the newest lost its place each time.
        assert asked.ended == many[4:-1]
        await asked.get("another", "client")
        assert asked.ended[-1] == many[-1]
        assert asked.refused == ["client"], "it has its place, and these are too many for two"
        await asked.close()

    asyncio.run(story())


def test_who_has_most_places_loses_one_first() -> None:
    async def story() -> None:
        asked = Asked(concurrency=4)
        await asked.get("greedy", "greedy", "greedy", "greedy")
        await asked.get(*(f"192.0.2.{number}" for number in range(7)))
        assert asked.ended == ["greedy"]
        await asked.close()

    asyncio.run(story())


def test_one_that_is_quick_or_has_begun_to_answer_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.0)

    async def story() -> None:
        now = 0.0
        places = Places(1, lambda _: None, lambda: now)
        held: list[Place] = []
        for number in range(4):
            place = await places.take(f"192.0.2.{number}")
            assert place is not None
            held.append(place)
        async with asyncio.timeout(None) as limit:
            held[0].may_end(limit)
            assert await places.take("192.0.2.9") is None, "it is quick"
            now += module.SLOW
            held[0].answered()
            assert await places.take("192.0.2.9") is None, "it has begun to answer"
            await asyncio.sleep(0)
        assert not limit.expired()

    asyncio.run(story())


def test_who_comes_now_takes_no_place_from_who_waits() -> None:
    async def story() -> None:
        asked = Asked(concurrency=1)
        for source in ("a", "b", "c", "d"):
            asked.now = 0.0
            await asked.get(source)
        asked.now = 0.0
        came: list[str] = []

        async def take(source: str) -> None:
            place = await asked.places.take(source)
            assert place is not None
            came.append(source)
            asked.places.give_back(place)

        waiting = asyncio.create_task(take("waits"))
        await asyncio.sleep(0)
        asked.now = module.SLOW
        await asyncio.gather(waiting, take("late"))
        assert came == ["waits", "late"]
        await asked.close()

    asyncio.run(story())


def test_who_waits_gets_the_place_of_one_that_has_become_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLOW", 0.001)

    async def story() -> None:
        asked = Asked(concurrency=1)
        asked.now = 100.0
        begun = asked.now
        for source in ("a", "b", "c", "d"):
            asked.now = begun
            await asked.get(source)
        asked.now = begun
        waiting = asyncio.create_task(asked.places.take("waits"))
        await asyncio.sleep(0)
        assert not waiting.done()
        asked.now += 1.0
        place = await waiting
        assert place is not None
        assert place.source == "waits"
        await asyncio.sleep(0)
        asked.places.give_back(place)
        await asked.close()
        assert asked.ended == ["d"]

    asyncio.run(story())
