"""Far apart and for long: nine nodes in three regions, and what grows. Of Tocsin alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.bench import Bench
from benchmarks.row import Figure, Row, Samples, Target, p99
from benchmarks.soak import FIGURES, line_through, soak
from simulation.endurance import live
from simulation.regions import DISTANCES, play
from tests.support.node import NodeKind
from tocsin.gossip.config import GossipConfig

_TRIPS: Final = (80, 150, 250)
"""Milliseconds there and back between two of the regions."""
_ROOT: Final = Path(__file__).resolve().parents[1]
_SEED: Final = 17
_DISTANCE: Final = DISTANCES["80, 150 and 250 ms, 1 % lost"]


def _wide_area(bench: Bench, kind: NodeKind) -> Samples:
    if kind.version is not None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        seconds = str(bench.size(60, 20))
        command = [sys.executable, "-m", "tests.faults.widearea", "--seconds", seconds, "--json", str(path)]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        if not path.exists():  # no namespaces here, or the nodes never came together
            raise RuntimeError(
                (done.stdout.strip() or done.stderr.strip() or "nothing said").splitlines()[-1]
            )
        [found] = json.loads(path.read_text())
    by_trip = {round(1e3 * trip): values for trip, values in found["seconds"]}
    wrong = found["lost"] + found["unnotified"] + found["twice_otherwise"]
    return {
        **{f"trip{trip}": [1e3 * value - trip for value in by_trip[trip]] for trip in _TRIPS},
        "wrong": [float(wrong)],
    }


def _simulated(bench: Bench, kind: NodeKind) -> Samples:
    if kind.version is not None:
        return {}
    seconds = bench.size(1200, 120)
    runs = [play(seed, _DISTANCE, GossipConfig(), seconds) for seed in (1, 2, 3)]
    return {
        "suspicions": [float(sum(run.suspicions for run in runs))],
        "deaths": [float(sum(run.deaths for run in runs))],
        "noticed": [run.noticed for run in runs],
    }


def _soak(bench: Bench, kind: NodeKind) -> Samples:
    if kind.version is not None:
        return {}
    looks, _ = soak(bench.size(6, 2), 2.0, _SEED)
    lines = {figure: [line_through(node[figure]) for node in looks.tracks.values()] for figure in FIGURES}
    return {
        "grown": [float(sum(not line.flat for each in lines.values() for line in each))],
        **{figure: [line.middle for line in each] for figure, each in lines.items()},
    }


def _day(bench: Bench, kind: NodeKind) -> Samples:
    if kind.version is not None:
        return {}
    day = live(_SEED, hours=bench.size(6, 3), hour=1200)
    return {
        "wronged": [float(day.wronged)],
        "held": [100 * (day.held[-1] / day.held[0] - 1)],
    }


def _trip(milliseconds: int) -> Figure:
    title = f"regions {milliseconds} ms apart: a silence visible, p99, beyond the round trip"
    return Figure(f"trip{milliseconds}", title, "ms", Target(limit=50), p99)


ROWS = (
    Row(
        "wide-area",
        "Nine nodes in three regions, in network namespaces (needs root): silences posted to one after the "
        "other until every other node shows them, from before the POST, with 1 % lost between the regions; "
        "then a region is cut off for 15 s. `make wide-area`, in short.",
        (
            *map(_trip, _TRIPS),
            Figure(
                "wrong",
                "nine nodes in three regions: silences lost, groups not notified, groups notified twice",
                "",
                Target(limit=0),
            ),
        ),
        _wide_area,
    ),
    Row(
        "wide-area-simulated",
        "Nine members in three regions for an hour in all (three seeds) of simulated time; then one crashes.",
        (
            Figure("suspicions", "a simulated hour in three regions: false suspicions", "", Target(limit=0)),
            Figure("deaths", "a simulated hour in three regions: false deaths", "", Target(limit=0)),
            Figure("noticed", "a simulated hour in three regions: a death noticed after", "s"),
        ),
        _simulated,
    ),
    Row(
        "soak",
        "`make soak` for six minutes: three busy nodes; how many of their figures (memory, files, processor "
        "time, lag) grow in the last four minutes by over a tenth an hour and twice the error; their means.",
        (
            Figure("grown", "three busy nodes: figures that grow", "", Target(limit=0)),
            Figure("memory", "three busy nodes: memory", "MiB"),
            Figure("files", "three busy nodes: open files", ""),
            Figure("cpu", "three busy nodes: processor time", "ms/s"),
            Figure("lag", "three busy nodes: mean turn of the event loop", "ms"),
        ),
        _soak,
    ),
    Row(
        "day-simulated",
        "Six members in three regions for six simulated spells of crashes, leaves, cuts and rumours "
        "(`python -m simulation.endurance` has a day).",
        (
            Figure(
                "wronged", "a simulated day's troubles: members wrongly declared dead", "", Target(limit=0)
            ),
            Figure("held", "a simulated day's troubles: growth of what members hold", "%", Target(limit=20)),
        ),
        _day,
    ),
)
