"""Run clusters of real processes through faults, and look whether anything that was promised is lost.

    python -m tests.faults.suite --seed 7 --only killed --only mute

Each fault is made under a flow of silences and alerts to all nodes, and ended. Then all nodes must hold the
same, every silence as it was last acknowledged or later, every group must have been notified, every node must
see every member, and explain must tell of alerts what the receiver has seen. It needs Linux, iproute2, and
leave to make network namespaces (root has it).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.suite.explained import Explained
from tests.faults.suite.network import run_inside, why_not
from tests.faults.suite.scenarios import SCENARIOS, Noted, Scenario, make_small_disk
from tests.faults.suite.world import WaitedTooLongError, World, seconds_until, tocsins
from tests.support import alertmanager, page
from tests.support.node import QUICK
from tests.support.told import wrong

NO_NAMESPACES = 3
"""Exit status where nothing can be tried."""
# Alertmanager's defaults, but for two that would make each fault take minutes.
FLAGS = {"cluster.peer-timeout": "5s", "cluster.reconnect-interval": "5s", "log.level": "debug"}
DEFAULTS = {
    "cluster.gossip-interval": "200ms",
    "cluster.probe-interval": "1s",
    "cluster.probe-timeout": "500ms",
    "cluster.pushpull-interval": "1m",
    "cluster.settle-timeout": "1m",
    "cluster.tcp-timeout": "10s",
}
# Whoever is slow, as all are on a busy machine, is not dead, and its turn to notify is not over yet.
SHORT = {
    "cluster.peer-timeout": "3s",
    "cluster.probe-interval": "1s",
    "cluster.probe-timeout": "500ms",
    "cluster.settle-timeout": "30s",
}
CALM = 3.0


@dataclass(slots=True)
class Result:
    """One line of the table. Seconds; None: does not apply."""

    fault: str
    cluster: str
    noticed: float | None = None
    converged: float | None = None
    members: float | None = None
    silences: int = 0
    lost: int = 0
    groups: int = 0
    unnotified: int = 0
    twice_meanwhile: int = 0
    twice_otherwise: int = 0
    explained: int = 0
    """Alerts that explain was asked about; a wrong story is a problem."""
    remarks: list[str] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def run(scenario: Scenario, *, mixed: bool, short: bool, seed: int, folder: Path) -> Result:
    """Run one fault on a new cluster."""
    kinds = tocsins(scenario.nodes)
    if mixed:
        kinds[1] = alertmanager.alertmanager("0.33")
    flags = {**QUICK, **SHORT} if short else {**DEFAULTS, **FLAGS}
    disks = {1: make_small_disk(folder / "disk")} if scenario.small_disk else {}
    cluster = f"{scenario.nodes - mixed} Tocsin" + (" + 1 Alertmanager" if mixed else "")
    result = Result(scenario.name, cluster)
    world = World(
        folder, kinds, seed=seed, flags=flags, skewed=scenario.skewed, disks=disks, pace=scenario.pace
    )
    with world:
        try:
            _tell_story(world, scenario, scenario.short if short else scenario.hold, result, seed)
        except WaitedTooLongError as problem:
            result.problems.append(str(problem))
        if result.problems or result.twice_otherwise:
            _keep_logs(world, folder)
    return result


def _tell_story(world: World, scenario: Scenario, hold: float, result: Result, seed: int) -> None:
    flow = world.flow
    flow.start()
    time.sleep(CALM)
    noted = Noted()
    before = world.network.switch.counts()
    began = time.monotonic()
    scenario.act(world, hold, noted)
    ended = time.monotonic()
    result.noticed, result.remarks = noted.noticed, noted.remarks
    if dropped := world.network.switch.counts().dropped - before.dropped:
        result.remarks.append(f"{dropped} frames lost")
    # One deadline after the other: the flow goes on meanwhile.
    result.members = world.wait_members(world.nodes, world.nodes)
    with contextlib.suppress(WaitedTooLongError):  # what is still missing in the end is told there
        seconds_until(lambda: not world.broken(ended), "every node holds what was promised before")
        result.converged = time.monotonic() - ended
    time.sleep(CALM)
    flow.quiet()
    settled = time.monotonic()
    try:
        # One that fired last may be on its way still: taken only after the next look, it would be missed.
        seconds_until(lambda: not flow.book.undelivered(), "every alert is taken by a node")
        seconds_until(lambda: not world.notified((0.0, 0.0)).unnotified, "every group is notified")
        seconds_until(world.equal, "all nodes hold the same")
    finally:
        flow.stop()
        broken = world.broken(time.monotonic())
        # Duplicates may come from what was begun until every node knew again what the others had sent.
        notified = world.notified((began, ended + result.converged + 2.0 if result.converged else settled))
        result.silences = len(flow.book.silences)
        result.lost = len({problem.split()[4] for problem in broken})
        result.groups = notified.groups
        result.unnotified = len(notified.unnotified)
        result.twice_meanwhile = notified.twice_meanwhile
        result.twice_otherwise = len(notified.twice_otherwise)
        result.repeats = [] if scenario.divides else list(notified.repeats)
        result.problems += broken[:10]
        if all(node.is_tocsin for node in world.nodes):
            # Of a group that is told twice the rules above decide whether that may be.
            result.problems += wrong(flow.book.reports, world.sink.all(), lost=lambda _told: True)[:10]
        if notified.unnotified:
            result.problems.append(f"not notified: {', '.join(notified.unnotified)}")
        if notified.twice_otherwise:
            result.problems.append(f"notified twice: {', '.join(notified.twice_otherwise)}")
        if notified.twice_meanwhile and not scenario.divides:
            result.remarks.append("duplicates although nobody was apart")
    world.wait_members(world.nodes, world.nodes)
    explained = Explained(world, seed=seed, forgets=scenario.forgets)
    result.problems += explained.wrong((began, ended))[:10]
    result.explained = explained.asked


def _keep_logs(world: World, folder: Path) -> None:
    for node in world.nodes:
        (folder / f"{node.name}.log").write_text(node.process.text())


def table(results: list[Result]) -> str:
    """The results as Markdown."""
    head = (
        "fault", "cluster", "noticed", "members whole", "converged",
        "silences", "lost", "groups", "unnotified", "twice: meanwhile", "otherwise", "",
    )  # fmt: skip
    rows = [
        (
            one.fault, one.cluster, _seconds(one.noticed), _seconds(one.members), _seconds(one.converged),
            one.silences, one.lost, one.groups, one.unnotified, one.twice_meanwhile, one.twice_otherwise,
            "; ".join(one.remarks + (["**failed**"] if one.problems else [])),
        )
        for one in results
    ]  # fmt: skip
    return page.table(head, rows)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", action="append", choices=names, metavar="FAULT", help=", ".join(names))
    parser.add_argument("--cluster", choices=("all", "tocsin", "mixed"), default="all")
    parser.add_argument("--short", action="store_true", help="quicker flags, faults held for seconds")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument(
        "--json", type=Path, help="write the figures there too; what is there of other faults stays"
    )
    parser.add_argument(
        "--write", type=Path, help="put the table of all in --json into this page, between its marks"
    )
    parser.add_argument("--keep", type=Path, help="keep logs of failures in this folder")
    arguments = parser.parse_args()
    if reason := why_not() if "TOCSIN_FAULTS_INSIDE" not in os.environ else "":
        print(reason)
        return NO_NAMESPACES
    if (status := run_inside("tests.faults.suite", sys.argv[1:])) is not None:
        return status
    print(f"seed {arguments.seed}", flush=True)
    no_alertmanager = alertmanager.why_not()
    results = []
    for mixed in (False, True):
        if arguments.cluster == ("tocsin" if mixed else "mixed"):
            continue
        if mixed and no_alertmanager:
            print(f"without Alertmanager: {no_alertmanager}")
            continue
        for scenario in SCENARIOS:
            if (arguments.only and scenario.name not in arguments.only) or (mixed and not scenario.mixed):
                continue
            with tempfile.TemporaryDirectory(prefix="tocsin-faults-", ignore_cleanup_errors=True) as folder:
                result = run(
                    scenario, mixed=mixed, short=arguments.short, seed=arguments.seed, folder=Path(folder)
                )
                if result.problems and arguments.keep:
                    _copy_logs(
                        Path(folder), arguments.keep / f"{scenario.name}-{'mixed' if mixed else 'ours'}"
                    )
            results.append(result)
            print(json.dumps(asdict(result)), flush=True)
    print(f"\n{table(results)}")
    if arguments.json:
        known = _kept(arguments.json, results)
        if arguments.write:
            page.put(arguments.write, table(known))
    return 1 if any(result.problems for result in results) else 0


def _kept(path: Path, results: list[Result]) -> list[Result]:
    """Put results in the place of earlier ones of the same faults; all there are."""
    earlier = [Result(**each) for each in json.loads(path.read_text())] if path.exists() else []
    by_name = {(each.cluster.endswith("Alertmanager"), each.fault): each for each in [*earlier, *results]}
    order = [scenario.name for scenario in SCENARIOS]
    known = [by_name[key] for key in sorted(by_name, key=lambda key: (key[0], order.index(key[1])))]
    path.write_text(json.dumps([asdict(each) for each in known], indent=1) + "\n")
    return known


def _copy_logs(folder: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.log"):
        (target / path.name).write_bytes(path.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
