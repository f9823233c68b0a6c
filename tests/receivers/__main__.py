"""``make receivers``: play captures against a daemon, and say of each kind how many are equal.
A secret that is shown in a page or in the log is a difference too.

    python -m tests.receivers --only slack --name '*utf8*' --jobs 2
    python -m tests.receivers --daemon './alertmanager {args}'

Ends with 0 if all are equal. Captures that show a fault of Alertmanager are shown, and not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import sys
from pathlib import Path

from tests.receivers.captures import FILE, Capture, load
from tests.receivers.compare import differences
from tests.receivers.daemon import RefusedError
from tests.receivers.play import Play, certificates, play_all
from tests.receivers.secrets import shown


def main() -> int:
    """Play, compare, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=FILE, help="captures, one a line")
    ours = f"{sys.executable} -m tocsin.cli.daemon {{args}}"
    parser.add_argument("--daemon", default=ours, help="the command; {args} are its flags")
    parser.add_argument("--only", action="append", default=[], metavar="KIND", help="may be given again")
    parser.add_argument("--name", default="*", help="captures by name, with wildcards")
    parser.add_argument("--jobs", type=int, default=2, help="captures at a time")
    arguments = parser.parse_args()
    captures = [
        capture
        for capture in load(arguments.file)
        if (not arguments.only or capture.kind in arguments.only)
        and fnmatch.fnmatch(capture.name, arguments.name)
    ]
    with certificates() as tls:
        told: dict[str, list[str]] = {}

        async def look(play: Play) -> None:
            told[play.capture.name] = await shown(play)

        plays = [Play(capture, arguments.daemon, tls, "--log.level=debug") for capture in captures]
        results = asyncio.run(play_all(plays, arguments.jobs, look))
    found: dict[str, list[tuple[Capture, list[str]]]] = {}
    for capture, result in zip(captures, results, strict=True):
        problems = [str(result)] if isinstance(result, RefusedError) else differences(capture, result)
        problems += told.get(capture.name, [])
        found.setdefault(capture.kind, []).append((capture, problems))
    return _tell(found)


def _tell(found: dict[str, list[tuple[Capture, list[str]]]]) -> int:
    equal = counted = 0
    for kind, rows in found.items():
        plain = [problems for capture, problems in rows if not capture.quirk]
        odd = [problems for capture, problems in rows if capture.quirk]
        good = sum(not problems for problems in plain)
        equal, counted = equal + good, counted + len(plain)
        note = f", and {sum(not problems for problems in odd)} of {len(odd)} quirks" if odd else ""
        print(f"{kind}: {good} of {len(plain)} equal{note}")
        for capture, problems in rows:
            for problem in problems:
                print(f"  {capture.name}{' (quirk, not counted)' if capture.quirk else ''}: {problem}")
    print(f"all: {equal} of {counted} equal")
    return 0 if equal == counted else 1


if __name__ == "__main__":
    sys.exit(main())
