"""The journal's file: an SQLite database that is synced at each commit. All calls from one thread.

Tables: ``entries`` (one row for each silence and notification log entry, see ``rows``) and ``meta`` (what the
node must know of itself after a restart). A row is only ever replaced by a version that the merge in memory
would choose too, so the order in which versions are written does not matter. It stays for as long as any
version of it that was ever met: or an older version that lives longer could come back from somewhere.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from tocsin.errors import ConfigError, StorageError
from tocsin.node.store.rows import Row, checksum, wins_tie

FORMAT: Final = 2
"""``PRAGMA user_version`` of the tables below. Format 1 had no checksums."""
SLICE_ROWS: Final = 256
DELETE_ROWS: Final = 512
WAL_BYTES: Final = 4 << 20
"""The write-ahead log is cut to this size when it starts anew."""
MAX_TOMBSTONES: Final = 500_000
"""Of more the oldest are forgotten, as in memory."""
VACUUM_PAGES: Final = 2048
"""Free pages given back in one maintenance."""

_TABLES: Final = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key BLOB NOT NULL, stamp BLOB NOT NULL,
    expires INTEGER NOT NULL, data BLOB NOT NULL, checksum INTEGER, UNIQUE (kind, key)
);
CREATE INDEX entries_expire ON entries (expires);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_WINS: Final = """
(excluded.stamp > entries.stamp
 OR (excluded.stamp = entries.stamp AND excluded.data <> entries.data
     AND wins_tie(excluded.kind, excluded.data, entries.data)))
"""
_STAMP: Final = "max(excluded.stamp, entries.stamp)"
_EXPIRES: Final = "max(excluded.expires, entries.expires)"
_DATA: Final = f"CASE WHEN {_WINS} THEN excluded.data ELSE entries.data END"
_UPSERT: Final = f"""
INSERT INTO entries (kind, key, stamp, expires, data, checksum) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET
    stamp = {_STAMP}, expires = {_EXPIRES}, data = {_DATA},
    checksum = checksum(excluded.kind, excluded.key, {_STAMP}, {_EXPIRES}, {_DATA})
WHERE {_WINS} OR excluded.expires > entries.expires
"""  # noqa: S608
COLUMNS: Final = "kind, key, stamp, expires, data, checksum"
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class DamagedError(StorageError):
    """The file is not what we wrote: set it aside."""


def translate(error: sqlite3.Error) -> StorageError:
    """What an error of SQLite means: damage, or a disk that does not do what it should."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _DAMAGED:
        return DamagedError(str(error))
    return StorageError(str(error))


class Database:
    """The open file."""

    def __init__(self, path: Path) -> None:
        """Opens it; makes it if it is not there.

        :class:`DamagedError` when it is damaged, :class:`~tocsin.errors.ConfigError` when a later version of
        Tocsin wrote it, :class:`~tocsin.errors.StorageError` when the disk does not let us.
        """
        self.path = path
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        except sqlite3.Error as error:
            raise translate(error) from None
        try:
            self._set_up()
            self._inode = path.stat().st_ino
        except sqlite3.Error as error:
            self._connection.close()
            raise translate(error) from None
        except OSError as error:
            self._connection.close()
            raise StorageError(error.strerror or str(error)) from None
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self) -> None:
        execute = self._connection.execute
        self._connection.create_function("wins_tie", 3, wins_tie, deterministic=True)
        self._connection.create_function("checksum", 5, checksum, deterministic=True)
        found = int(execute("PRAGMA user_version").fetchone()[0])
        if found > FORMAT:
            raise ConfigError(
                str(self.path),
                f"has format {found}, this version knows {FORMAT}",
                "run the version of Tocsin that wrote it; export the state with its tocsinctl",
            )
        new = found == 0 and execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if new:
            execute("PRAGMA auto_vacuum = INCREMENTAL")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        if new:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {FORMAT}; COMMIT;"
            )
            sync_folder(self.path.parent)
        try:
            if found == 1:
                self._connection.executescript(
                    "BEGIN IMMEDIATE; ALTER TABLE entries ADD COLUMN checksum INTEGER; "
                    f"PRAGMA user_version = {FORMAT}; COMMIT;"
                )
            execute("CREATE INDEX IF NOT EXISTS entries_tombstones ON entries (id) WHERE data = x''")
            execute(f"SELECT {COLUMNS} FROM entries LIMIT 1").fetchone()  # noqa: S608
            execute("SELECT name, value FROM meta LIMIT 1").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # no such table, no such column
                raise DamagedError(f"not a journal: {error}") from None
            raise

    def check(self) -> None:
        """Look at every page and index; :class:`DamagedError` when something is wrong."""
        try:
            [problem] = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.Error as error:
            raise translate(error) from None
        if problem != "ok":
            raise DamagedError(str(problem))

    # -- writing

    def write(self, rows: Iterable[Row], meta: Mapping[str, str]) -> None:
        """All of it in one transaction, on the disk when this returns; else :class:`StorageError`."""
        self._check_place()
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_UPSERT, [(*row, checksum(*row)) for row in rows])
            if meta:
                connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise translate(error) from None

    def delete_expired(self, second: int) -> int:
        """Delete some of the rows that expired at ``second`` (Unix epoch) or before; how many.

        Less than ``DELETE_ROWS``: there are no more. A few at a time, so that others get their turn.
        """
        self._check_place()
        try:
            return self._connection.execute(
                # The row itself is asked too: a damaged index must not have the living deleted.
                "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE expires <= ?1 LIMIT ?2) "
                "AND +expires <= ?1",
                (second, DELETE_ROWS),
            ).rowcount
        except sqlite3.Error as error:
            raise translate(error) from None

    def forget_tombstones(self) -> int:
        """Delete some of the oldest tombstones that are too many; how many, as :meth:`delete_expired`."""
        try:
            [count] = self._connection.execute(
                "SELECT count(*) FROM entries INDEXED BY entries_tombstones WHERE data = x''"
            ).fetchone()
            return self._connection.execute(
                "DELETE FROM entries WHERE id IN (SELECT id FROM entries INDEXED BY entries_tombstones "
                "WHERE data = x'' ORDER BY id LIMIT ?)",
                (max(0, min(count - MAX_TOMBSTONES, DELETE_ROWS)),),
            ).rowcount
        except sqlite3.Error as error:
            raise translate(error) from None

    def tidy(self) -> None:
        """Give back what is free, and move the write-ahead log into the database."""
        try:
            # As a script: it is stepped page by page, and execute() steps once where no rows are expected.
            self._connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise translate(error) from None

    def _check_place(self) -> None:
        """A file that was moved away goes on being written, and what was kept there is lost to a restart."""
        try:
            if self.path.stat().st_ino == self._inode:
                return
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StorageError(error.strerror or str(error)) from None
        raise DamagedError("the file was moved or removed")

    # -- reading

    def slices(self, rows: int = SLICE_ROWS) -> Iterator[list[Row]]:
        """All rows, some at a time; :class:`DamagedError` where it cannot be read."""
        yield from read_slices(self._connection, rows)

    def meta(self) -> dict[str, str]:
        """The table ``meta``."""
        return read_meta(self._connection)

    def sizes(self) -> tuple[int, int]:
        """Bytes of the database and of its write-ahead log."""
        return tuple(_size(Path(f"{self.path}{suffix}")) for suffix in ("", "-wal"))  # type: ignore[return-value]

    def close(self) -> None:
        """Close; what was committed is safe whether this is called or not."""
        with suppress(sqlite3.Error):
            self._connection.close()


def read_slices(connection: sqlite3.Connection, rows: int = SLICE_ROWS) -> Iterator[list[Row]]:
    """See :meth:`Database.slices`."""
    columns = columns_of(connection)
    last = -(1 << 63)
    while True:
        try:
            found = connection.execute(
                f"SELECT id, {columns} FROM entries WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
                (last, rows),
            ).fetchall()
        except sqlite3.Error as error:
            raise translate(error) from None
        if not found:
            return
        last = found[-1][0]
        read = [checked_row(*columns) for _, *columns in found]
        if None in read:
            raise DamagedError(f"the row {found[read.index(None)][0]} is not what was written")
        yield [row for row in read if row is not None]


def columns_of(connection: sqlite3.Connection) -> str:
    """COLUMNS, whatever the format of the file."""
    try:
        connection.execute("SELECT checksum FROM entries LIMIT 0")
    except sqlite3.OperationalError:
        return COLUMNS.replace("checksum", "NULL")
    except sqlite3.Error as error:
        raise translate(error) from None
    return COLUMNS


def checked_row(*columns: object) -> Row | None:
    """The row of these COLUMNS, or None if it is not what we wrote."""
    match columns:
        case str(kind), bytes(key), bytes(stamp), int(expires), bytes(data), int() | None as found:
            row = Row(kind, key, stamp, expires, data)
            return row if found is None or found == checksum(*row) else None
        case _:
            return None


def read_meta(connection: sqlite3.Connection) -> dict[str, str]:
    """See :meth:`Database.meta`."""
    try:
        return {str(name): str(value) for name, value in connection.execute("SELECT name, value FROM meta")}
    except sqlite3.Error as error:
        raise translate(error) from None


def open_reading(path: Path) -> sqlite3.Connection:
    """For reading only, beside a running node or after a crash. Raises :class:`sqlite3.Error`.

    Without a write-ahead log nobody writes, and SQLite need not be allowed to make its files beside it.
    """
    quiet = not Path(f"{path}-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if quiet else ''}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5.0)


def sync_folder(folder: Path) -> None:
    """Without it a crash could undo what was made or renamed in ``folder``."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
