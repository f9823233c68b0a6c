"""``python -m simulation --seed N --nodes N --scenario NAME``: run, or replay, one scenario."""

from __future__ import annotations

import argparse
import sys

from simulation.cluster import BrokenRunError
from simulation.listed import LISTED_SCENARIOS
from simulation.scenarios import SCENARIOS


def main() -> int:
    """Exit status 0 when the scenario ended well, 1 when an invariant broke."""
    scenarios = SCENARIOS | LISTED_SCENARIOS
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=0, help="0: as many as the scenario likes")
    parser.add_argument("--scenario", choices=sorted(scenarios), required=True)
    arguments = parser.parse_args()
    scenario, nodes = scenarios[arguments.scenario]
    try:
        cluster = scenario(arguments.seed, arguments.nodes or nodes)
    except BrokenRunError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{cluster.replay}: well after {cluster.world.now:.1f} simulated seconds")
    for fact, figure in cluster.facts.items():
        print(f"  {fact}: {figure:.1f}")
    print(f"  packets: {cluster.network.packets}, events: {cluster.world.events_run}")
    print(f"  trace: {cluster.world.digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
