"""Work in steps: a generator that yields between them and returns the outcome."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

Outcome = TypeVar("Outcome")
Steps: TypeAlias = Generator[None, None, Outcome]


def finished(work: Steps[Outcome]) -> Outcome:
    """Run it to its end, for what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
