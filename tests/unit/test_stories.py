"""A story that differs is made short in few rounds; and what is told apart without playing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.stories import compare
from tests.stories.compare import ENOUGH, Verdict, confirm, minimised, outdated, sequences
from tests.stories.play import Setting
from tests.stories.sink import Told
from tests.stories.story import LENGTH, REST, Event, Story, fires, tell


def _verdict(story: Story, *, different: bool) -> Verdict:
    """As if it was played."""
    lines = ((("0", "group"), ()),)
    theirs = () if different else lines
    return Verdict(story, {lines}, {theirs}, plays=ENOUGH, alike=not different)


@pytest.mark.parametrize("places", [(0,), (3, 20), (0, 9, 17)])
def test_what_shows_a_difference_is_found_in_few_rounds(places: tuple[int, ...]) -> None:
    story = next(story for story in map(tell, range(1000)) if len(story.events) >= 24 and story.child)
    needed = [story.events[place] for place in places]
    rounds = 0

    async def judged(stories: Sequence[Story]) -> list[Verdict]:
        nonlocal rounds
        rounds += 1
        assert len({one.seed for one in stories}) == len(stories)
        return [_verdict(one, different=set(needed) <= set(one.events)) for one in stories]

    found = asyncio.run(minimised(_verdict(story, different=True), judged))
    assert list(found.story.events) == needed
    assert found.story.seed == story.seed
    assert rounds <= 8


def test_what_differs_in_no_shorter_story_stays_as_it_is() -> None:
    story = tell(1)

    async def judged(stories: Sequence[Story]) -> list[Verdict]:
        return [_verdict(one, different=False) for one in stories]

    found = asyncio.run(minimised(_verdict(story, different=True), judged))
    assert found.story == story


FLAPS = replace(
    tell(1),
    events=(Event(0.0, "fire", "A", 1), Event(3.0, "end", "A", 1), Event(3.5, "fire", "A", 1, lasts=2.0)),
)


def test_an_alert_fires_from_its_report_to_its_end() -> None:
    moments = [at / 2 for at in range(12) if fires(FLAPS, "A", 1, at / 2)]
    assert moments == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5, 4.0, 4.5, 5.0]
    assert not fires(FLAPS, "A", 2, 1.0)


@pytest.mark.parametrize(
    ("told", "count"),
    [
        ([(0.3, "firing", "200"), (3.27, "resolved", "200"), (3.77, "firing", "200")], 0),
        ([(3.27, "resolved", "200"), (3.65, "resolved", "200")], 1),
        ([(5.77, "firing", "200")], 1),
        ([(3.27, "resolved", "500"), (3.77, "resolved", "200")], 0),
        ([(3.65, "resolved", "500"), (3.77, "resolved", "200")], 1),
    ],
    ids=["as it is", "it fires by then", "it is over by then", "the receiver had failed", "it fails then"],
)
def test_what_a_node_sends_after_its_wait_may_be_outdated(
    told: list[tuple[float, str, str]], count: int
) -> None:
    sent = [Told(at, "0", "group", status, "", (("A1", status),), "", answer) for at, status, answer in told]
    assert outdated(FLAPS, sent) == count


def test_what_comes_as_the_listening_ends_is_not_compared() -> None:
    def sent(*times: float) -> list[Told]:
        return [Told(at, "0", "group", "firing", str(at), (), "", "200") for at in times]

    end = LENGTH + REST
    assert sequences(FLAPS, sent(end - 0.25, end - 0.01)) == sequences(FLAPS, sent(end - 0.25))
    assert sequences(FLAPS, sent(end - 0.25)) != sequences(FLAPS, [])


def test_what_differs_counts_only_if_it_does_by_itself_too(monkeypatch: pytest.MonkeyPatch) -> None:
    by_chance, always, same = (_verdict(tell(seed), different=seed < 2) for seed in range(3))
    played: list[tuple[int, ...]] = []

    async def play_once(verdicts: Sequence[Verdict], *_: object, together: int, **__: object) -> None:
        assert together == 1
        played.append(tuple(verdict.story.seed for verdict in verdicts))
        by_chance.alike = len(played) >= 2

    monkeypatch.setattr(compare, "play_once", play_once)
    asyncio.run(confirm([by_chance, always, same], Setting("nobody", (), ())))
    assert played == [(0, 1), (0, 1), (1,)]
    assert always.different
    assert not by_chance.different
