"""Work in small pieces: a generator that yields between them, and returns what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from heapq import merge
from typing import Any, Final, TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]

SORTED_AT_ONCE: Final = 1024
"""A sort lets nobody else on until it is over, no other thread either: of a hundred thousand, for tenths."""


def finish(steps: Steps[T]) -> T:
    """All steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def sorting(items: Sequence[T], *, key: Callable[[T], Any], most: int | None = None) -> Steps[list[T]]:
    """The items sorted, in small steps; the first ``most`` of them."""
    slices: list[list[T]] = []
    for start in range(0, len(items), SORTED_AT_ONCE):
        slices.append(sorted(items[start : start + SORTED_AT_ONCE], key=key)[:most])
        yield
    if len(slices) < 2:
        return slices[0] if slices else []
    found: list[T] = []
    for place, item in enumerate(merge(*slices, key=key), 1):
        found.append(item)
        if place == most:
            break
        if not place % SORTED_AT_ONCE:
            yield
    return found
