"""The journal: every silence and notification log entry is on the disk before it is acknowledged or
broadcast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.errors import StateError
from tocsin.node.log import Logger
from tocsin.node.store import damage
from tocsin.node.store.database import DELETE_ROWS, DamagedError, Database
from tocsin.node.store.loading import load_rows
from tocsin.node.store.records import OFF, Records, Wanted, make_wanted, read_records
from tocsin.node.store.rows import Row
from tocsin.node.store.statistics import GAUGES, JournalStatistics
from tocsin.node.store.writer import States, Writer

if TYPE_CHECKING:
    from tocsin.alerting.record.model import FlushRecord

__all__ = ["GAUGES", "Journal", "JournalStatistics"]


RECORD_SLICE: Final = 128
"""Decision records that are read at a time: others want the writer's thread too."""


class Journal:
    """Keeps the replicated states in one database, and fills them from it at start."""

    def __init__(self, path: Path, states: States, *, log: Logger, records: Records | None = None) -> None:
        self.path = path
        self._states = states
        self._log = log
        self.records = records if records is not None else Records(OFF)
        self._writer = Writer(path, states, records=self.records, log=log)
        self.commit = self._writer.commit
        self.flush = self._writer.flush
        self.remember = self._writer.remember

    async def open(self, now: Nanoseconds) -> None:
        """Load all rows into the states, and from now on write what they store.

        A damaged file is set aside and what can be read of it is saved. :class:`ConfigError` when a later
        version wrote it; :class:`~tocsin.errors.StorageError` when it cannot be read or written.
        """
        try:
            await self._load(now)
        except DamagedError as error:
            found = await self._writer.run(damage.salvage, self.path)
            await self._writer.replace(list(found.rows.values()), found.meta, str(error))
            await self._load(now)
        if self.statistics.rows_unreadable:
            await self._writer.rebuild(f"{self.statistics.rows_unreadable} entries do not decode")
        self.records.restore(await self._writer.maintain(Database.record_places))
        await self._writer.measure()
        for kind, state in self._states.items():
            self._listen(kind, state)

    async def _load(self, now: Nanoseconds) -> None:
        def begin() -> Iterator[list[Row]]:
            aside = damage.finish(self.path)
            if aside is not None:
                self._log.warn("the journal was replaced by a rebuilt one", set_aside=str(aside))
            database = self._writer.open_database()
            database.check()
            self._writer.meta = database.meta()
            return database.slices()

        try:
            slices = await self._writer.run(begin)
            while (found := await self._writer.run(next, slices, None)) is not None:
                for kind in self._states:
                    self._load_slice(kind, [row for row in found if row.kind == kind], now)
        except DamagedError:
            await self._writer.run(self._writer.close_database)
            raise

    def _load_slice(self, kind: str, rows: list[Row], now: Nanoseconds) -> None:
        try:
            result = load_rows(self._states[kind], rows, now)
        except StateError as error:
            if len(rows) > 1:
                for row in rows:
                    self._load_slice(kind, [row], now)
                return
            self._log.warn("an entry of the journal does not decode", state=kind, err=str(error))
            self.statistics.rows_unreadable += 1
        else:
            if not result.refused_count:
                return
            if not self.statistics.entries_refused:  # The first of them says why.
                reason = result.refused[0]
                self._log.warn("an entry of the journal is past a bound", state=kind, reason=reason)
            self.statistics.entries_refused += result.refused_count

    def _listen(self, kind: str, state: ReplicatedState[Any]) -> None:
        state.on_stored = lambda entries: self._writer.mark(kind, entries)
        state.on_outlived = lambda key: self._writer.mark_outlived(kind, key)

    @property
    def meta(self) -> Mapping[str, str]:
        """Values that were remembered, those of previous runs included."""
        return self._writer.meta

    @property
    def statistics(self) -> JournalStatistics:
        """For the metrics."""
        return self._writer.statistics

    async def maintain(self, now: Nanoseconds) -> None:
        """Delete expired rows, and free their space. :class:`~tocsin.errors.StorageError`."""
        self.records.trim(now)
        await self._writer.flush()  # Include what was collected just now.
        deleted = DELETE_ROWS
        while deleted == DELETE_ROWS:
            deleted = await self._writer.maintain(Database.delete_expired, now // SECOND)
            self.statistics.rows_deleted += deleted
        deleted = DELETE_ROWS
        while deleted == DELETE_ROWS:
            deleted = await self._writer.maintain(Database.forget_tombstones)
            self.statistics.rows_deleted += deleted
        await self._writer.maintain(Database.checkpoint)
        await self._writer.measure()

    async def read_records(
        self, wanted: Wanted, before: int | None = None
    ) -> AsyncIterator[list[tuple[int, FlushRecord]]]:
        """The decision records by number, newest first, ``before`` a number: those that wait, then those on
        the disk. In slices, which may be empty: the reader may stop after each.

        Damaged records are skipped, counted and deleted; those of a later version are skipped and counted.
        :class:`~tocsin.errors.StorageError`.
        """
        waiting = dict(self.records.waiting)
        newest_first = sorted(waiting.items(), reverse=True)
        if before is not None:
            newest_first = [each for each in newest_first if each[0] < before]
        for start in range(0, len(newest_first), RECORD_SLICE):
            yield await asyncio.to_thread(make_wanted, newest_first[start : start + RECORD_SLICE], wanted)

        while True:
            rows = await self._writer.maintain(Database.records, before, RECORD_SLICE)
            found = await asyncio.to_thread(read_records, rows, wanted)  # the writer's thread has other work
            self.records.read(found)
            pairs = zip(found.numbers, found.records, strict=True)
            yield [(number, record) for number, record in pairs if number not in waiting]
            if found.last is None:
                return
            before = found.last

    async def close(self) -> None:
        """Write what is waiting, if the disk works, and close. Idempotent."""
        await self._writer.close()
        for state in self._states.values():
            state.on_stored = state.on_outlived = None
