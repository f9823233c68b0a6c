"""The one writer of the journal: gathers what comes at the same time into one transaction.

While a transaction is being synced, what comes gathers for the next one, so that a thousand changes at once
cost a few syncs. Two kinds of changes come:

* *own* changes wait for their commit and are made in memory only then; when the disk fails, they fail;
* *facts*, above all entries merged from peers, are in memory already: they are marked here, and written as
  soon as the disk lets us.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

from tocsin.alerting.replicated import Entry, ReplicatedState, Tombstone
from tocsin.errors import ClosedError, StorageError
from tocsin.node.log import Logger
from tocsin.node.store import damage
from tocsin.node.store.database import DamagedError, Database
from tocsin.node.store.rows import Row, row_of, tombstone_row

MAX_BATCH_ROWS: Final = 4096
MAX_BATCH_BYTES: Final = 8 << 20
MAX_WAITING_BYTES: Final = 32 << 20
"""Own changes that wait for the writer; whoever brings more waits too."""
RETRY: Final = 1.0
"""Seconds from a failure to the next attempt to write what was merged; own changes try at once."""

T = TypeVar("T")
States = Mapping[str, ReplicatedState[Any]]


@dataclass(slots=True)
class JournalStatistics:
    """For the metrics."""

    commits: int = 0
    commits_failed: int = 0
    commit_seconds: float = 0.0
    rows_written: int = 0
    rows_deleted: int = 0
    rows_unreadable: int = 0
    """Rows found at start that do not decode."""
    entries_refused: int = 0
    """Rows found at start that decode but must not be stored, or are past a bound."""
    changes_refused: int = 0
    """Own changes that were refused because the disk failed."""
    backpressure_waits: int = 0
    """Own changes that had to wait for room."""
    rebuilds: int = 0
    """Times that a damaged database was set aside."""
    failing: int = 0
    """1 while the disk does not take what we write."""
    waiting_bytes: int = 0
    unwritten_entries: int = 0
    """Merged entries that are not on the disk yet."""
    database_bytes: int = 0
    log_bytes: int = 0


GAUGES: Final = ("failing", "waiting_bytes", "unwritten_entries", "database_bytes", "log_bytes")


@dataclass(frozen=True, slots=True)
class _Change:
    rows: Sequence[Row]
    size: int
    apply: Callable[[], None]
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Batch:
    changes: list[_Change] = field(default_factory=list)
    marked: dict[tuple[str, Hashable], Entry | Tombstone] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    flushes: list[asyncio.Future[bool]] = field(default_factory=list)

    def rows(self, states: States) -> Iterator[Row]:
        for (kind, key), found in self.marked.items():
            if isinstance(found, Tombstone):
                yield tombstone_row(kind, key, found)
            else:
                yield row_of(kind, found, states[kind].until_of(key))
        for change in self.changes:
            yield from change.rows


class Writer:
    """Writes entries of ``states`` and small values to the database at ``path``."""

    def __init__(self, path: Path, states: States, *, log: Logger) -> None:
        self.path = path
        self.statistics = JournalStatistics()
        self.meta: dict[str, str] = {}
        self._states = states
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._database: Database | None = None
        self._unwritten_meta: dict[str, str] = {}
        self._changes: deque[_Change] = deque()
        self._marked: dict[tuple[str, Hashable], Entry | Tombstone] = {}
        self._flushes: list[asyncio.Future[bool]] = []
        self._room = asyncio.Condition()
        self._busy = asyncio.Lock()  # held while the file is written or replaced
        self._task: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._applying = False  # what is being stored in memory is on the disk
        self._closed = False

    # -- what comes

    def mark(self, kind: str, entry: Entry) -> None:
        """An entry is in memory: write it, unless it comes from here."""
        if not self._applying:
            self._marked[kind, entry.key] = entry
            self.statistics.unwritten_entries = len(self._marked)
            self._wake()

    def mark_outlived(self, kind: str, key: Hashable) -> None:
        """A version that lives longer than the entry was met, or the entry was collected: write that too."""
        state = self._states[kind]
        found = state.entry_of(key) or state.tombstones.get(key)
        if found is not None:
            self._marked[kind, key] = found
            self.statistics.unwritten_entries = len(self._marked)
            self._wake()

    def remember(self, values: Mapping[str, str]) -> None:
        """Keep small values by name; written with the next transaction."""
        new = {name: value for name, value in values.items() if self.meta.get(name) != value}
        if new and not self._closed:
            self.meta.update(new)
            self._unwritten_meta.update(new)
            self._wake()

    async def commit(self, kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> None:
        """Keep own changes, then call ``apply``, which makes them in memory and tells others.

        :class:`~tocsin.errors.StorageError`: they are not kept, ``apply`` was not called. Whoever is
        cancelled while waiting does not know; the change is then made or not, in memory and on disk alike.
        """
        until_of = self._states[kind].until_of
        rows = [row_of(kind, entry, until_of(entry.key)) for entry in entries]
        size = sum(len(row.data) + len(row.key) for row in rows)
        statistics = self.statistics
        if statistics.waiting_bytes and statistics.waiting_bytes + size > MAX_WAITING_BYTES:
            statistics.backpressure_waits += 1
        async with self._room:
            await self._room.wait_for(
                lambda: (
                    self._closed
                    or not statistics.waiting_bytes
                    or statistics.waiting_bytes + size <= MAX_WAITING_BYTES
                )
            )
            if self._closed:
                raise ClosedError("the journal is closed")
            statistics.waiting_bytes += size
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes.append(_Change(rows, size, apply, done))
        self._wake(urgent=True)
        await done

    async def flush(self) -> bool:
        """Wait until what is in memory now is on the disk; False when the disk does not take it."""
        if self._closed:
            return False
        if not (self._marked or self._unwritten_meta or self._task is not None):
            return True
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._flushes.append(done)
        self._wake()
        if self._task is None:  # waiting to try again
            self._flushes.remove(done)
            return False
        return await done

    async def close(self) -> None:
        """Write what is waiting, if the disk takes it, and close. Idempotent."""
        if self._closed:
            return
        for _ in range(2):  # an attempt that was under way may fail: then one more
            if self._retry is not None:
                self._retry.cancel()
                self._retry = None
            if await self.flush():
                break
        self._closed = True
        if self._task is not None:
            await self._task
        if self._retry is not None:
            self._retry.cancel()
        async with self._room:
            self._room.notify_all()
        await self.run(self.close_database)
        await asyncio.to_thread(self._thread.shutdown)

    # -- transactions

    def _wake(self, *, urgent: bool = False) -> None:
        if self._task is None and not self._closed and (urgent or self._retry is None):
            self._task = asyncio.get_running_loop().create_task(self._write_all())

    async def _write_all(self) -> None:
        try:
            # A turn for others, who may have changes too: they go into the same transaction.
            await asyncio.sleep(0)
            while self._changes or self._flushes or (self._retry is None and self._has_facts()):
                batch = self._take()
                async with self._busy:
                    await self._write(batch)
                async with self._room:
                    self._room.notify_all()
        finally:
            self._task = None

    def _has_facts(self) -> bool:
        return bool(self._marked or self._unwritten_meta)

    def _take(self) -> _Batch:
        """What goes into the next transaction: own changes first; alone while facts could not be written."""
        batch = _Batch()
        rows = size = 0
        while self._changes and (not rows or (rows < MAX_BATCH_ROWS and size < MAX_BATCH_BYTES)):
            change = self._changes.popleft()
            batch.changes.append(change)
            rows += len(change.rows)
            size += change.size
        if batch.changes and self._retry is not None:
            return batch
        batch.meta, self._unwritten_meta = self._unwritten_meta, {}
        marked = self._marked
        while marked and (not rows or (rows < MAX_BATCH_ROWS and size < MAX_BATCH_BYTES)):
            key = next(iter(marked))
            entry = batch.marked[key] = marked.pop(key)
            rows += 1
            size += 0 if isinstance(entry, Tombstone) else len(entry.encoded)
        if not marked:
            batch.flushes, self._flushes = self._flushes, []
        return batch

    async def _write(self, batch: _Batch) -> None:
        began = perf_counter()
        try:
            try:
                await self._commit(batch)
            except StorageError:
                if not (batch.changes and (batch.marked or batch.meta)):
                    raise
                self._put_back(batch)
                _settle(batch.flushes, False)
                batch.flushes = []
                await self._commit(batch)
        except StorageError as error:
            self._failed(batch, error)
        except Exception as error:  # a bug of ours: nobody may wait for ever
            self._log.error("writing the journal failed", err=repr(error))
            self._failed(batch, StorageError(repr(error)))
        else:
            self._written(batch)
        self.statistics.commit_seconds += perf_counter() - began
        self.statistics.unwritten_entries = len(self._marked)

    async def _commit(self, batch: _Batch) -> None:
        rows = list(batch.rows(self._states))
        try:
            await self.use(Database.write, rows, batch.meta)
        except DamagedError as error:
            await self.rebuild(str(error))
            await self.use(Database.write, rows, batch.meta)
        self.statistics.commits += 1
        self.statistics.rows_written += len(rows)

    def _written(self, batch: _Batch) -> None:
        if self.statistics.failing:
            self.statistics.failing = 0
            self._log.info("the journal can be written again")
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._applying = True
        try:
            for change in batch.changes:
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
        _settle(batch.flushes, True)

    def _failed(self, batch: _Batch, error: StorageError) -> None:
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
                change.done.set_exception(StorageError(f"the change cannot be kept on disk: {error}"))
        self._put_back(batch)
        _settle(batch.flushes, False)
        flushes, self._flushes = self._flushes, []
        _settle(flushes, False)
        self._retry_later()

    def _put_back(self, batch: _Batch) -> None:
        """Later versions, marked meanwhile, stay. All is written when the retry comes."""
        self._marked = {**batch.marked, **self._marked}
        self._unwritten_meta = {**batch.meta, **self._unwritten_meta}
        batch.marked, batch.meta = {}, {}

    def _retry_later(self) -> None:
        if self._retry is None and not self._closed:
            self._retry = asyncio.get_running_loop().call_later(RETRY, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        if self._has_facts():
            self._wake()

    # -- the file

    async def rebuild(self, problem: str) -> None:
        """All that is kept is in memory too: write it anew, and set the damaged file aside."""
        rows = []
        for kind, state in self._states.items():
            for number, entry in enumerate(state):
                if number % 512 == 511:
                    await asyncio.sleep(0)
                rows.append(row_of(kind, entry, state.until_of(entry.key)))
            rows += [tombstone_row(kind, key, each) for key, each in state.tombstones.items()]
        await self.replace(rows, dict(self.meta), problem)

    async def care(self, method: Callable[..., T], *arguments: object) -> T:
        """Call a method of the database beside the transactions; a damaged file is replaced first."""
        async with self._busy:
            try:
                return await self.use(method, *arguments)
            except DamagedError as error:
                await self.rebuild(str(error))
                return await self.use(method, *arguments)

    async def replace(self, rows: Sequence[Row], meta: Mapping[str, str], problem: str) -> None:
        """Set the file aside, put one with ``rows`` in its place."""

        def replace() -> Path | None:
            self.close_database()
            return damage.rebuild(self.path, rows, meta)

        aside = await self.run(replace)
        self.statistics.rebuilds += 1
        self._log.error(
            "the journal is damaged: it was set aside, what could be saved was, the rest comes from peers",
            path=str(self.path),
            set_aside=str(aside) if aside is not None else "",
            entries_saved=len(rows),
            err=problem,
        )

    async def use(self, method: Callable[..., T], *arguments: object) -> T:
        """Call a method of the database, opened anew after a failure: its state is not known then."""

        def use() -> T:
            try:
                return method(self._database or self.open_database(), *arguments)
            except StorageError:
                self.close_database()
                raise

        return await self.run(use)

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
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _settle(futures: Sequence[asyncio.Future[bool]], result: bool) -> None:
    for future in futures:
        if not future.done():
            future.set_result(result)
