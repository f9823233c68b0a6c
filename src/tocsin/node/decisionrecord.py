"""Records the decisions of the alert flow in the journal, for each configuration by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.decisions import Decision
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.record.recorder import Raw, Recorder
from tocsin.node.clock import Clock
from tocsin.node.eventrecorder.recording import Decided, Follows, NotRecording
from tocsin.node.log import Logger
from tocsin.node.store import Store
from tocsin.node.store.records import Wanted, make, make_wanted

if TYPE_CHECKING:
    from tocsin.alerting.record.model import FlushRecord

SLICE: Final = 128
"""Flushes under way that are made into records at a time."""


class DecisionRecord:
    """The node's record. ``node`` is its name in the cluster."""

    def __init__(
        self, store: Store, clock: Clock, node: str, log: Logger, recording: Follows | None = None
    ) -> None:
        """``recording`` follows the same decisions."""
        self.store = store
        self._recording = recording or NotRecording()
        self.clock = clock
        self.node = node
        self.log = log
        self._followers: WeakSet[Follower] = WeakSet()

    @property
    def kept(self) -> bool:
        """Whether there is a record at all."""
        return self.store.records.kept

    def follow(self, config: AlertmanagerConfig) -> Follower:
        """A follower for the engine of one configuration, which owns it."""
        follower = Follower(self, self._recording.follow(config))
        self._followers.add(follower)
        return follower

    async def read(self, before: int | None = None) -> AsyncIterator[tuple[int, FlushRecord]]:
        """The records before a number, newest first. :class:`~tocsin.errors.StorageError`."""
        async for found in self.store.read_records(before=before):
            for each in found:
                yield each

    async def under_way(self) -> AsyncIterator[tuple[int, FlushRecord]]:
        """The flushes that have not ended; the number is 0 where nothing of one is kept yet."""
        raws = [raw for follower in self._followers for raw in follower.open()]
        for start in range(0, len(raws), SLICE):
            some = [(raw.number, raw) for raw in raws[start : start + SLICE]]
            for each in await asyncio.to_thread(make, some):
                yield each

    async def search(self, wanted: Wanted) -> AsyncIterator[list[FlushRecord]]:
        """The wanted records, newest first, in slices, which may be empty; flushes under way come first.
        :class:`~tocsin.errors.StorageError`."""
        under_way = [raw for follower in self._followers for raw in follower.open()]
        for start in range(0, len(under_way), SLICE):
            some = [(0, raw) for raw in under_way[start : start + SLICE]]
            yield [record for _, record in await asyncio.to_thread(make_wanted, some, wanted)]
        told = {raw.number for raw in under_way}
        async for found in self.store.read_records(wanted):
            yield [record for number, record in found if number not in told]


class Follower:
    """Records the decisions of one engine."""

    def __init__(self, record: DecisionRecord, beside: Decided) -> None:
        self._record = record
        self._beside = beside
        self._records = record.store.records
        self._recorder = Recorder(record.node, number=self._records.number)

    def open(self) -> list[Raw]:
        """The flushes that have not ended."""
        return self._recorder.open()

    def decided(self, decided: Sequence[Decision | FlushFinished]) -> None:
        """Something was decided about flushes, or they are over."""
        self._beside(decided)
        records = self._records
        if not records.kept:
            return
        try:
            for each in self._recorder.take(decided, self._record.clock.now()):
                records.put(each.number, each)
            records.statistics.flushes_forgotten += self._recorder.take_forgotten()
        except Exception as error:  # A bug here must cost the record, not the notification.
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not self._records.statistics.failures:
            self._record.log.error("a decision could not be recorded", err=repr(error))
        self._records.statistics.failures += 1
