"""How long look-ups hold the event loop, by a clock that only they move."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tocsin.alerting.labels import Labels
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.node import lookups
from tocsin.node.lookups import SLICE, LookUps

STEPS = 40
STEP = SLICE / 8
GROUPS = 64
ALERTS = [Labels.from_mapping({"alertname": f"A{number}"}) for number in range(GROUPS)]


class SlowMuter:
    """Each answer takes five slices to find."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.left = {labels.fingerprint: STEPS for labels in ALERTS}

    def mutes(self, labels: Labels, now: Nanoseconds, /) -> tuple[str, ...]:
        return ()

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        return self.mutes(labels, now)
        yield

    def looking_up(self, labels: Labels, /) -> Iterator[None] | None:
        return self._steps(labels.fingerprint) if self.left[labels.fingerprint] else None

    def _steps(self, fingerprint: int) -> Iterator[None]:
        while self.left[fingerprint]:
            self.left[fingerprint] -= 1
            self.seconds += STEP
            yield


def test_those_who_ask_in_one_turn_of_the_event_loop_share_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    muter = SlowMuter()
    monkeypatch.setattr(lookups, "perf_counter", lambda: muter.seconds)
    looking = LookUps(muter)

    async def story() -> float:
        assert sum(looking.at_once([labels]) for labels in ALERTS) == 0
        longest = muter.seconds
        tasks = [asyncio.create_task(looking.find_all([labels])) for labels in ALERTS]
        while not all(task.done() for task in tasks):
            before = muter.seconds
            await asyncio.sleep(0)
            longest = max(longest, muter.seconds - before)
        return longest

    # One slice of those who ask, and one of whoever has its turn beside them; each ends a step late.
    assert asyncio.run(story()) <= 2 * (SLICE + 2 * STEP)
    assert not any(muter.left.values())


def test_to_see_that_thousands_are_known_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a part of a slice, though there is nothing to find."""
    muter = SlowMuter()
    muter.left = dict.fromkeys(muter.left, 0)
    asked = [0]

    class Counting(SlowMuter):
        def looking_up(self, labels: Labels, /) -> Iterator[None] | None:
            asked[-1] += 1
            muter.seconds += STEP
            return muter.looking_up(labels)

    monkeypatch.setattr(lookups, "perf_counter", lambda: muter.seconds)
    monkeypatch.setattr(lookups, "KNOWN_AT_ONCE", 4)
    looking = LookUps(Counting())

    async def story() -> None:
        assert not looking.at_once(ALERTS)
        task = asyncio.create_task(looking.find_all(ALERTS))
        while not task.done():
            asked.append(0)
            await asyncio.sleep(0)

    asyncio.run(story())
    assert sum(asked) == len(ALERTS), "once, as all are known"
    assert max(asked) <= SLICE / STEP + 4 + 1
