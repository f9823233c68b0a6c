"""Nodes in regions far apart: how often members that run are suspected, and how soon a death is noticed.

    python -m simulation.regions --profile wan --seconds 3600 --seeds 3

A third of the nodes is in each of three regions. What goes between regions takes long, varies, and is lost at
times; within one it takes a fraction of a millisecond. Packets are those of UDP: a lost one is lost.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simulation.cluster import Cluster
from simulation.network import Conditions
from tocsin.gossip.config import GossipConfig

REGIONS: Final = 3
NODES: Final = 9
NEAR: Final = Conditions(latency=0.00025, jitter=0.0001)
"""Within a region."""


@dataclass(frozen=True, slots=True)
class Distance:
    """Seconds there and back by pair of regions; the mean of what is added each way; share that is lost."""

    round_trips: Mapping[tuple[int, int], float]
    jitter: float = 0.001
    loss: float = 0.01

    def between(self, one: int, other: int) -> Conditions:
        """One direction between two regions."""
        if one == other:
            return NEAR
        trip = self.round_trips[min(one, other), max(one, other)]
        return Conditions(latency=trip / 2, jitter=self.jitter, loss=self.loss)


def alike(trip: float) -> Mapping[tuple[int, int], float]:
    """All regions equally far from each other."""
    return {(0, 1): trip, (0, 2): trip, (1, 2): trip}


DISTANCES: Final[Mapping[str, Distance]] = {
    "80, 150 and 250 ms, 1 % lost": Distance({(0, 1): 0.080, (0, 2): 0.150, (1, 2): 0.250}),
    "250 ms and what varies by 160, 1 % lost": Distance(alike(0.250), jitter=0.080),
    "250 ms, varying by 60, 5 % lost": Distance(alike(0.250), jitter=0.030, loss=0.05),
    "250 ms each way, 1 % lost": Distance(alike(0.500), jitter=0.020),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run."""

    probes: int
    suspicions: int
    """Accusations by a probe, of members that run."""
    deaths: int
    """Members that run, declared dead."""
    noticed: float
    """Seconds after which everybody held the last node, which had crashed, for dead."""


def placed(seed: int, distance: Distance, config: GossipConfig, nodes: int = NODES) -> Cluster:
    """A cluster over three regions, not started."""
    cluster = Cluster(seed, nodes, "regions", config=config, failures_known=False)
    for number, one in enumerate(cluster.nodes):
        for other_number, other in enumerate(cluster.nodes):
            conditions = distance.between(number % REGIONS, other_number % REGIONS)
            cluster.network.links[one.address, other.address] = conditions
    return cluster


def play(seed: int, distance: Distance, config: GossipConfig, seconds: float) -> Figures:
    """All run for so long; then the last one crashes. :class:`BrokenRunError` if that is never noticed."""
    cluster = placed(seed, distance, config)
    cluster.start_all()
    cluster.run(seconds)
    counts = [node.endpoint.statistics for node in cluster.nodes]
    probes, failed = sum(one.probes for one in counts), sum(one.probes_failed for one in counts)
    deaths = len(cluster.checker.false_deaths)
    cluster.nodes[-1].crash()
    noticed = cluster.until("the death seen", cluster.checker.converged, 900)
    return Figures(probes, failed, deaths, noticed)


def line(name: str, distance: Distance, config: GossipConfig, seconds: float, seeds: Sequence[int]) -> str:
    """A row of the table, by several runs."""
    runs = [play(seed, distance, config, seconds) for seed in seeds]
    noticed = sorted(run.noticed for run in runs)
    cells = (
        name,
        f"{sum(run.probes for run in runs):,}",
        f"{sum(run.suspicions for run in runs):,}",
        f"{sum(run.deaths for run in runs):,}",
        f"{noticed[len(noticed) // 2]:.1f} s ({noticed[-1]:.1f})",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--profile", choices=("lan", "wan", "local"), default="lan")
    parser.add_argument("--seconds", type=float, default=600.0, help="simulated, of each run; 600 by default")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each; 2 by default")
    arguments = parser.parse_args()
    config = GossipConfig.profile(arguments.profile)
    print("| round trip between the regions | probes | false suspicions | false deaths | death noticed |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, distance in DISTANCES.items():
        seeds = range(1, arguments.seeds + 1)
        print(line(name, distance, config, arguments.seconds, seeds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
