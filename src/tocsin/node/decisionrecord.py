"""What the alert flow decides, on its way to the journal: each configuration is followed by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from weakref import WeakSet

from tocsin.alerting.decisions import Decision
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.record import FlushRecord, Recorder
from tocsin.alerting.record.recorder import Name, name_of
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

    def read(self) -> AsyncIterator[tuple[int, FlushRecord]]:
        """What is kept, newest first. :class:`~tocsin.errors.StorageError`."""
        return self.store.read_records()


class Follower:
    """Records the decisions of one engine."""

    def __init__(self, record: DecisionRecord) -> None:
        self._record = record
        self._records = record.store.records
        self._recorder = Recorder(record.node)
        self._numbers: dict[Name, int] = {}

    def under_way(self) -> list[FlushRecord]:
        """The flushes that have not ended."""
        return self._recorder.under_way()

    def decided(self, decision: Decision) -> None:
        """Something was decided about a flush."""
        if not self._records.kept:
            return
        try:
            found = self._recorder.decided(decision)
            if found is not None:
                name = name_of(decision.flush)
                number = self._numbers.get(name)
                if number is None:
                    number = self._numbers[name] = self._records.number()
                self._records.put(number, found)
        except Exception as error:  # A bug here must cost the record, not the notification.
            self._failed(error)

    def finished(self, effect: FlushFinished) -> None:
        """A flush is over."""
        if not self._records.kept:
            return
        try:
            found = self._recorder.finished(effect, self._record.clock.now())
            number = self._numbers.pop(name_of(effect.flush), None)
            self._records.put(self._records.number() if number is None else number, found)
            self._records.statistics.flushes_forgotten += self._recorder.forgotten
            self._recorder.forgotten = 0
        except Exception as error:  # As above.
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not self._records.statistics.failures:
            self._record.log.error("a decision could not be recorded", err=repr(error))
        self._records.statistics.failures += 1
