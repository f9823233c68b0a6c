"""Some dozens of random stories: Tocsin tells what the real Alertmanager tells. ``make stories`` plays more.

They take minutes, so they are not part of ``make test``.

A difference counts if each side has told the same in every play, and not what the other has: on a busy
machine a story may stay unclear, and says nothing.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.stories.compare import judge
from tests.stories.settings import SETTINGS
from tests.stories.story import BATCH, tell

pytestmark = [pytest.mark.interop, pytest.mark.slow]

FIRST = {"one": 0, "three": 1000 * BATCH, "mixed": 2000 * BATCH}


@pytest.mark.parametrize("nodes", sorted(FIRST))
def test_random_stories_are_told_as_alertmanager_tells_them(nodes: str) -> None:
    stories = [tell(FIRST[nodes] + number) for number in range(BATCH)]
    verdicts = asyncio.run(judge(stories, SETTINGS[nodes]()))
    different = [verdict for verdict in verdicts if verdict.different]
    assert not different, "\n".join(map(str, different))
