"""Work for one request that gives way to others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Final, TypeAlias, TypeVar

from tocsin.alerting.matcher import Matcher
from tocsin.alerting.steps import Steps

SLICE: Final = 0.004
"""Seconds of work before others get their turn; one step may take longer."""
LONG: Final = 0.01
"""Seconds of a slice, past which others have as much time before the next."""

T = TypeVar("T")
Turns: TypeAlias = Iterator[bool]
"""As :func:`turns_of` makes them."""


async def in_turns(steps: Steps[T]) -> T:
    """Do all steps; what comes of them."""
    while True:
        began = perf_counter()
        end = began + SLICE
        try:
            next(steps)
            while perf_counter() < end:
                next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        took = perf_counter() - began
        await asyncio.sleep(took if took > LONG else 0)


def in_time(steps: Steps[T], seconds: float) -> T:
    """Do all steps, on a thread of its own; what comes of them. TimeoutError if they take longer."""
    end = perf_counter() + seconds
    try:
        while perf_counter() < end:
            next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    raise TimeoutError


def turns_of(count: int) -> Turns:
    """True when it is others' turn: after so many times, or SLICE seconds if the work is slow."""
    while True:
        end = perf_counter() + SLICE
        for _ in range(count - 1):
            if perf_counter() > end:
                break
            yield False
        yield True


async def meets(matchers: Sequence[Matcher], labels: Mapping[str, str], turns: Turns) -> bool:
    """Whether labels fulfil all matchers. Each pattern counts in ``turns``, as it may take milliseconds."""
    for matcher in matchers:
        if matcher.regex is not None and next(turns):
            await asyncio.sleep(0)
        if not matcher.matches(labels.get(matcher.name, "")):
            return False
    return True
