"""``make stories``: how many stories Tocsin tells as Alertmanager does. ``--seeds 0:1000 --nodes one``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from functools import partial

from tests.stories.compare import ENOUGH, LATEST, TOGETHER, Verdict, confirm, judge, minimised, play_once
from tests.stories.settings import SETTINGS
from tests.stories.story import tell

ALONE = 6
"""Stories that differ and are played again by themselves at a time."""


async def _main(arguments: argparse.Namespace) -> int:
    setting = SETTINGS[arguments.nodes]()
    waiting = deque(Verdict(tell(seed)) for seed in _seeds(arguments.seeds))
    open_: list[Verdict] = []
    told: list[Verdict] = []
    while open_ or waiting:
        # What is not clear yet is played again beside new stories: a round takes as long for one as for many.
        while waiting and len(open_) < arguments.together * arguments.side_by_side:
            open_.append(waiting.popleft())
        began = time.monotonic()
        late = await play_once(
            open_, setting, side_by_side=arguments.side_by_side, together=arguments.together
        )
        new = [verdict for verdict in open_ if not verdict.open]
        open_ = [verdict for verdict in open_ if verdict.open]
        told += new
        for verdict in new:
            if not verdict.alike and not verdict.explained:
                print(f"{'DIFFERENT' if verdict.different else 'UNCLEAR'} {verdict}", flush=True)
        count = f"{_count(told)}, {len(open_)} open, {len(waiting)} to come"
        disturbed = sum(each > LATEST for each in late)
        plays = f"{len(late)} plays, {disturbed} of them disturbed, late by {max(late):.2f} s at most"
        print(f"{setting.name}: {count} ({time.monotonic() - began:.0f} s; {plays})", flush=True)
    if any(verdict.different for verdict in told):
        await confirm(told, setting, side_by_side=max(arguments.side_by_side, ALONE))
        print(f"{setting.name}: {_count(told)} (what differed was played by itself as well)", flush=True)
    different = [verdict for verdict in told if verdict.different]
    for verdict in different if arguments.minimise else ():
        judged = partial(
            judge,
            setting=setting,
            side_by_side=arguments.side_by_side,
            together=arguments.together,
            plays=ENOUGH + 1,
        )
        began = time.monotonic()
        found = await minimised(verdict, judged)
        print(f"MINIMISED ({time.monotonic() - began:.0f} s) {found}", flush=True)
    return int(bool(different))


def _seeds(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, colon, last = part.partition(":")
        yield from range(int(first), int(last) if colon else int(first) + 1)


def _count(told: list[Verdict]) -> str:
    alike = [verdict for verdict in told if verdict.alike]
    different = sum(verdict.different for verdict in told)
    outdated = sum(verdict.explained for verdict in told)
    again = sum(verdict.plays > 1 for verdict in alike)
    unclear = len(told) - len(alike) - outdated - different
    return (
        f"{len(alike)} alike ({again} not at the first play), "
        f"{outdated} in which only Alertmanager sent what was outdated, "
        f"{different} different, {unclear} unclear"
    )


def main() -> int:
    """Exit status 1 if something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.stories", description=__doc__)
    parser.add_argument(
        "--seeds", default="0:60", help="from:to (the last not included), single ones, or several: 7,9,20:30"
    )
    parser.add_argument("--nodes", choices=sorted(SETTINGS), default="one")
    parser.add_argument("--side-by-side", type=int, default=1, help="batches at a time")
    parser.add_argument(
        "--together", type=int, default=TOGETHER, help="stories in a batch: fewer on a busy machine"
    )
    parser.add_argument("--minimise", action="store_true", help="shorten what differs")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the nodes end with us
    return asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
