"""Waiting on a condition, with a deadline and a reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 30.0  # seconds; far beyond what any step needs, so that a slow machine does not fail a test


def eventually(
    condition: Callable[[], T],
    what: str,
    *,
    deadline: float = DEADLINE,
    interval: float = 0.05,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """The first true value of ``condition()``; AssertionError naming ``what`` after ``deadline`` seconds.

    An ``ignoring`` exception or an AssertionError counts as "not yet", and is told if it was the last.
    """
    end = time.monotonic() + deadline
    skipped: tuple[type[Exception], ...] = (AssertionError, *ignoring)
    while True:
        last: object
        try:
            value = condition()
            if value:
                return value
            last = value
        except skipped as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what} (last: {last!r})")
        time.sleep(interval)


def holds_for(condition: Callable[[], object], what: str, *, seconds: float, interval: float = 0.1) -> None:
    """Assert that ``condition()`` stays true for ``seconds``: for what must *not* happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), what
        time.sleep(interval)
    assert condition(), what
