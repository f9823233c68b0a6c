"""The only writer of the journal: changes that come at the same time share a transaction.

While a transaction is being synced, what comes gathers for the next one, so that a thousand changes at once
cost a few syncs. Two kinds of changes come:

* *own* changes wait for their commit and are made in memory only then; when the disk fails, they fail;
* *facts*, above all entries merged from peers, are in memory already: they are marked here, and written as
  soon as the disk lets us.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

from tocsin.aio.beside import Beside
from tocsin.alerting.entries import Entry
from tocsin.alerting.replicated import EntryTombstone, ReplicatedState
from tocsin.errors import ClosedError, StorageError
from tocsin.node.log import Logger
from tocsin.node.store import damage
from tocsin.node.store.batch import Batch, Change
from tocsin.node.store.database import DamagedError, Database
from tocsin.node.store.records import Records, TakenRecords
from tocsin.node.store.recordtable import RecordRow
from tocsin.node.store.rows import Row, row_of, tombstone_row
from tocsin.node.store.statistics import JournalStatistics

MAX_BATCH_ROWS: Final = 2048
MAX_BATCH_BYTES: Final = 8 << 20
MAX_WAITING_BYTES: Final = 32 << 20
"""Bytes of own changes that wait for the writer; a caller beyond that waits too."""
FACTS_INTERVAL: Final = 0.05
"""Least seconds between the end of a transaction and the beginning of one that holds facts only: under load
they share one, a single fact is written at once. Own changes never wait, and take along what facts there
are."""
APPLIED_AT_ONCE: Final = 128
"""Rows of own changes applied in memory before other work of the event loop runs."""
RETRY: Final = 1.0
"""Seconds from a failure to the next attempt to write what was merged; own changes try at once."""

T = TypeVar("T")
States = Mapping[str, ReplicatedState[Any]]


class Writer:
    """Writes entries of ``states`` and small values to the database at ``path``."""

    def __init__(self, path: Path, states: States, *, records: Records, log: Logger) -> None:
        self.path = path
        self.statistics = JournalStatistics()
        self.meta: dict[str, str] = {}
        self.records = records
        self._states = states
        self._log = log
        self._thread = Beside("journal")
        self._database: Database | None = None
        self._unwritten_meta: dict[str, str] = {}
        self._changes: deque[Change] = deque()
        self._marked: dict[tuple[str, Hashable], Entry | EntryTombstone] = {}
        self._flushes: list[asyncio.Future[bool]] = []
        self._room = asyncio.Condition()
        self._waiting_for_room = 0
        self._busy = asyncio.Lock()  # locked while the file is written or replaced
        self._task: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._facts_from = float("-inf")  # loop time at which facts alone may be written
        self._urgent = False  # a caller waits for the facts
        self._applying = False  # what is being stored in memory is on the disk
        self._closed = False

    # -- what comes

    def mark(self, kind: str, entries: Iterable[Entry]) -> None:
        """Entries are in memory: write them, unless they come from here."""
        if not self._applying:
            self._marked.update([((kind, entry.key), entry) for entry in entries])
            self.statistics.unwritten_entries = len(self._marked)
            self._wake()

    def mark_outlived(self, kind: str, key: Hashable) -> None:
        """A version that expires later than the entry was seen, or the entry was collected: write that
        too. If nothing is kept of the key, all its versions have expired, and what is marked need not be
        written: marks would grow for as long as the disk fails."""
        found = self._kept(kind, key)
        if found is not None:
            self._marked[kind, key] = found
            self._wake()
        else:
            self._marked.pop((kind, key), None)
        self.statistics.unwritten_entries = len(self._marked)

    def _kept(self, kind: str, key: Hashable) -> Entry | EntryTombstone | None:
        state = self._states[kind]
        return state.entry_of(key) or state.tombstones.get(key)

    def remember(self, values: Mapping[str, str]) -> None:
        """Store small values by name; written with the next transaction."""
        new = {name: value for name, value in values.items() if self.meta.get(name) != value}
        if new and not self._closed:
            self.meta.update(new)
            self._unwritten_meta.update(new)
            self._wake()

    async def commit(self, kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> None:
        """Write own changes, then call ``apply``, which applies them in memory and broadcasts them.

        :class:`~tocsin.errors.StorageError`: they are not persisted, ``apply`` was not called. For a caller
        that is cancelled while waiting the outcome is unknown, but the same in memory and on disk.
        """
        until_of = self._states[kind].until_of
        rows = [row_of(kind, entry, until_of(entry.key)) for entry in entries]
        size = sum(len(row.data) + len(row.key) for row in rows)
        statistics = self.statistics
        if not self._has_room(size):
            statistics.backpressure_waits += 1
            self._waiting_for_room += 1
            try:
                async with self._room:
                    await self._room.wait_for(lambda: self._closed or self._has_room(size))
            finally:
                self._waiting_for_room -= 1
        if self._closed:
            raise ClosedError("the journal is closed")
        statistics.waiting_bytes += size
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes.append(Change(rows, size, apply, done))
        self._wake(urgent=True)
        await done

    def _has_room(self, size: int) -> bool:
        waiting = self.statistics.waiting_bytes
        return not waiting or waiting + size <= MAX_WAITING_BYTES

    async def flush(self, *, urgent: bool = True) -> bool:
        """Wait until everything that is in memory now is on disk; False when writing fails.

        Not ``urgent``: with the next transaction, which is soon in any case.
        """
        if self._closed:
            return False
        if not (self._marked or self._unwritten_meta or self.records or self._task is not None):
            return True
        if self._task is None and self._retry is not None:
            return False
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._flushes.append(done)
        self._urgent = self._urgent or urgent
        self._wake(urgent=urgent)
        return await done

    async def close(self) -> None:
        """Write what is waiting, if the disk works, and close. Idempotent."""
        if self._closed:
            return
        self._stop_retrying()
        if not await self.flush():  # A transaction that was under way may have failed for an earlier reason.
            self._stop_retrying()
            await self.flush()
        self._closed = True
        if self._task is not None:
            await self._task
        self._stop_retrying()
        if self._gathering is not None:
            self._gathering.cancel()
        await self._make_room()
        await self.run(self.close_database)
        self._thread.close()

    # -- transactions

    def _wake(self, *, urgent: bool = False) -> None:
        if self._task is not None or self._closed or (self._retry is not None and not urgent):
            return
        loop = asyncio.get_running_loop()
        if urgent or loop.time() >= self._facts_from:
            self._task = loop.create_task(self._write_all())
        elif self._gathering is None:
            self._gathering = loop.call_at(self._facts_from, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        if self._has_facts() or self._flushes:
            self._wake()

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            # What came in the same iteration of the event loop as the first goes into the same transaction.
            while self._changes or self._facts_due(loop.time()):
                batch = self._take()
                async with self._busy:
                    await self._write(batch)
                if not self._marked:  # Of many, as a join brings them, the next ones follow at once.
                    self._facts_from = loop.time() + FACTS_INTERVAL
                await self._make_room()
        finally:
            self._task = None
        if self._has_facts() or self._flushes:
            self._wake()

    async def _make_room(self) -> None:
        if self._waiting_for_room:
            async with self._room:
                self._room.notify_all()

    def _has_facts(self) -> bool:
        return bool(self._marked or self._unwritten_meta)

    def _facts_due(self, now: float) -> bool:
        if self._flushes and self._urgent:
            return True
        return self._retry is None and now >= self._facts_from and bool(self._flushes or self._has_facts())

    def _take(self) -> Batch:
        """The next transaction: own changes first, and without facts while those could not be written."""
        batch = Batch()
        rows = size = 0
        while self._changes and (not rows or (rows < MAX_BATCH_ROWS and size < MAX_BATCH_BYTES)):
            change = self._changes.popleft()
            batch.changes.append(change)
            rows += len(change.rows)
            size += change.size
        if batch.changes and self._retry is not None:
            return batch
        batch.meta, self._unwritten_meta = self._unwritten_meta, {}
        batch.records = self.records.take(every=bool(self._flushes))
        marked = self._marked
        for key in list(islice(marked, MAX_BATCH_ROWS)):
            if rows and (rows >= MAX_BATCH_ROWS or size >= MAX_BATCH_BYTES):
                break
            entry = batch.marked[key] = marked.pop(key)
            rows += 1
            size += 0 if isinstance(entry, EntryTombstone) else len(entry.encoded)
        if not marked:
            batch.flushes, self._flushes = self._flushes, []
            self._urgent = False
        return batch

    async def _write(self, batch: Batch) -> None:
        began = perf_counter()
        try:
            try:
                await self._commit(batch)
            except StorageError:
                if not (batch.changes and (batch.marked or batch.meta or batch.records)):
                    raise
                self._put_back(batch)
                _settle(batch.flushes, False)
                batch.flushes = []
                await self._commit(batch)
        except StorageError as error:
            self._failed(batch, error)
        except Exception as error:  # a bug of ours: no caller may wait for ever
            self._log.error("writing the journal failed", err=repr(error))
            self._failed(batch, StorageError(repr(error)))
        else:
            await self._apply_rest(batch)
        self.statistics.commit_seconds += perf_counter() - began
        self.statistics.unwritten_entries = len(self._marked)

    async def _commit(self, batch: Batch) -> None:
        def written(_: None) -> None:
            self._written(batch)

        try:
            await self.use(_write_batch, batch, self._states, then=written)
        except DamagedError as error:
            await self.rebuild(str(error))
            await self.use(_write_batch, batch, self._states, then=written)

    def _written(self, batch: Batch) -> None:
        """It is on the disk. Called as soon as the event loop hears of that: callers wait."""
        self.statistics.commits += 1
        self.statistics.rows_written += len(batch)
        if self.statistics.failing:
            self.statistics.failing = 0
            self._log.info("the journal can be written again")
        self._stop_retrying()
        self.records.written(batch.records)
        for step in islice(batch.steps(APPLIED_AT_ONCE), 1):
            self._apply(step)

    async def _apply_rest(self, batch: Batch) -> None:
        for step in islice(batch.steps(APPLIED_AT_ONCE), 1, None):
            await asyncio.sleep(0)
            self._apply(step)
        _settle(batch.flushes, True)

    def _apply(self, changes: Sequence[Change]) -> None:
        self._applying = True
        try:
            for change in changes:
                self.statistics.waiting_bytes -= change.size
                try:
                    change.apply()
                except Exception as error:
                    if not change.done.done():
                        change.done.set_exception(error)
                else:
                    if not change.done.done():
                        change.done.set_result(None)
        finally:
            self._applying = False

    def _failed(self, batch: Batch, error: StorageError) -> None:
        statistics = self.statistics
        statistics.commits_failed += 1
        if not statistics.failing:
            statistics.failing = 1
            self._log.error(
                "the journal cannot be written: silences cannot be changed until it can",
                path=str(self.path),
                err=str(error),
            )
        for change in batch.changes:
            statistics.waiting_bytes -= change.size
            statistics.changes_refused += 1
            if not change.done.done():
                change.done.set_exception(StorageError(f"the change cannot be written to disk: {error}"))
        self._put_back(batch)
        _settle(batch.flushes, False)
        flushes, self._flushes = self._flushes, []
        self._urgent = False
        _settle(flushes, False)
        self._retry_later()

    def _put_back(self, batch: Batch) -> None:
        """Later versions, marked meanwhile, stay. All is written when the retry comes."""
        kept = {place: entry for place, entry in batch.marked.items() if self._kept(*place) is not None}
        self._marked = kept | self._marked
        self._unwritten_meta = {**batch.meta, **self._unwritten_meta}
        batch.marked, batch.meta = {}, {}
        self.records.put_back(batch.records)
        batch.records = TakenRecords()

    def _stop_retrying(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _retry_later(self) -> None:
        if self._retry is None and not self._closed:
            self._retry = asyncio.get_running_loop().call_later(RETRY, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        if self._has_facts():
            self._wake()

    # -- the file

    async def rebuild(self, problem: str) -> None:
        """Set the damaged file aside, and write a new one from memory, which has everything."""
        rows = []
        for kind, state in self._states.items():
            for number, entry in enumerate(state):
                if number % 512 == 511:
                    await asyncio.sleep(0)
                rows.append(row_of(kind, entry, state.until_of(entry.key)))
            rows += [tombstone_row(kind, key, each) for key, each in state.tombstones.items()]
        await self.replace(rows, dict(self.meta), problem)

    async def maintain(self, method: Callable[..., T], *arguments: object) -> T:
        """Call a method of the database beside the transactions; a damaged file is replaced first."""
        async with self._busy:
            try:
                return await self.use(method, *arguments)
            except DamagedError as error:
                await self.rebuild(str(error))
                return await self.use(method, *arguments)

    async def replace(self, rows: Sequence[Row], meta: Mapping[str, str], problem: str) -> None:
        """Set the file aside, and replace it by one with ``rows``."""

        def replace() -> tuple[Path | None, list[RecordRow]]:
            self.close_database()
            records = damage.saved_records(self.path)
            return damage.rebuild(self.path, rows, meta, records), records

        def replaced(found: tuple[Path | None, list[RecordRow]]) -> None:
            aside, records = found
            self.records.rebuilt(records)
            self.statistics.rebuilds += 1
            self._log.error(
                "the journal is damaged: it was set aside, what could be saved was, "
                "the rest comes from peers",
                path=str(self.path),
                set_aside=str(aside) if aside is not None else "",
                entries_saved=len(rows),
                err=problem,
            )

        await self._thread.run(replace, replaced)  # Who waits may go away meanwhile.

    async def use(
        self, method: Callable[..., T], *arguments: object, then: Callable[[T], object] | None = None
    ) -> T:
        """Call a method of the database, opened anew after a failure: its state is not known then. ``then``
        as of :meth:`Beside.run`."""

        def use() -> T:
            try:
                return method(self._database or self.open_database(), *arguments)
            except StorageError:
                self.close_database()
                raise

        return await self._thread.run(use, then)

    def open_database(self) -> Database:
        """Open the file. On the writer's thread only, as :meth:`close_database`."""
        self._database = Database(self.path)
        return self._database

    def close_database(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    async def measure(self) -> None:
        """Bring the sizes in the statistics up to date."""
        self.statistics.database_bytes, self.statistics.log_bytes = await self.use(Database.sizes)

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function on the writer's thread."""
        return await self._thread.run(partial(function, *arguments))


def _write_batch(database: Database, batch: Batch, states: States) -> None:
    """Called on the writer's thread, as making the rows of thousands of entries takes long."""
    batch.records.make_rows()
    database.write(list(batch.rows(states)), batch.meta, batch.records.rows, batch.records.gone)


def _settle(futures: Sequence[asyncio.Future[bool]], result: bool) -> None:
    for future in futures:
        if not future.done():
            future.set_result(result)
