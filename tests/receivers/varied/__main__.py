"""``make receivers-varied``: sections made by chance, sent by the real Alertmanager and here.

    python -m tests.receivers.varied --count 300 --seed 1 --only slack

Shows what differs: the requests, how they ended, and what one program refuses to load. Ends with 0 if nothing
does. ``--first N --count 1 --only KIND`` plays one case again.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.receivers.daemon import RefusedError
from tests.receivers.play import Certificates, certificates
from tests.receivers.varied.both import Program, Told, _Place, write
from tests.receivers.varied.generate import Case, Generator
from tests.support.alertmanager import alertmanager, amtool
from tocsin.errors import ConfigError
from tocsin.node.config import parse_config
from tocsin.notify.integrations.registry import NAMES

OURS = f"{sys.executable} -m tocsin.cli.daemon {{args}}"
AT_ONCE = 36
PREFIX = 200
LONGEST = 500
"""Characters of a line that is shown."""


def main() -> int:
    """Make, play, compare, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=180)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", action="append", default=[], metavar="KIND", help="may be given again")
    parser.add_argument("--show", type=int, default=24, help="lines of a difference")
    arguments = parser.parse_args()
    kinds = arguments.only or list(NAMES)
    cases = [
        Generator(arguments.seed, number, kinds[number % len(kinds)]).case()
        for number in range(arguments.first, arguments.first + arguments.count)
    ]
    counts: Counter[str] = Counter()
    with certificates() as tls:
        taken = [case for case in cases if _both_take(case, tls, counts)]
        for start in range(0, len(taken), AT_ONCE):
            batch = taken[start : start + AT_ONCE]
            theirs, ours = asyncio.run(_play(batch, tls))
            for case in batch:
                same = theirs[case.number] == ours[case.number]
                counts["equal" if same else "differ"] += 1
                counts[f"{case.kind} {'equal' if same else 'differ'}"] += 1
                if not same:
                    _tell(case, theirs[case.number], ours[case.number], arguments.show)
            print(f"{start + len(batch)} of {len(taken)} ...", file=sys.stderr, flush=True)
    for kind in kinds:
        equal, differ = counts[f"{kind} equal"], counts[f"{kind} differ"]
        print(f"{kind}: {equal} of {equal + differ} equal")
    print(
        f"all: {counts['equal']} of {counts['equal'] + counts['differ']} equal, {counts['refused']} refused"
        f" by both, {counts['one']} by one, of {len(cases)} cases of seed {arguments.seed}"
    )
    return 1 if counts["differ"] or counts["one"] else 0


async def _play(
    batch: Sequence[Case], tls: Certificates
) -> tuple[dict[int, list[Told]], dict[int, list[Told]]]:
    real = alertmanager("0.33")
    words = [*real.command, "{args}"]
    theirs, ours = await asyncio.gather(
        Program(" ".join(words), tls).run(batch), Program(OURS, tls).run(batch)
    )
    return theirs, ours


def _both_take(case: Case, tls: Certificates, counts: Counter[str]) -> bool:
    """Whether both load it; a difference is told."""
    with tempfile.TemporaryDirectory() as name:
        folder, place = Path(name), _Place(case, tls)
        place.names = dict.fromkeys(("HTTP", "HTTPS", "SMTP", "SMTPS", "DEAD"), "127.0.0.1:9") | {"DIR": name}
        write(folder, [place], tls)
        file = folder / "alertmanager.yml"
        checked = subprocess.run(
            [amtool(), "check-config", file], capture_output=True, text=True, timeout=60, check=False
        )
        try:
            parse_config(file.read_text(), path=str(file))
            here = ""
        except ConfigError as error:
            here = str(error).replace(name, "")
    if not checked.returncode and not here:
        return True
    if checked.returncode and here:
        counts["refused"] += 1
        return False
    counts["one"] += 1
    said = [
        line for line in (checked.stdout + checked.stderr).splitlines() if "rror" in line or "FAILED" in line
    ]
    print(f"-- {case.number}, {case.kind} ({', '.join(case.changed)}): loaded by one only")
    print(f"   alertmanager: {' '.join(said)[-300:] if checked.returncode else 'loads it'}")
    print(f"   here:         {here[:300] or 'loads it'}", flush=True)
    return False


def _tell(case: Case, theirs: list[Told], ours: list[Told], lines: int) -> None:
    print(f"-- {case.number}, {case.kind} ({', '.join(case.changed)})")
    for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
        if one == other:
            continue
        shown = [
            json.dumps(vars(told), indent=1, ensure_ascii=False, sort_keys=True).splitlines()
            for told in (one, other)
        ]
        print(f"   step {number}: {one.outcome or 'nothing'} there, {other.outcome or 'nothing'} here")
        changed = list(difflib.unified_diff(shown[0], shown[1], lineterm="", n=0))[2 : 2 + lines]
        for one_line, next_line in zip(changed, [*changed[1:], ""], strict=True):
            print("      " + line_from(one_line, next_line))
    sys.stdout.flush()


def line_from(line: str, beside: str) -> str:
    """A line; a long one from a little before the place where it differs from the one beside it."""
    if line.startswith("-") and beside.startswith("+"):
        pairs = enumerate(zip(line[1:], beside[1:], strict=False))
        same = next((at for at, (one, other) in pairs if one != other), 0)
        if same > PREFIX:
            return f"{line[0]} [{same}] …{line[same - 60 : same + 200]} | {beside[same - 60 : same + 200]}"
    return line[:LONGEST]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RefusedError as refused:
        sys.exit(str(refused))
