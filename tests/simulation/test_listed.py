"""Membership by discovery under virtual time. A failure prints the command that replays it."""

from __future__ import annotations

import pytest

from simulation.listed import LISTED_SCENARIOS

QUICK_NODES = 12


@pytest.mark.parametrize("name", sorted(LISTED_SCENARIOS))
def test_the_scenario_ends_well(name: str) -> None:
    """With one seed, and no more nodes than are quick; the slow tests have fifty seeds of all nodes."""
    scenario, nodes = LISTED_SCENARIOS[name]
    scenario(1, min(nodes, QUICK_NODES))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 150))
@pytest.mark.parametrize("name", sorted(LISTED_SCENARIOS))
def test_the_scenario_ends_well_for_many_seeds(name: str, seed: int) -> None:
    scenario, nodes = LISTED_SCENARIOS[name]
    scenario(seed, nodes)


def test_a_seed_replays_exactly() -> None:
    scenario, nodes = LISTED_SCENARIOS["listed_churn"]
    first, second, other = scenario(7, nodes), scenario(7, nodes), scenario(8, nodes)
    assert first.world.digest == second.world.digest
    assert other.world.digest != first.world.digest
