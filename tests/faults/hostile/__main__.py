"""Every attack, kept up for some seconds against one of three nodes, and what the cluster was like meanwhile.

    python -m tests.faults.hostile --seconds 8 [--only PART-OF-A-NAME]

One table: what was counted, memory of the node before and at its peak, latency of gossip and API (median and
99th percentile, milliseconds) before and during, and whether a member was lost. Memory is let go slowly by
the allocator, so an attack that follows a heavy one begins higher.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.faults.hostile.attack import ATTACKS, Attack, Counter
from tests.faults.hostile.attacker import BROKEN, Attacker
from tests.faults.hostile.measure import Latencies, Probe, forget_peak, peak, quantile, resident
from tests.faults.hostile.setting import Setting, Settings
from tests.support import page
from tocsin.certificates import NodeFiles

BASELINE = 3.0
PREPARATION = 20.0
"""Seconds that an attacker may need until its first blow is counted: bombs are slow to make."""
COUNTED_WITHIN = 60.0
"""Seconds after an attack was measured, for which it goes on if it is not counted yet: on a busy machine the
node's own deadlines come late, and a throttled peer's state takes its time."""
_MIB = 1 << 20


def _spin(_attacker: Attacker) -> None:
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        sum(range(1000))


CONTROL = Attack("nobody attacks, but a process is as busy", "framing", _spin, (), "", patient=True)
"""What the attacker's own hunger for processors does to the figures."""


def act(name: str, host: str, port: int, other: str, files: str, seconds: float) -> None:
    """The attacker's process: round after round, until the time is over."""
    os.nice(5)
    chosen = next(one for one in [CONTROL, *ATTACKS] if str(one) == name)
    end = time.monotonic() + seconds
    with Attacker(host, port, NodeFiles(Path(files)) if files else None, chosen.carrier, other) as attacker:
        while time.monotonic() < end:
            with contextlib.suppress(*BROKEN):
                chosen.round(attacker)
            time.sleep(0.001)


def baseline(made: Setting, seconds: float) -> Latencies:
    """Nobody attacks."""
    with Probe(*made.cluster.nodes[:2]) as probe:
        time.sleep(seconds)
    return probe.latencies


def measure(made: Setting, attack: Attack, seconds: float) -> dict[str, object]:
    """One row."""
    attacker = made.attacker(attack)
    pid = made.target.process.pid
    before = made.counters()
    quiet = baseline(made, BASELINE)
    forget_peak(pid)
    memory = resident(pid)
    files = str(attacker.files.directory) if attacker.files is not None else ""
    command = [sys.executable, "-m", "tests.faults.hostile", "--act", str(attack), attacker.host]
    command += [str(attacker.port), attacker.other, files, str(seconds + PREPARATION + COUNTED_WITHIN)]
    process = subprocess.Popen(command)
    if not attack.patient:
        _until_counted(made, attack, before, PREPARATION)
    with Probe(*made.cluster.nodes[:2]) as probe:
        time.sleep(seconds)
        missing = made.missing()
    after = _until_counted(made, attack, before, COUNTED_WITHIN)
    process.kill()
    process.wait(60)
    grown = {str(one): after[one] - before[one] for one in attack.counted if after[one] > before[one]}
    during = probe.latencies
    return {
        "attack": str(attack),
        "counted": grown,
        "memory": memory,
        "peak": peak(pid),
        "quiet": _figures(quiet),
        "during": _figures(during),
        "unseen": during.unseen,
        "failed": during.failed,
        "missing": missing,
        "alive": all(node.alive for node in made.cluster.nodes),
    }


def _until_counted(
    made: Setting, attack: Attack, before: dict[Counter, float], limit: float
) -> dict[Counter, float]:
    """The counters once one has grown, or as they are when the time is over."""
    end = time.monotonic() + limit
    while True:
        now = made.counters()
        grown = not attack.counted or any(now[one] > before[one] for one in attack.counted)
        if grown or time.monotonic() > end:
            return now
        time.sleep(0.2)


def _figures(latencies: Latencies) -> dict[str, float]:
    return {
        f"{kind}_{share}": 1000 * quantile(values, share / 100)
        for kind, values in (("gossip", latencies.gossip), ("api", latencies.api))
        for share in (50, 99)
    }


def show(row: dict[str, object]) -> str:
    """One line of the table."""
    quiet, during, counted = row["quiet"], row["during"], row["counted"]
    assert isinstance(quiet, dict)
    assert isinstance(during, dict)
    assert isinstance(counted, dict)
    told = ", ".join(f"{name.removeprefix('tocsin_')} +{count:,.0f}" for name, count in counted.items())
    pairs = [
        f"{quiet[name]:.0f} {during[name]:.0f}" for name in ("gossip_50", "gossip_99", "api_50", "api_99")
    ]
    fate = "; ".join(row["missing"]) if row["missing"] else ("no" if row["alive"] else "A NODE ENDED")  # type: ignore[arg-type]
    if row["unseen"] or row["failed"]:
        fate += f" ({row['unseen']} unseen, {row['failed']} failed)"
    memory = f"{int(row['memory']) >> 20} {int(row['peak']) >> 20}"  # type: ignore[call-overload]
    return (
        f"{row['attack']!s:<62}{memory:>10}"
        + "".join(f"{pair:>12}" for pair in pairs)
        + f"  {fate:<6}  {told}"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("attack", "RSS MiB", "gossip p50", "gossip p99", "API p50", "API p99", "counted")
    lines = []
    for row in rows:
        pairs = [
            f"{row['quiet'][name]:.1f} → {row['during'][name]:.1f} ms"
            for name in ("gossip_50", "gossip_99", "api_50", "api_99")
        ]
        memory = f"{row['memory'] >> 20} → {row['peak'] >> 20}"
        told = [f"{count:,.0f} {name.removeprefix('tocsin_')}" for name, count in row["counted"].items()]
        lines.append((row["attack"], memory, *pairs, told[0] if told else ""))
    return page.table(head, lines)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.hostile", description="attack a cluster")
    parser.add_argument(
        "--seconds", type=float, default=8.0, help="of each attack (patient ones: 15 at least)"
    )
    parser.add_argument(
        "--only", action="append", default=[], help="attacks whose name has this (repeatable)"
    )
    parser.add_argument("--json", type=Path, help="the rows, for other programs")
    parser.add_argument("--write", type=Path, help="put the table into this page, between its marks")
    parser.add_argument("--act", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.act:
        name, host, port, other, files, seconds = options.act
        act(name, host, int(port), other, files, float(seconds))
        return 0
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, contextlib.ExitStack() as stack:
        settings = Settings(Path(folder), stack)
        heads = ("gossip p50", "gossip p99", "API p50", "API p99")
        print("each pair: before, during; times in milliseconds")
        print(
            f"{'attack':<62}{'RSS MiB':>10}" + "".join(f"{head:>12}" for head in heads) + "  lost    counted"
        )
        for attack in [CONTROL, *ATTACKS]:
            if options.only and not any(part in str(attack) for part in options.only):
                continue
            row = measure(settings.of(attack), attack, max(options.seconds, 15.0 if attack.patient else 0.0))
            rows.append(row)
            print(show(row), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))
    if options.write is not None:
        page.put(options.write, _table(rows), mark="cluster")
    harmed = [row for row in rows if row["missing"] or not row["alive"]]
    harmed += [row for row in rows if not row["counted"] and row["attack"] != str(CONTROL)]
    print(f"{len(rows)} attacks, {len(harmed)} not counted or with a loss")
    return 1 if harmed else 0


if __name__ == "__main__":
    sys.exit(main())
