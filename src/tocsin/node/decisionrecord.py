"""What the alert flow decides, on its way to the journal: each configuration is followed by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from weakref import WeakSet

from tocsin.alerting.decisions import Decision
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.record import FlushRecord, Recorder
from tocsin.node.clock import Clock
from tocsin.node.log import Logger
from tocsin.node.store import Store


class DecisionRecord:
    """The node's record. ``node`` is its name in the cluster."""

    def __init__(self, store: Store, clock: Clock, node: str, log: Logger) -> None:
        self.store = store
        self.clock = clock
        self.node = node
        self.log = log
        self._followers: WeakSet[Follower] = WeakSet()

    def follow(self) -> Follower:
        """For the engine of one configuration, which keeps it for as long as it decides anything."""
        follower = Follower(self)
        self._followers.add(follower)
        return follower

    def under_way(self) -> list[FlushRecord]:
        """The flushes that have not ended."""
        return [record for follower in self._followers for record in follower.under_way()]

    def read(self, before: int | None = None) -> AsyncIterator[tuple[int, FlushRecord]]:
        """What is kept, newest first, before a number. :class:`~tocsin.errors.StorageError`."""
        return self.store.read_records(before)


class Follower:
    """Records the decisions of one engine."""

    def __init__(self, record: DecisionRecord) -> None:
        self._record = record
        self._records = record.store.records
        self._recorder = Recorder(record.node, number=self._records.number)

    def under_way(self) -> list[FlushRecord]:
        """The flushes that have not ended."""
        return self._recorder.under_way()

    def decided(self, decided: Sequence[Decision | FlushFinished]) -> None:
        """Something was decided about flushes, or they are over."""
        records = self._records
        if not records.kept:
            return
        try:
            for each in self._recorder.take(decided, self._record.clock.now()):
                records.put(each.number, each)
            records.statistics.flushes_forgotten += self._recorder.forgotten
            self._recorder.forgotten = 0
        except Exception as error:  # A bug here must cost the record, not the notification.
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not self._records.statistics.failures:
            self._record.log.error("a decision could not be recorded", err=repr(error))
        self._records.statistics.failures += 1
