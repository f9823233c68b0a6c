"""Runs the steps of long work for one request, and lets other work of the event loop run between them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Final, TypeAlias, TypeVar

from tocsin.alerting.matcher import Matcher
from tocsin.alerting.steps import Steps
from tocsin.node.api.scheduler import must_wait, pause

SLICE: Final = 0.004
"""Seconds of work before other work runs; one step may take longer."""
LONG: Final = 0.01
"""Seconds of a slice, past which the next one waits for as long as the slice took."""

T = TypeVar("T")
Pauses: TypeAlias = Iterator[bool]
"""See :func:`pauses_after`."""


async def run_steps(steps: Steps[T]) -> T:
    """Run all steps; returns the result."""
    if must_wait():
        await pause()
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
        if took > LONG:
            await asyncio.sleep(took)
        await pause()


def run_within(steps: Steps[T], seconds: float) -> T:
    """Run all steps on the calling thread, without pauses; returns the result. TimeoutError if they take
    longer."""
    end = perf_counter() + seconds
    try:
        while perf_counter() < end:
            next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    raise TimeoutError


def pauses_after(count: int) -> Pauses:
    """True when other work is to run (:func:`tocsin.node.api.scheduler.pause`): after so many times, or SLICE
    seconds if the work is slow, and at the beginning if another request has work in this iteration."""
    if must_wait():
        yield True
    while True:
        end = perf_counter() + SLICE
        for _ in range(count - 1):
            if perf_counter() > end:
                break
            yield False
        yield True


async def meets(matchers: Sequence[Matcher], labels: Mapping[str, str], pauses: Pauses) -> bool:
    """Whether labels fulfil all matchers. Each pattern counts in ``pauses``, as it may take milliseconds."""
    for matcher in matchers:
        if matcher.regex is not None and next(pauses):
            await pause()
        if not matcher.matches(labels.get(matcher.name, "")):
            return False
    return True
