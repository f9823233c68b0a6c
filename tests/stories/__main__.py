"""``make stories``: how many stories Tocsin tells as Alertmanager does. ``--seeds 0:1000 --nodes one``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from tests.stories.compare import Verdict, judge, minimised
from tests.stories.settings import SETTINGS
from tests.stories.story import BATCH, tell


async def _main(arguments: argparse.Namespace) -> int:
    setting = SETTINGS[arguments.nodes]()
    first, last = (int(part) for part in arguments.seeds.split(":"))
    told: list[Verdict] = []
    chunk = BATCH * arguments.side_by_side
    for start in range(first, last, chunk):
        began = time.monotonic()
        stories = [tell(seed) for seed in range(start, min(start + chunk, last))]
        new = await judge(stories, setting, side_by_side=arguments.side_by_side)
        told += new
        for verdict in new:
            if verdict.different:
                print(f"DIFFERENT {verdict}", flush=True)
            elif not verdict.alike:
                print(f"unclear: seed {verdict.story.seed}", flush=True)
        print(f"{setting.name}, to seed {start + len(new) - 1}: {_count(told)}", end="", flush=True)
        print(f" ({time.monotonic() - began:.0f} s)", flush=True)
    different = [verdict for verdict in told if verdict.different]
    for verdict in different if arguments.minimise else ():
        print(f"MINIMISED {await minimised(verdict, setting)}", flush=True)
    return int(bool(different))


def _count(told: list[Verdict]) -> str:
    alike = [verdict for verdict in told if verdict.alike]
    different = sum(verdict.different for verdict in told)
    again = sum(verdict.plays > 1 for verdict in alike)
    return (
        f"{len(alike)} alike ({again} not at the first play), {different} different, "
        f"{len(told) - len(alike) - different} unclear"
    )


def main() -> int:
    """Exit status 1 if something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.stories", description=__doc__)
    parser.add_argument("--seeds", default="0:60", help="from:to, the last not included")
    parser.add_argument("--nodes", choices=sorted(SETTINGS), default="one")
    parser.add_argument("--side-by-side", type=int, default=2, help="batches of two dozen stories at a time")
    parser.add_argument("--minimise", action="store_true", help="shorten what differs")
    return asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
