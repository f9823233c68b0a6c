"""Stories of an alerting cluster: never a missed notification, and outside a partition never two.

A failure prints the command that replays it.
"""

from __future__ import annotations

import pytest

from simulation.alerting.story import KINDS, play, tell

PER_KIND = 12


@pytest.mark.parametrize("kind", KINDS)
def test_each_notification_has_news_and_all_news_is_told(kind: str) -> None:
    for seed in range(PER_KIND):
        play(tell(seed, kind)).check()


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_the_same_in_thousands_of_stories(block: int) -> None:
    for seed in range(10_000 + 250 * block, 10_000 + 250 * (block + 1)):
        play(tell(seed)).check()


def test_the_stories_tell_nodes_that_share_intents_from_those_that_do_not() -> None:
    outcomes = [play(tell(seed, "slow"), with_intents=False) for seed in range(10)]
    assert sum(len(outcome.duplicates) for outcome in outcomes) > 0
    assert not any(outcome.missed for outcome in outcomes)


def test_equal_seeds_tell_equal_stories() -> None:
    first, again = (play(tell(4, "flapping")) for _ in range(2))
    assert (first.attempts, first.accepted, first.latest) == (again.attempts, again.accepted, again.latest)
