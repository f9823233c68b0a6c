"""Keeps Python's cycle collector from holding the event loop. Reference counts free nearly everything that a
node drops. A full collection visits every object, five for each silence: with 50,000 silences it holds the
loop for 70 ms and more, and a join that brings them triggers three. So objects that exist after the start are
frozen, young objects are collected in small portions, and full collections are rare.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Final

YOUNG: Final = 2_000
"""New objects that trigger a collection of the young generation: below 1 ms."""
MIDDLE: Final = 4
"""Young collections that trigger one of the middle generation: at most 10,000 objects, some 3 ms."""
FREEZE_STEP: Final = 2_000
"""New entries of replicated state, about 60,000 objects, after which objects are frozen."""
NEVER: Final = 1_000_000_000
FULL_INTERVAL: Final = 900.0
"""Seconds between full collections."""


def set_up() -> None:
    """For the whole process, before anything large is loaded."""
    gc.set_threshold(YOUNG, MIDDLE, NEVER)


def hold_back() -> None:
    """Collect nothing until :func:`clean_up`: objects made by the start stay."""
    gc.disable()


def clean_up() -> None:
    """Collect fully, then freeze the rest, as modules and code are already. Called before the node serves."""
    gc.enable()
    gc.collect()
    gc.freeze()


def keep_what_is_there() -> None:
    """Freeze all objects without visiting them, which takes no noticeable time."""
    gc.freeze()


async def collect_forever(interval: float = FULL_INTERVAL) -> None:
    """Collect fully every ``interval`` seconds."""
    while True:
        await asyncio.sleep(interval)
        gc.collect()


class HeapKeeper:
    """Freezes the replicated state as it grows: pass it the number of entries. Entries hold no cycles and are
    freed by reference counting. Other live objects are frozen too, and a cycle among them that becomes
    garbage later stays. So this is done rarely: when the state reaches a new largest size, and after a
    collection of the young generation.
    """

    def __init__(self) -> None:
        self._frozen_at = 0
        self.freezes = 0

    def entries(self, count: int) -> None:
        """``count``: entries of replicated state in all."""
        if count >= self._frozen_at + FREEZE_STEP:
            self._frozen_at = count
            self.freezes += 1
            gc.collect(0)
            gc.freeze()
