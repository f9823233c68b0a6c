"""``python -m simulation.scale --write docs``: large clusters in figures and pictures (docs/scale.md).

Deterministic: the same arguments write the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulation import scale_report
from simulation.dissemination import Dissemination
from simulation.measure import Figures, measure
from simulation.pooled import PooledCluster
from tocsin.gossip.config import GossipConfig

LIMIT: Final = 16
SEED: Final = 1
SIZES: Final = (100, 300, 1000, 3000, 10000)
CHECKED: Final = (100, 300)
"""Sizes at which real endpoints run too."""
RUMOURS: Final = {100: 100, 300: 100, 1000: 100, 3000: 20, 10000: 10}
CHECKED_RUMOURS: Final = 50
FEWEST_RUMOURS: Final = 5


@dataclass(frozen=True, slots=True)
class Run:
    """One simulation and what it found."""

    biased: bool
    eager: bool
    real: bool
    """Real endpoints, not the model."""
    figures: Figures


def simulate(
    size: int, rumours: int, seed: int, *, biased: bool, eager: bool, real: bool = False, load: bool = True
) -> Run:
    """Run one cluster through the plan of :func:`~simulation.measure.measure`."""
    kind = PooledCluster if real else Dissemination
    cluster = kind(size, LIMIT, seed, GossipConfig(), biased=biased, eager=eager)
    return Run(biased, eager, real, measure(cluster, seed, rumours, load=load))


def simulate_all(sizes: Sequence[int], checked: Sequence[int], seed: int) -> list[Run]:
    """All that the report shows."""
    runs = []
    for size in sizes:
        rumours = RUMOURS.get(size, FEWEST_RUMOURS)
        for biased in (True, False):
            runs.append(simulate(size, rumours, seed, biased=biased, eager=True))
            runs.append(simulate(size, rumours, seed, biased=biased, eager=False, load=False))
        if size in checked:
            rumours = min(rumours, CHECKED_RUMOURS)
            runs += [
                simulate(size, rumours, seed, biased=biased, eager=True, real=True)
                for biased in (True, False)
            ]
        print(f"{size} nodes: done", file=sys.stderr)
    return runs


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, and write or print."""
    parser = argparse.ArgumentParser(prog="python -m simulation.scale", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="DIRECTORY", help="else the tables are printed")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="NODES")
    parser.add_argument("--checked", type=int, nargs="*", default=list(CHECKED), metavar="NODES")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args(arguments)
    if min(given.sizes) <= LIMIT:
        parser.error(f"a cluster of {min(given.sizes)} fits the pool of {LIMIT}: give larger --sizes")
    runs = simulate_all(given.sizes, given.checked, given.seed)
    text = scale_report.document(runs, LIMIT, given.seed)
    if given.write is None:
        print(text)
        return 0
    pictures = given.write / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, picture in scale_report.pictures(runs).items():
        (pictures / name).write_text(picture)
    (given.write / "scale.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
