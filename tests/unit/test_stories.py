"""A story that differs is made short in few rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.stories.compare import ENOUGH, Verdict, minimised
from tests.stories.story import Story, tell


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
