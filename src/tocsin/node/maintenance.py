"""What is done at every ``--data.maintenance-interval``, and at a clean stop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.errors import TocsinError
from tocsin.node.api.steps import run_steps
from tocsin.node.clock import Clock
from tocsin.node.counts import MaintenanceCounts
from tocsin.node.log import Logger
from tocsin.node.metrics import Metrics
from tocsin.node.store import Store
from tocsin.node.store.kinds import KINDS


class Collected(Protocol):
    """State from which expired entries are removed."""

    def collecting(self, now: Nanoseconds) -> Steps[int]:
        """Remove what has expired by ``now``, in steps."""
        ...


class Maintenance:
    """Collects what has expired, writes the snapshots, then cleans the journal up.

    ``states`` by the keys of their kinds.
    """

    def __init__(
        self,
        store: Store,
        states: Mapping[str, Collected],
        *,
        counts: Mapping[str, MaintenanceCounts],
        metrics: Metrics,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._store = store
        self._states = states
        self._counts = counts
        self._metrics = metrics
        self._clock = clock
        self._log = log

    async def run(self, remember: Mapping[str, str] | None) -> None:
        """Do it once. ``remember``: values about this node that the store keeps for its next run."""
        now = self._store.retention_clock.read(self._clock.now(), time.monotonic_ns())
        written = True
        for key, state in self._states.items():
            name = KINDS[key].name
            counts = self._counts[name]
            counts.runs += 1
            began = time.perf_counter()
            await run_steps(state.collecting(now))
            collected = time.perf_counter()
            try:
                counts.snapshot_bytes = await self._store.save(key)
            except TocsinError as error:
                written = False
                counts.errors += 1
                self._log.error("writing a snapshot failed", file=name, err=str(error))
            saved = time.perf_counter()
            self._metrics.timer(f"{name}_gc_duration_seconds").observe(collected - began)
            self._metrics.timer(f"{name}_snapshot_duration_seconds").observe(saved - collected)
        if remember is not None:
            self._store.remember(remember)
        if written:
            try:
                await self._store.maintain(now)
            except TocsinError as error:
                self._log.error("cleaning the journal up failed", err=str(error))
