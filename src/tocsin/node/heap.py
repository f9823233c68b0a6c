"""Keeps the cyclic garbage collector away from the replicated state.

A full collection looks at every object: with 50,000 silences that is some hundred milliseconds in which
nothing else runs. The entries hold no cycles and go by reference counting, so there is nothing to find among
them. Whenever many have been added they are therefore moved out of the collector's sight (``gc.freeze``).

What else is alive then is moved too: a cycle of those that becomes garbage later stays. So this is done
seldom, as the state grows to a size that it never had before, and after a collection of what is young.
"""

from __future__ import annotations

import gc
from typing import Final

STEP: Final = 2_000
"""Entries, and so about 60,000 objects."""


class HeapKeeper:
    """Tell it of the number of entries now and then."""

    def __init__(self) -> None:
        self._frozen_at = 0
        self.freezes = 0

    def entries(self, count: int) -> None:
        """There are so many entries of replicated state in all."""
        if count >= self._frozen_at + STEP:
            self._frozen_at = count
            self.freezes += 1
            gc.collect(0)
            gc.freeze()
