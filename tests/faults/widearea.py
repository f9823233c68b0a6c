"""Nine nodes in three regions, far apart: what of it is seen, and whether anything is lost.

    python -m tests.faults.widearea --seconds 600 --write docs/wide-area.md

Round trips between the regions take 80, 150 and 250 ms, and a hundredth of what goes between them is lost, in
network namespaces as of ``tests.faults.suite``, whose flow of silences and alerts goes on all the while.
Silences are posted to one node after the other, and every other node is looked at until it shows them;
then the farthest region is cut off, and healed. It needs what the fault suite needs.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from benchmarks.bench import post_silence, silence_body
from benchmarks.connection import Connection
from tests.faults.suite.__main__ import NO_NAMESPACES, Result, run
from tests.faults.suite.network import run_inside, why_not
from tests.faults.suite.scenarios import Noted, Scenario
from tests.faults.suite.switch import CUT
from tests.faults.suite.switch import Path as Way
from tests.faults.suite.world import World
from tests.support import alertmanager, page

REGIONS: Final = 3
ROUND_TRIPS: Final = {(0, 1): 0.080, (0, 2): 0.150, (1, 2): 0.250}
LOSS: Final = 0.01
NEAR: Final = 0.0005
"""Seconds there and back within a region."""
ALLOWED: Final = 0.050
"""Seconds on top of the round trip, in which 99 of 100 silences are to be seen."""
PATIENCE: Final = 30.0
TOCSINS: Final = "between Tocsin nodes"
CUT_FOR: Final = 15.0
PACE: Final = 10.0
"""Nine nodes and what they do at the suite's pace are more than two cores can carry without queues."""
BETWEEN_LOOKS: Final = 0.002
BETWEEN_SILENCES: Final = 0.1
BETWEEN_MEMBERS: Final = 1.0


def region_of(place: int) -> int:
    """Of the node at a port: three to each, in turn, so that with Alertmanagers each region may have one."""
    return (place - 1) % REGIONS


def round_trip(one: int, other: int) -> float:
    """Seconds between two regions and back."""
    return NEAR if one == other else ROUND_TRIPS[min(one, other), max(one, other)]


def paths(places: Sequence[int], cut: int | None = None) -> Mapping[tuple[int, int], Way]:
    """The network; the region ``cut`` is apart from the others."""
    found: dict[tuple[int, int], Way] = {}
    for a in places:
        for b in places:
            here, there = region_of(a), region_of(b)
            if a == b:
                continue
            if here != there and cut in (here, there):
                found[a, b] = CUT
            else:
                loss = LOSS if here != there else 0.0
                found[a, b] = Way(loss=loss, delay=round_trip(here, there) / 2)
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """How long silences took from before their POST to each node, by the round trip there."""

    number: int
    """Of silences."""
    seconds: Mapping[tuple[str, float], Sequence[float]]
    """Also by who made them and who shows them."""

    def between_tocsins(self) -> list[tuple[float, Sequence[float]]]:
        """By round trip."""
        return sorted((trip, seconds) for (way, trip), seconds in self.seconds.items() if way == TOCSINS)

    def remarks(self) -> list[str]:
        """Figures by round trip."""
        found = []
        for (way, trip), seconds in sorted(self.seconds.items(), key=lambda one: (one[0][0] != TOCSINS, one)):
            ordered = sorted(seconds)
            high = ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.99) - 1)]
            met = "met" if high <= trip + ALLOWED else "missed"
            allowed = f" ({1e3 * (trip + ALLOWED):.0f} allowed: {met})" if way == TOCSINS else ""
            found.append(
                f"{way}, {1e3 * trip:.0f} ms away: p50 {1e3 * ordered[len(ordered) // 2]:.0f} ms, p99 "
                f"{1e3 * high:.0f} ms of {len(ordered)}{allowed}"
            )
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """A node as the process that times silences is told of it."""

    url: str
    place: int
    tocsin: bool


def _way(author: Place, other: Place) -> str:
    if author.tocsin and other.tocsin:
        return TOCSINS
    return "to an Alertmanager" if author.tocsin else "from an Alertmanager"


def time_silences(nodes: Sequence[Place], seconds: float) -> Seen:
    """Post silences to one node after the other, and look for them at the rest.

    For a process of its own, with one thread: what else the test does would be part of every figure. A node
    is not asked before anything can have come to it.
    """
    connections = [Connection(node.url) for node in nodes]
    found: dict[tuple[str, float], list[float]] = {}
    number, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        author = number % len(nodes)
        body = silence_body(number)
        began = time.monotonic()
        path = f"/api/v2/silence/{post_silence(connections[author], body)}"
        here = region_of(nodes[author].place)
        trips = {other: round_trip(here, region_of(node.place)) for other, node in enumerate(nodes)}
        ways = {other: (_way(nodes[author], node), trips[other]) for other, node in enumerate(nodes)}
        missing = set(trips) - {author}
        while missing and time.monotonic() - began < PATIENCE:
            for other in sorted(missing):
                if time.monotonic() - began < trips[other] / 2:
                    continue
                if connections[other].get(path)[0] == 200:
                    missing.remove(other)
                    found.setdefault(ways[other], []).append(time.monotonic() - began)
            time.sleep(BETWEEN_LOOKS)
        for other in missing:
            found.setdefault(ways[other], []).append(PATIENCE)
        number += 1
        time.sleep(BETWEEN_SILENCES)
    for connection in connections:
        connection.close()
    return Seen(number, found)


def wide_area(seconds: float, kept: list[Seen], world: World, _hold: float, noted: Noted) -> None:
    """Silences are timed, which ``kept`` gets; then a region is cut off for a while, and healed."""
    places = list(world.network.ports)
    world.network.become(paths(places))
    everybody = {node.cluster_address for node in world.nodes}
    timing = [Place(node.url, node.place, node.is_tocsin) for node in world.nodes]
    looks, missed = 0, 0
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        timed = pool.submit(time_silences, timing, seconds)
        while not timed.done():
            missed += sum(world.sees(node) != everybody for node in world.nodes)
            looks += len(world.nodes)
            wait([timed], BETWEEN_MEMBERS)
        kept.append(timed.result())
    noted.remarks += kept[-1].remarks()
    noted.remarks.append(f"members missed in {missed} of {looks} looks")
    noted.remarks.append(f"load of the machine {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores")
    print("\n".join(noted.remarks), flush=True)  # What comes after may fail on a machine that is busy.
    world.network.become(paths(places, cut=REGIONS - 1))
    time.sleep(CUT_FOR)
    world.network.become(paths(places))
    noted.remarks.append(f"region 3 cut off for {CUT_FOR:.0f} s and healed")


def text(results: Sequence[Result]) -> str:
    """The figures as Markdown."""
    lines = [datetime.now(UTC).strftime("Measured %Y-%m-%d %H:%M UTC."), ""]
    for one in results:
        told = f"{one.unnotified} not notified, {one.twice_otherwise} notified twice while nobody was apart"
        lines += [
            f"{one.cluster}: {one.silences} silences, {one.lost} lost; {one.groups} groups, {told}.",
            "",
            *(f"- {remark}" for remark in [*one.remarks, *one.problems]),
            "",
        ]
    return "\n".join(lines).rstrip()


def main() -> int:
    """Exit status 1 if anything was lost, or nobody was told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="to time silences for; 600 by default")
    parser.add_argument("--cluster", choices=("all", "tocsin", "mixed"), default="tocsin")
    parser.add_argument("--nodes", type=int, default=9, help="9 by default, a third in each region")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", type=Path, help="write there what was found of each cluster")
    parser.add_argument("--write", type=Path, help="put the figures into this page, between its marks")
    arguments = parser.parse_args()
    if reason := why_not() if "TOCSIN_FAULTS_INSIDE" not in os.environ else "":
        print(reason)
        return NO_NAMESPACES
    if (status := run_inside("tests.faults.widearea", sys.argv[1:])) is not None:
        return status
    kept: list[Seen] = []
    act = partial(wide_area, arguments.seconds, kept)
    scenario = Scenario("wide-area", "three regions", act, nodes=arguments.nodes, divides=True, pace=PACE)
    results = []
    for mixed in (False, True):
        if arguments.cluster == ("tocsin" if mixed else "mixed"):
            continue
        if mixed and (without := alertmanager.why_not()):
            print(f"without Alertmanager: {without}")
            continue
        with tempfile.TemporaryDirectory(prefix="tocsin-wide-", ignore_cleanup_errors=True) as folder:
            results.append(run(scenario, mixed=mixed, short=False, seed=arguments.seed, folder=Path(folder)))
        print(json.dumps(asdict(results[-1])), flush=True)
    print(f"\n{text(results)}")
    if arguments.json:
        found = [
            {**asdict(result), "seconds": seen.between_tocsins()}
            for result, seen in zip(results, kept, strict=False)
        ]
        arguments.json.write_text(json.dumps(found))
    if arguments.write:
        page.put(arguments.write, text(results))
    return 1 if any(result.problems for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
