"""Every scenario with a seed, in slow tests with fifty. A failure prints the command that replays it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.cluster import BrokenRunError, Cluster
from simulation.scenarios import SCENARIOS

SOURCE = Path(__file__).resolve().parents[2] / "src"
QUICK_SEEDS = (1, 2, 3, 4, 5, 136)


def seeds(*all_of_them: int) -> list[object]:
    """Those that are not quick are for the slow tests."""
    return [
        pytest.param(seed, marks=[] if seed in QUICK_SEEDS else [pytest.mark.slow]) for seed in all_of_them
    ]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_scenario_ends_well(name: str) -> None:
    scenario, nodes = SCENARIOS[name]
    scenario(1, nodes)


@pytest.mark.parametrize("nodes", [2, 3, 5, 10])
@pytest.mark.parametrize("seed", seeds(*range(1, 21)))
def test_a_death_in_a_small_cluster_is_noticed_within_six_seconds(nodes: int, seed: int) -> None:
    SCENARIOS["small_death"][0](seed, nodes)


@pytest.mark.parametrize("nodes", [5, 6, 7, 10])
@pytest.mark.parametrize("seed", seeds(*range(1, 25), 136))
def test_two_deaths_at_once_are_noticed_nearly_as_soon(nodes: int, seed: int) -> None:
    SCENARIOS["two_deaths"][0](seed, nodes)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 150))
@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_scenario_ends_well_for_many_seeds(name: str, seed: int) -> None:
    scenario, nodes = SCENARIOS[name]
    scenario(seed, nodes)


@pytest.mark.parametrize("name", ["loss", "partition"])
def test_a_seed_replays_exactly(name: str) -> None:
    scenario, _ = SCENARIOS[name]
    first, second, other = scenario(7, 8), scenario(7, 8), scenario(8, 8)
    assert first.world.digest == second.world.digest
    assert first.facts == second.facts
    assert other.world.digest != first.world.digest


def replay(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulation", *arguments],
        env={**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{SOURCE.parent}", "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_replays_it_in_another_process() -> None:
    scenario, _ = SCENARIOS["restart"]
    trace = f"trace: {scenario(5, 6).world.digest}"
    for hash_seed in ("0", "12345"):  # the order of sets must not matter
        run = replay("--seed", "5", "--nodes", "6", "--scenario", "restart", hash_seed=hash_seed)
        assert run.returncode == 0, run.stderr
        assert trace in run.stdout


def test_a_broken_run_tells_how_to_repeat_it() -> None:
    cluster = Cluster(3, 4, "join")
    with pytest.raises(BrokenRunError, match=r"python -m simulation --seed 3 --nodes 4 --scenario join"):
        cluster.until("never", lambda: False, 1)


def test_an_unknown_scenario_is_a_usage_error() -> None:
    assert replay("--scenario", "nonsense").returncode == 2
