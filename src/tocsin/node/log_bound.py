"""Rate limit for log lines that a peer can cause; the rest is counted."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from tocsin.dataclass import dataclass

INTERVAL: Final = 10.0
"""Seconds."""
MAX_KEYS: Final = 1024
"""Peers that are counted one by one; past it the one that was silent longest is forgotten."""


@dataclass(slots=True)
class LogStatistics:
    """For the metrics."""

    lines_left_out: int = 0


@dataclass(slots=True)
class _Window:
    began: float
    lines: int = 0
    left_out: int = 0


class LogBound:
    """``lines`` for each key (a peer's host, and what is said of it) in INTERVAL, and ``total`` of all keys.

    The total is for hosts that a peer claims to be, of which there is no end::

        more = bound.admit("refused", source.host)
        if more is not None:
            log.warn("entries refused", source=source, **more)
    """

    def __init__(
        self,
        *,
        lines: int = 1,
        total: int = 32,
        statistics: LogStatistics | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.statistics = statistics or LogStatistics()
        self._lines = lines
        self._total = total
        self._now = now
        self._all = _Window(float("-inf"))
        self._windows: OrderedDict[Hashable, _Window] = OrderedDict()

    def admit(self, *key: Hashable) -> dict[str, int] | None:
        """None: drop the line. Otherwise fields to add to it: how many lines of that key were dropped before
        it."""
        now = self._now()
        window = self._windows.setdefault(key, _Window(float("-inf")))
        self._windows.move_to_end(key)
        if len(self._windows) > MAX_KEYS:
            self._windows.popitem(last=False)
        for each in (window, self._all):
            if now - each.began >= INTERVAL:
                each.began, each.lines = now, 0
        if window.lines >= self._lines or self._all.lines >= self._total:
            window.left_out += 1
            self.statistics.lines_left_out += 1
            return None
        window.lines += 1
        self._all.lines += 1
        left_out, window.left_out = window.left_out, 0
        return {"left_out": left_out} if left_out else {}
