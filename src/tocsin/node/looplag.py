"""Measures how long an iteration of the event loop takes, and so how late everything else is: between two
calls of the selector, without a timer and without missing an iteration. Times are seconds. It also bounds how
many sockets one iteration serves.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tocsin.node.metrics.own import help_of

STALL: Final = 1.0
"""Seconds. After a longer iteration (the process or the machine stood still) a node has missed something."""
EVENTS_AT_ONCE: Final = 12
"""Sockets served in one iteration: when a hundred receivers answer at the same moment, timers and other
connections come in between."""
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


class LagSelector(selectors.DefaultSelector):
    """A selector that notes how long its caller was busy between two calls."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._clock = clock
        self._returned: float | None = None
        self._left: deque[tuple[selectors.SelectorKey, int]] = deque()
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0
        self.longest = 0.0
        self.stalls = 0
        self.on_stall: Callable[[float], None] | None = None
        """Called before anything that has become due meanwhile."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the standard one, but of much that is ready only some; the rest comes with the next calls."""
        held = 0.0
        due: float | None = None
        if self._returned is not None:
            now = self._clock()
            held = now - self._returned
            self.observe(held)
            if timeout is not None:
                due = now + max(timeout, 0.0)
        try:
            return self._some(timeout)
        finally:
            self._returned = self._clock()
            if due is not None:  # if the process was stopped while it waited, it returns too late
                held = max(held, self._returned - due)
            if held > STALL:
                self._stalled(held)

    def _some(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = []
        registered = self.get_map()
        while self._left and len(ready) < EVENTS_AT_ONCE:
            key, events = self._left.popleft()
            if registered.get(key.fd) is key:  # Otherwise it was closed or waits for something else by now.
                ready.append((key, events))
        if not ready:
            self._left.extend(super().select(timeout))
            ready = [self._left.popleft() for _ in range(min(len(self._left), EVENTS_AT_ONCE))]
        return ready

    def _stalled(self, seconds: float) -> None:
        self.stalls += 1
        if self.on_stall is not None:
            self.on_stall(seconds)

    def reset(self) -> None:
        """Begin anew: starting up is not serving."""
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = self.longest = 0.0
        self._returned = None

    def observe(self, busy: float) -> None:
        """One iteration took ``busy`` seconds."""
        self.counts[bisect_left(BUCKETS, busy)] += 1
        self.total += busy
        if busy > self.longest:
            self.longest = busy


class _MeasuredLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.lag = LagSelector()
        super().__init__(self.lag)


def measured_loop() -> asyncio.AbstractEventLoop:
    """An event loop that is measured: a ``loop_factory`` for :class:`asyncio.Runner`."""
    return _MeasuredLoop()


def lag_of(loop: asyncio.AbstractEventLoop) -> LagSelector | None:
    """The measurements of a loop made by :func:`measured_loop`."""
    return loop.lag if isinstance(loop, _MeasuredLoop) else None


def watch_stalls(on_stall: Callable[[float], None]) -> None:
    """Measure the running loop anew, if it is measured, and report its stalls from now on."""
    lag = lag_of(asyncio.get_running_loop())
    if lag is not None:
        lag.reset()
        lag.on_stall = on_stall


class LagCollector(Collector):
    """Shows ``tocsin_event_loop_lag_seconds`` and the longest iteration since the start."""

    def __init__(self, lag: LagSelector) -> None:
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        """The metrics of the moment."""
        lag, running = self._lag, 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), lag.counts, strict=True):
            running += count
            buckets.append((bound, running))
        name = "tocsin_event_loop_lag_seconds"
        yield HistogramMetricFamily(name, help_of(name), buckets, lag.total)
        name = "tocsin_event_loop_lag_max_seconds"
        yield GaugeMetricFamily(name, help_of(name), lag.longest)
        name = "tocsin_event_loop_stalls_total"
        yield CounterMetricFamily(name, help_of(name), lag.stalls)
