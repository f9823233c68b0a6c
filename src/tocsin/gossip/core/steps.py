"""Work in steps: a generator that yields between them and returns the outcome.

Other work may have run meanwhile, so the current time may be sent in: seconds, as ``now``.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeAlias, TypeVar

ENTRIES_AT_ONCE: Final = 64
"""Of a peer's member table, processed before other work may run."""

Outcome = TypeVar("Outcome")
Steps: TypeAlias = Generator[None, float | None, Outcome]


def finished(work: Steps[Outcome]) -> Outcome:
    """Run it to its end at once, for what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
