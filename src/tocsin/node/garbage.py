"""Python's cycle collector, kept from holding the event loop.

Reference counts free all but a little of what a node drops. A full collection visits every object there
is, which are five for each silence: with 50,000 silences it holds the loop for 70 ms and more, and a join
that brings them sets off three. So what is there after the start is never visited again, young objects are
collected in small portions, and a full collection comes at long intervals only.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Final

YOUNG: Final = 2_000
"""New objects that set off a collection of the young: below 1 ms."""
MIDDLE: Final = 4
"""Young collections that set off one of the middle generation: at most 10,000 objects, some 3 ms."""
FREEZE_STEP: Final = 2_000
"""Entries of replicated state, and so about 60,000 objects, after which they are set apart."""
NEVER: Final = 1_000_000_000
FULL_INTERVAL: Final = 900.0
"""Seconds between full collections."""


def set_up() -> None:
    """For the whole process, before anything large is loaded."""
    gc.set_threshold(YOUNG, MIDDLE, NEVER)


def hold_back() -> None:
    """Collect nothing until :func:`clean_up`: what a start makes stays."""
    gc.disable()


def clean_up() -> None:
    """Collect fully, and set apart what is left: modules and code. Before the node serves."""
    gc.enable()
    gc.collect()
    gc.freeze()


def keep_what_is_there() -> None:
    """Freeze all that there is, without visiting it: this takes no noticeable time."""
    gc.freeze()


async def collect_forever(interval: float = FULL_INTERVAL) -> None:
    """Collect fully now and then."""
    while True:
        await asyncio.sleep(interval)
        gc.collect()


class HeapKeeper:
    """Moves the replicated state out of the collector's sight as it grows. Pass it the number of entries.

    The entries hold no cycles and go by reference counting: there is nothing to find among them. What else is
    alive then is moved too, and a cycle of those that becomes garbage later stays. So this is done seldom, as
    the state grows to a size that it never had before, and after a collection of what is young.
    """

    def __init__(self) -> None:
        self._frozen_at = 0
        self.freezes = 0

    def entries(self, count: int) -> None:
        """There are so many entries of replicated state in all."""
        if count >= self._frozen_at + FREEZE_STEP:
            self._frozen_at = count
            self.freezes += 1
            gc.collect(0)
            gc.freeze()
