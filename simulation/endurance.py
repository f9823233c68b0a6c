"""A day in the life of a cluster over three regions: does anything of it grow, and is anybody wronged?

    python -m simulation.endurance --hours 24 --seed 1

Every few minutes something happens: a node crashes and comes back, one leaves and comes back, a region is cut
off and healed, node metadata changes, user broadcasts are sent. Each hour ends with some quiet minutes, after
which all must see all and know all, and what the members hold is counted: it must not be more in the last
third of the hours than in the second.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from simulation.cluster import BrokenRunError, Cluster
from simulation.node import SimulatedNode
from simulation.regions import DISTANCES, REGIONS, placed
from tocsin.gossip.config import GossipConfig

NODES: Final = 6
HOUR: Final = 3600.0
QUIET: Final = 240.0
"""Seconds at the end of an hour in which nothing happens."""
BETWEEN: Final = (60.0, 360.0)
"""Seconds from one thing that happens to the next."""
BROADCASTS: Final = 200
"""Different ones; so many an application keeps."""
GROWTH: Final = 1.05
"""What the last third may have, of what the second has: a probe may be under way at one count alone."""


@dataclass(slots=True)
class Day:
    """What was done, and what was held at the end of each hour."""

    done: dict[str, int] = field(default_factory=dict)
    objects: list[int] = field(default_factory=list)
    """Of the library, in all members."""
    held: list[int] = field(default_factory=list)
    """Members known, timers, streams, broadcasts and newcomers, in all members."""
    wronged: int = 0
    """Members declared dead that ran and were not cut off."""

    def steady(self, of: list[int]) -> bool:
        """Whether the last third of the hours has no more than the second."""
        third = len(of) // 3
        return not third or fmean(of[-third:]) <= GROWTH * fmean(of[third:-third] or of[:third])


def live(seed: int, hours: float, nodes: int = NODES, hour: float = HOUR) -> Day:
    """Let so many hours pass, of ``hour`` seconds each. :class:`BrokenRunError` if members stay apart."""
    cluster = placed(seed, DISTANCES["80, 150 and 250 ms, 1 % lost"], GossipConfig(), nodes)
    cluster.start_all()
    day, chance = Day(), cluster.world.stream("what happens")
    happenings: tuple[Callable[[Cluster, Day], None], ...] = (_crash, _leave, _cut, _metadata, _broadcast)
    for number in range(int(hours)):
        end = (number + 1) * hour
        while cluster.world.now < end - QUIET - BETWEEN[1]:
            happening = chance.choice(happenings)
            happening(cluster, day)
            name = happening.__name__.removeprefix("_")
            day.done[name] = day.done.get(name, 0) + 1
            cluster.until("all see all", cluster.checker.converged, 180)
            cluster.run(chance.uniform(*BETWEEN))
        cluster.run(max(0.0, end - cluster.world.now))
        cluster.require(cluster.checker.converged(), "the members drifted apart in quiet minutes")
        told = set().union(*(node.rumours for node in cluster.nodes))
        cluster.require(cluster.checker.all_know(told), "a user broadcast is not known everywhere")
        day.held.append(sum(_held(node) for node in cluster.nodes))
        day.objects.append(_objects())
    return day


def _objects() -> int:
    gc.collect()
    return sum(str(type(one).__module__).startswith("tocsin.") for one in gc.get_objects())


def _held(node: SimulatedNode) -> int:
    endpoint = node.endpoint
    trips = endpoint.of_peers
    return (
        endpoint.known
        + endpoint.newcomers
        + endpoint.queued_broadcasts
        + endpoint.queued_user_broadcasts
        + endpoint._timers.heap_size
        + len(trips.alive_messages)
        + len(trips.smoothed)
    )


def _one(cluster: Cluster) -> SimulatedNode:
    return cluster.world.stream(f"who at {cluster.world.now}").choice(cluster.nodes)


def _crash(cluster: Cluster, day: Day) -> None:
    node = _one(cluster)
    node.crash()
    _calm(cluster, day, cluster.world.random.uniform(1, 120))
    node.start()


def _leave(cluster: Cluster, day: Day) -> None:
    node = _one(cluster)
    node.leave()
    cluster.until("it is gone", lambda: not node.running, 30)
    _calm(cluster, day, cluster.world.random.uniform(1, 120))
    node.start()


def _cut(cluster: Cluster, day: Day) -> None:  # noqa: ARG001 - those who are apart may be taken for dead
    region = cluster.world.random.randrange(REGIONS)
    apart = [node.address for number, node in enumerate(cluster.nodes) if number % REGIONS == region]
    cluster.network.partition(apart, [node.address for node in cluster.nodes if node.address not in apart])
    cluster.run(cluster.world.random.uniform(1, 90))
    cluster.network.heal()


def _metadata(cluster: Cluster, day: Day) -> None:
    _one(cluster).set_meta(f"{cluster.world.now:.0f}".encode())
    _calm(cluster, day, 10)


def _broadcast(cluster: Cluster, day: Day) -> None:
    _one(cluster).spread(f"number {cluster.world.random.randrange(BROADCASTS)}".encode())
    _calm(cluster, day, 10)


def _calm(cluster: Cluster, day: Day, seconds: float) -> None:
    before = len(cluster.checker.false_deaths)
    cluster.run(seconds)
    day.wronged += len(cluster.checker.false_deaths) - before


def main() -> int:
    """Exit status 1 if anything grew, or anybody was wronged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0, help="simulated; 24 by default")
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    try:
        day = live(arguments.seed, arguments.hours, arguments.nodes)
    except BrokenRunError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{arguments.hours:g} hours, {arguments.nodes} members, seed {arguments.seed}: {day.done}")
    print(f"objects of the library at the end of each hour: {day.objects}")
    print(f"members, timers, broadcasts and counts held: {day.held}")
    print(f"members that ran, were not cut off and were declared dead: {day.wronged}")
    return 0 if day.steady(day.objects) and day.steady(day.held) and not day.wronged else 1


if __name__ == "__main__":
    sys.exit(main())
