"""``python -m benchmarks``: measures, prints a table, keeps the figures, writes docs/performance.md.

    python -m benchmarks                                   every row, both kinds of node, and the profile
    python -m benchmarks --only visible --kind tocsin --quick
    python -m benchmarks --list

TOCSIN_PEERS names the folder that tools/fetch-peers filled; without it only Tocsin is measured.
"""

from __future__ import annotations

import argparse
import compileall
import math
import os
import sys
import time
import traceback
from collections.abc import Sequence

from benchmarks import (
    report,
    rows_alerts,
    rows_far,
    rows_faults,
    rows_idle,
    rows_joining,
    rows_notifications,
    rows_pages,
    rows_receivers,
    rows_silences,
    rows_templates,
)
from benchmarks.bench import Bench
from benchmarks.profiling import profile
from benchmarks.report import Results
from benchmarks.row import Outcome, Row
from tests.support import alertmanager
from tests.support.node import NodeKind
from tests.support.processes import Process
from tests.support.tocsin_node import TOCSIN

ROWS: tuple[Row, ...] = (
    *rows_silences.ROWS,
    *rows_notifications.ROWS,
    *rows_receivers.ROWS,
    *rows_faults.ROWS,
    *rows_alerts.ROWS,
    *rows_joining.ROWS,
    *rows_idle.ROWS,
    *rows_templates.ROWS,
    *rows_pages.ROWS,
    *rows_far.ROWS,
)
PROFILE = "profile"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 when everything that was asked for could be measured, whatever the figures; else 1."""
    arguments = _arguments(argv)
    if arguments.list:
        for row in ROWS:
            print(f"{row.name:20} {row.how}")
        print(f"{PROFILE:20} Where a node spends its time under 1,000 silences a second.")
        return 0
    os.environ["TOCSIN_WHOLE_STARTS"] = "1"  # not forked, as the nodes of tests are
    kinds = _kinds(arguments.kind)
    wanted = arguments.only or [*(row.name for row in ROWS), PROFILE]
    compileall.compile_dir(report.ROOT / "src", quiet=1)  # as an installed program is
    results = Results.load()
    bench = Bench(quick=arguments.quick)
    began = time.monotonic()
    failed = False
    for row in [row for row in ROWS if row.name in wanted]:
        outcomes: dict[str, Outcome] = {}
        bench.notes.clear()
        row_began = time.monotonic()
        for label, kind in kinds.items():
            print(f"  measuring {row.name} on {kind} ...", file=sys.stderr, flush=True)
            outcomes[label] = _measure(row, bench, kind)
            failed = failed or bool(outcomes[label].problem)
        results.add(
            row, outcomes, quick=arguments.quick, notes=bench.notes, seconds=time.monotonic() - row_began
        )
        results.save()
        report.show(row, results)
    if PROFILE in wanted and arguments.kind != "alertmanager":
        results.profile = profile(bench)
        results.save()
        report.show_profile(results)
    print(f"took {(time.monotonic() - began) / 60:.1f} minutes; the figures are in {report.RESULTS.name}")
    if arguments.write or not (arguments.quick or arguments.only or arguments.kind):
        results.seconds = time.monotonic() - began if not arguments.only else results.seconds
        results.save()
        report.write(results, ROWS)
        print(f"written: {report.DOCUMENT.relative_to(report.ROOT)}")
    return int(failed)


def _measure(row: Row, bench: Bench, kind: NodeKind) -> Outcome:
    try:
        samples = row.measure(bench, kind)
    except Exception as error:  # one row that cannot be measured must not cost the others
        traceback.print_exception(error)
        return Outcome({}, f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}")
    finally:
        for process in list(Process.known):
            process.kill()
            process.forget()
        Process.prune()
    return Outcome(
        {
            key: [value if math.isfinite(value) else math.inf for value in values]
            for key, values in samples.items()
        }
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n")[0])
    names = [*(row.name for row in ROWS), PROFILE]
    parser.add_argument("--only", action="append", choices=names, help="measure this row; may be repeated")
    parser.add_argument("--kind", choices=["tocsin", "alertmanager"], help="one of the two only")
    parser.add_argument("--quick", action="store_true", help="less of everything: to try, not to compare")
    parser.add_argument(
        "--write", action="store_true", help="write docs/performance.md although not all was run"
    )
    parser.add_argument("--list", action="store_true", help="what there is to measure")
    return parser.parse_args(argv)


def _kinds(only: str | None) -> dict[str, NodeKind]:
    kinds: dict[str, NodeKind] = {}
    if only != "tocsin":
        if reason := alertmanager.why_not():
            print(f"no Alertmanager to compare with: {reason}", file=sys.stderr)
        else:
            kinds["alertmanager"] = alertmanager.alertmanager("0.33")
    if only != "alertmanager":
        kinds["tocsin"] = TOCSIN
    return kinds


if __name__ == "__main__":
    sys.exit(main())
