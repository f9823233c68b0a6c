"""Work in small pieces: a generator that yields between them, and returns what comes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from heapq import merge
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
Work = TypeVar("Work")
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


class Rounds(Generic[Work, T]):
    """Several pieces of work, one after the other ``most`` steps at a time, until each is done."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most
        self._under_way: deque[tuple[Work, Steps[T]]] = deque()

    def add(self, work: Work, steps: Steps[T]) -> None:
        """One more, which comes last."""
        self._under_way.append((work, steps))

    def next(self) -> Work | None:
        """What is gone on with next; None: all is done."""
        return self._under_way[0][0] if self._under_way else None

    def go_on(self) -> Iterator[tuple[Work, T | Exception]]:
        """What is done now, and what came of it: its result, or the error that ended it. Goes on until
        ``most`` steps were taken since :meth:`renew`: the work that took the last of them is gone on with
        after the others."""
        while self._under_way and self._left > 0:
            work, steps = self._under_way.popleft()
            while self._left > 0:
                try:
                    next(steps)
                except StopIteration as end:
                    found: T | Exception = end.value  # not ``end``: its traceback holds this frame
                    break
                except Exception as error:  # It is that work's alone: whoever goes on may be another.
                    found = error.with_traceback(None)
                    break
                self._left -= 1
            else:
                self._under_way.append((work, steps))
                continue
            yield work, found

    def renew(self) -> None:
        """Other work has run."""
        self._left = self._most
