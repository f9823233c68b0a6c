"""Some dozens of random stories: Tocsin tells what the real Alertmanager tells. ``make stories`` plays more.

All are played at the same time, a few times at most. A difference counts if each side has told the same in
every play, and not what the other has. What a busy machine leaves unclear is said, and is no failure.
"""

from __future__ import annotations

import asyncio
import warnings

import pytest

from tests.stories.compare import Verdict, judge
from tests.stories.settings import SETTINGS
from tests.stories.story import BATCH, tell

pytestmark = [pytest.mark.interop, pytest.mark.slow]

PLAYS = 4
"""Half a minute each; most stories need one."""
SEEDS = {
    "one": range(6 * BATCH, 8 * BATCH),  # half of them with a restart
    "three": range(1000 * BATCH, 1001 * BATCH),
    "mixed": range(2000 * BATCH, 2001 * BATCH),
}


async def _judged() -> list[list[Verdict]]:
    return await asyncio.gather(
        *(
            judge([tell(seed) for seed in seeds], SETTINGS[nodes](), most=PLAYS)
            for nodes, seeds in SEEDS.items()
        )
    )


def test_random_stories_are_told_as_alertmanager_tells_them() -> None:
    verdicts = [verdict for each in asyncio.run(_judged()) for verdict in each]
    different = [verdict for verdict in verdicts if verdict.different]
    assert not different, "\n".join(map(str, different))
    unclear = [verdict.story.seed for verdict in verdicts if not verdict.alike]
    if unclear:
        warnings.warn(f"{len(unclear)} of {len(verdicts)} stories stayed unclear: {unclear}", stacklevel=1)
