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

pytestmark = [pytest.mark.interop, pytest.mark.slow]

SECONDS = 90.0
"""No play begins after that; one takes half a minute, and most stories need one."""
SEEDS = {
    "one": range(6 * BATCH, 8 * BATCH),  # half of them with a restart
    "three": range(1000 * BATCH, 1001 * BATCH),
    "mixed": range(2000 * BATCH, 2001 * BATCH),
}


async def _judged() -> list[list[Verdict]]:
    return await asyncio.gather(
        *(
            judge([tell(seed) for seed in seeds], SETTINGS[nodes](), seconds=SECONDS)
            for nodes, seeds in SEEDS.items()
        )
    )


def test_random_stories_are_told_as_alertmanager_tells_them() -> None:
    verdicts = [verdict for each in asyncio.run(_judged()) for verdict in each]
    different = [verdict for verdict in verdicts if verdict.different]
    assert not different, "\n".join(map(str, different))
    unclear = [verdict.story.seed for verdict in verdicts if not verdict.alike]
    print(f"{len(unclear)} of {len(verdicts)} stories stayed unclear: {unclear}")
