"""The storage folder: the journal, which keeps every change, and Alertmanager's snapshot files.

The snapshot files are merged at every start and written at every maintenance and clean stop, so that the
folder can go back and forth between Tocsin and Alertmanager with nothing lost. Merging is idempotent: what
the journal holds already changes nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

from tocsin.alerting.entries import Entry
from tocsin.alerting.record.ring import Bounds
from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.errors import ClosedError, ConfigError, StorageError
from tocsin.node.log import Logger
from tocsin.node.store import damage, snapshot
from tocsin.node.store.journal import Journal, JournalStatistics
from tocsin.node.store.private import open_private
from tocsin.node.store.records import OFF, All, Records, Wanted
from tocsin.node.store.retention import RetentionClock

if TYPE_CHECKING:
    from tocsin.alerting.record.model import FlushRecord

JOURNAL: Final = "journal.db"
LOCK: Final = "lock"
_FLAG: Final = "--storage.path"
_CLOCK: Final = "clock"
"""The name under which the time of the last clean-up is stored."""

_PRIVATE: Final = 0o700

T = TypeVar("T")


def _make_private(directory: Path) -> None:
    """Create the folder with mode 0700: silences hold names and incidents. An existing folder keeps its mode,
    which may be intended; our files in it are private in any case."""
    try:
        directory.mkdir(mode=_PRIVATE, exist_ok=True)
    except FileNotFoundError:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=_PRIVATE, exist_ok=True)


class Store:
    """The folder of one node. ``states`` by their keys in gossip (``sil``, ``nfl``)."""

    def __init__(
        self,
        directory: Path,
        states: Mapping[str, ReplicatedState[Any]],
        *,
        records: Bounds = OFF,
        log: Logger | None = None,
    ) -> None:
        """Creates the folder if needed; :class:`ConfigError` when it cannot be used. ``records``: bounds of
        the decision record."""
        self.records = Records(records)
        self._directory = directory
        self._states = states
        self._log = log or Logger("tocsin.store", component="store")
        try:
            _make_private(directory)
            probe = directory / f".writable.{secrets.token_hex(8)}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigError(
                _FLAG,
                f"{directory} cannot be written to: {error.strerror or error}",
                "give a folder that this user may write to",
            ) from None
        self.retention_clock = RetentionClock()
        self._journal: Journal | None = None
        self._lock: IO[bytes] | None = None
        # One thread, so that of two snapshots the later one stays.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="snapshot")
        self._closed = False

    # -- start and stop

    async def open(self, now: Nanoseconds) -> None:
        """Load the journal, merge the snapshot files, and write what was new in them to the journal.

        :class:`ConfigError` when the folder is in use, a file cannot be read, or a later version wrote it.
        """
        self._lock = self._take_lock()
        await asyncio.to_thread(snapshot.remove_unfinished, self._directory)
        path = self._directory / JOURNAL
        self._journal = journal = Journal(path, self._states, log=self._log, records=self.records)
        try:
            await journal.open(now)
        except StorageError as error:
            raise ConfigError(
                str(path), f"cannot be opened: {error}", "free space on the disk, and make it writable"
            ) from None
        for kind in self._states:
            await self._load_snapshot(kind, now)
        self.retention_clock = RetentionClock(self._known(journal, now))
        if not await journal.flush():
            self._log.error("what the snapshots brought is not in the journal yet", path=str(path))

    def _known(self, journal: Journal, now: Nanoseconds) -> Nanoseconds:
        """The last time known to a previous run. A first run trusts its clock, as there is nothing to
        lose."""
        known = journal.meta.get(_CLOCK, "")
        if known.isascii() and known.isdecimal():
            return int(known)
        return 0 if any(map(len, self._states.values())) else now

    def _take_lock(self) -> IO[bytes]:
        """Lock the folder: two nodes on it would have one name, and undo each other's clean-up."""
        path = self._directory / LOCK
        try:
            lock = open_private(path, os.O_WRONLY | os.O_APPEND, "ab")
        except OSError as error:
            raise ConfigError(str(path), f"cannot be opened: {error.strerror or error}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise ConfigError(
                _FLAG, f"{self._directory} is in use by another node", "give each node its own folder"
            ) from None
        return lock

    async def _load_snapshot(self, kind: str, now: Nanoseconds) -> None:
        path = self._directory / snapshot.FILES[kind]
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from None
        loaded = snapshot.Loaded()
        for _ in snapshot.load(self._states[kind], data, now, loaded):
            await asyncio.sleep(0)
        if loaded.refused_count:
            self._log.warn(
                "entries of the snapshot refused",
                file=path.name,
                count=loaded.refused_count,
                reason=loaded.refused[0],
            )
        if loaded.damage:
            aside = await asyncio.to_thread(damage.set_aside, path)
            self._log.error(
                "a snapshot is damaged: it was set aside, what could be read was kept",
                file=str(path),
                set_aside=str(aside),
                entries_read=loaded.taken + loaded.unchanged,
                err=loaded.damage,
            )

    async def close(self) -> None:
        """Wait for what is being written. Idempotent."""
        self._closed = True
        if self._journal is not None:
            await self._journal.close()
        await asyncio.to_thread(self._thread.shutdown)
        if self._lock is not None:
            self._lock.close()

    # -- changes

    async def commit(self, kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> None:
        """Write own changes to the journal, then call ``apply``: see :meth:`Journal.commit`."""
        await self._opened.commit(kind, entries, apply)

    async def flush(self, *, urgent: bool = True) -> bool:
        """Wait until everything that is in memory now is on disk; False when writing fails."""
        return await self._opened.flush(urgent=urgent)

    @property
    def meta(self) -> Mapping[str, str]:
        """The values of :meth:`remember`, those of previous runs included."""
        return self._opened.meta

    def remember(self, values: Mapping[str, str]) -> None:
        """Store small values by name."""
        self._opened.remember(values)

    def read_records(
        self, wanted: Wanted | None = None, before: int | None = None
    ) -> AsyncIterator[list[tuple[int, FlushRecord]]]:
        """The decision records: see :meth:`Journal.read_records`. Not ``wanted``: all of them."""
        return self._opened.read_records(wanted or All(), before)

    @property
    def statistics(self) -> JournalStatistics | None:
        """The journal's, once it is open."""
        return self._journal.statistics if self._journal is not None else None

    # -- maintenance

    async def save(self, kind: str) -> int:
        """Write the snapshot file of one kind; its size. :class:`StorageError` when that fails.

        The old file then stays. :class:`~tocsin.errors.ClosedError` after :meth:`close`.
        """
        if self._closed:
            raise ClosedError("the store is closed")
        path = self._directory / snapshot.FILES[kind]
        slices = self._states[kind].encode_slices()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, snapshot.write, path, slices)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror or error}") from None
        return len(slices)

    async def maintain(self, now: Nanoseconds) -> None:
        """Clean the journal up: see :meth:`Journal.maintain`. Call it after the snapshots have been written:
        entries in old snapshots would come back at the next start."""
        if now > 0:
            self.remember({_CLOCK: str(now)})
        await self._opened.maintain(now)

    @property
    def _opened(self) -> Journal:
        if self._closed or self._journal is None:
            raise ClosedError("the store is closed")
        return self._journal
