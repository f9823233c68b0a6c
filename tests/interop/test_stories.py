"""Some dozens of random stories: Tocsin tells what the real Alertmanager tells. ``make stories`` plays more.

All are played at the same time, again and again for two minutes at most. A difference counts if each side has
told the same in every play, and not what the other has. What a busy machine leaves unclear is said, and is no
failure.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.stories.compare import Verdict, judge
from tests.stories.settings import SETTINGS
from tests.stories.story import BATCH, tell

pytestmark = pytest.mark.interop

SECONDS = 90.0
"""No play begins after that; one takes half a minute, and most stories need one."""
ENOUGH_SECONDS = 60.0
"""The same for the short run: three plays, after which a difference counts."""
SEEDS = {
    "one": range(6 * BATCH, 8 * BATCH),  # half of them with a restart
    "three": range(1000 * BATCH, 1001 * BATCH),
    "mixed": range(2000 * BATCH, 2001 * BATCH),
}


FEW = range(2 * BATCH)
"""Of one node, for the short run."""


def _check(verdicts: list[Verdict]) -> None:
    different = [verdict for verdict in verdicts if verdict.different]
    assert not different, "\n".join(map(str, different))
    unclear = [verdict.story.seed for verdict in verdicts if not (verdict.alike or verdict.explained)]
    print(f"{len(unclear)} of {len(verdicts)} stories stayed unclear: {unclear}")


def test_some_random_stories_are_told_by_one_node_as_alertmanager_tells_them() -> None:
    stories = [tell(seed) for seed in FEW]
    _check(asyncio.run(judge(stories, SETTINGS["one"](), seconds=ENOUGH_SECONDS)))


async def _judged() -> list[list[Verdict]]:
    return await asyncio.gather(
        *(
            judge([tell(seed) for seed in seeds], SETTINGS[nodes](), seconds=SECONDS)
            for nodes, seeds in SEEDS.items()
        )
    )


@pytest.mark.slow
def test_random_stories_are_told_as_alertmanager_tells_them() -> None:
    _check([verdict for each in asyncio.run(_judged()) for verdict in each])
