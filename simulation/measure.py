"""One plan for the model and for real endpoints: warm up, be idle, spread rumours one by one, then many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from simulation.connections import Pools

WARM_UP: Final = 60.0
IDLE: Final = 30.0
PATIENCE: Final = 4.0
"""Seconds between two single rumours."""
LOAD_INTERVAL: Final = 0.2
"""Seconds between two rumours under load; each is made by a random node."""
LOAD_BEGINS: Final = 3.0
"""Seconds of load that are not yet counted."""
LOAD: Final = 5.0


class Cluster(Protocol):
    """The model, or real endpoints."""

    size: int
    times: dict[int, float]

    @property
    def pools(self) -> Pools:
        """The connections."""

    @property
    def bytes_sent(self) -> int:
        """Sent so far by all nodes."""

    def run(self, seconds: float) -> None:
        """Let time pass."""

    def spread(self, node: int) -> int:
        """A rumour is born."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one node and second, over some time (``sent``: bytes); ``connections`` is the mean at its end."""

    dials: float
    sent: float
    connections: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found. Times in seconds, ascending, one of each single rumour that reached everyone."""

    size: int
    rumours: int
    times: tuple[float, ...]
    idle: Rates
    load: Rates | None
    load_unfinished: int
    """Rumours made under load that had not reached everyone :data:`PATIENCE` seconds after the last."""
    most_connections: int


def quantile(values: Sequence[float], share: float) -> float:
    """By nearest rank; ``values`` ascend. NaN when there are none."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


def measure(cluster: Cluster, seed: int, rumours: int, *, load: bool) -> Figures:
    """Carry out the plan with ``rumours`` single ones."""
    random = Random(f"{seed}/plan")
    cluster.run(WARM_UP)
    idle = _rates(cluster, IDLE, cluster.run)
    single = []
    for _ in range(rumours):
        single.append(cluster.spread(random.randrange(cluster.size)))
        cluster.run(PATIENCE)
    loaded, unfinished = None, 0
    if load:
        first = single[-1] + 1 if single else 0
        made = first

        def spread_many(seconds: float) -> None:
            nonlocal made
            for _ in range(round(seconds / LOAD_INTERVAL)):
                made = cluster.spread(random.randrange(cluster.size)) + 1
                cluster.run(LOAD_INTERVAL)

        spread_many(LOAD_BEGINS)
        loaded = _rates(cluster, LOAD, spread_many)
        cluster.run(PATIENCE)
        unfinished = sum(rumour not in cluster.times for rumour in range(first, made))
    times = tuple(sorted(cluster.times[rumour] for rumour in single if rumour in cluster.times))
    return Figures(cluster.size, rumours, times, idle, loaded, unfinished, cluster.pools.most)


def _rates(cluster: Cluster, seconds: float, pass_time: Callable[[float], None]) -> Rates:
    dials, sent = cluster.pools.dials, cluster.bytes_sent
    pass_time(seconds)
    per = cluster.size * seconds
    return Rates((cluster.pools.dials - dials) / per, (cluster.bytes_sent - sent) / per, cluster.pools.mean)
