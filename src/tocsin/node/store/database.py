"""The journal's file: an SQLite database that is synced at each commit. All calls from one thread.

Tables: ``entries`` (one row for each silence and notification log entry, see ``rows``), ``meta`` (what the
node must know of itself after a restart) and ``records`` (decision records, see ``recordtable``). An entry's
row is only ever replaced by a version that the merge in memory would choose too, so the order in which
versions are written does not matter. It stays until every version of it that was ever seen has expired:
otherwise an older version that expires later could come back from a peer.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tocsin.errors import ConfigError, StorageError
from tocsin.node.store import recordtable
from tocsin.node.store.private import make_private
from tocsin.node.store.recordtable import RecordRow
from tocsin.node.store.rows import Row, checksum, meta_checksum, wins_tie

FORMAT: Final = 3
"""``PRAGMA user_version`` of the tables below. Format 1 had no checksums, format 2 none in ``meta``."""
NO_FORMAT: Final = 1000
"""Formats from here on count as damage, not as a later version."""
SLICE_ROWS: Final = 256
DELETE_ROWS: Final = 512
WAL_BYTES: Final = 4 << 20
"""The write-ahead log is truncated to this size when it restarts."""
MAX_TOMBSTONES: Final = 500_000
"""Tombstones that are kept; beyond that the oldest are forgotten, as in memory."""
VACUUM_PAGES: Final = 2048
"""Free pages given back in one maintenance."""

_TABLES: Final = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key BLOB NOT NULL, stamp BLOB NOT NULL,
    expires INTEGER NOT NULL, data BLOB NOT NULL, checksum INTEGER, UNIQUE (kind, key)
);
CREATE INDEX entries_expire ON entries (expires);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER);
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
META_COLUMNS: Final = "name, value, checksum"
_BROUGHT_UP: Final = {
    1: "ALTER TABLE entries ADD COLUMN checksum INTEGER; ALTER TABLE meta ADD COLUMN checksum INTEGER;",
    2: "ALTER TABLE meta ADD COLUMN checksum INTEGER;",
}
"""Statements that upgrade an older format. Existing rows have no checksum until they change."""
_TABLES_ARE: Final = {
    "entries": [
        ("id", "INTEGER", 0, 1),
        ("kind", "TEXT", 1, 0),
        ("key", "BLOB", 1, 0),
        ("stamp", "BLOB", 1, 0),
        ("expires", "INTEGER", 1, 0),
        ("data", "BLOB", 1, 0),
        ("checksum", "INTEGER", 0, 0),
    ],
    "records": recordtable.COLUMNS_ARE,
    "meta": [("name", "TEXT", 0, 1), ("value", "TEXT", 1, 0), ("checksum", "INTEGER", 0, 0)],
}
"""Name, type, NOT NULL and position in the primary key, as SQLite has read the tables' text."""
_ROW_TYPES: Final = (str, bytes, bytes, int, bytes)
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""SQLite's codes for damage. SQLITE_ERROR: a statement of ours does not fit the tables."""


FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)
"""The errors of SQLite calls; UnicodeDecodeError if the message quotes a damaged schema that is not text."""


class DamagedError(StorageError):
    """The file is damaged: set it aside."""


def translate(error: sqlite3.Error | UnicodeDecodeError) -> StorageError:
    """The error for one of SQLite: damage, or a failing disk."""
    if isinstance(error, UnicodeDecodeError):
        return DamagedError("the schema is not text")
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _DAMAGED:
        return DamagedError(str(error))
    return StorageError(str(error))


class Database:
    """The open file."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or creates it. :class:`DamagedError` when it is damaged,
        :class:`~tocsin.errors.ConfigError` when a later version of Tocsin wrote it,
        :class:`~tocsin.errors.StorageError` when the disk fails.
        """
        self.path = path
        _check_header(path)
        try:
            make_private(path)  # SQLite gives its other files the mode of this one
        except OSError as error:
            raise StorageError(error.strerror or str(error)) from None
        try:
            self._connection = _connect(str(path))
        except FAILURES as error:
            raise translate(error) from None
        try:
            self._set_up()
            self._inode = path.stat().st_ino
        except FAILURES as error:
            self._connection.close()
            raise translate(error) from None
        except OSError as error:
            self._connection.close()
            raise StorageError(error.strerror or str(error)) from None
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self) -> None:
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            if (
                error.sqlite_errorcode == sqlite3.SQLITE_ERROR
            ):  # no such table, no such column, unknown format
                raise DamagedError(f"not a journal: {error}") from None
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        self._connection.create_function("wins_tie", 3, wins_tie, deterministic=True)
        self._connection.create_function("checksum", 5, checksum, deterministic=True)
        found = int(execute("PRAGMA user_version").fetchone()[0])
        if not 0 <= found < NO_FORMAT:
            raise DamagedError(f"not a journal: no version of Tocsin has format {found}")
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
        if found in _BROUGHT_UP:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {_BROUGHT_UP[found]} PRAGMA user_version = {FORMAT}; COMMIT;"
            )
        execute("CREATE INDEX IF NOT EXISTS entries_tombstones ON entries (id) WHERE data = x''")
        execute(recordtable.TABLE)
        for table, columns in _TABLES_ARE.items():
            there = [(*row[1:4], row[5]) for row in execute(f"PRAGMA table_info({table})")]
            if there != columns:  # With a damaged schema text, rows could be lost from then on.
                raise DamagedError(f"not a journal: the table {table} is another one")
        if execute("SELECT count(*) FROM sqlite_master WHERE type NOT IN ('table', 'index')").fetchone()[0]:
            raise DamagedError("not a journal: it holds more than tables")
        execute(f"EXPLAIN {_UPSERT}", ("", b"", b"", 0, b"", 0)).fetchall()

    def check(self) -> None:
        """Check every page and index; :class:`DamagedError` when something is wrong."""
        try:
            [problem] = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
        except FAILURES as error:
            raise translate(error) from None
        if problem != "ok":
            raise DamagedError(str(problem))

    # -- writing

    def write(
        self,
        rows: Iterable[Row],
        meta: Mapping[str, str],
        records: Sequence[RecordRow] = (),
        gone: Sequence[int] = (),
    ) -> None:
        """All of it in one transaction, on the disk when this returns; else :class:`StorageError`."""
        self._check_place()
        connection = self._connection
        values = [(*row, checksum(*row)) for row in rows]
        try:
            if len(values) == 1 and not (meta or records or gone):
                connection.execute(_UPSERT, values[0])  # a statement outside of a transaction is one
                return
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_UPSERT, values)
            if meta:
                connection.executemany(
                    f"INSERT OR REPLACE INTO meta ({META_COLUMNS}) VALUES (?, ?, ?)",  # noqa: S608
                    [(*pair, meta_checksum(*pair)) for pair in meta.items()],
                )
            recordtable.insert_records(connection, records, gone)
            connection.execute("COMMIT")
        except FAILURES as error:
            with suppress(*FAILURES):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise translate(error) from None

    def delete_expired(self, second: int) -> int:
        """Delete some of the rows that expired at ``second`` (Unix epoch) or before; how many.

        Less than ``DELETE_ROWS``: there are no more. A few at a time, so that other work runs between.
        """
        self._check_place()
        try:
            return self._connection.execute(
                # The condition is checked on the row too: by a damaged index, rows that have not expired must
                # not be deleted.
                "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE expires <= ?1 LIMIT ?2) "
                "AND +expires <= ?1",
                (second, DELETE_ROWS),
            ).rowcount
        except FAILURES as error:
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
        except FAILURES as error:
            raise translate(error) from None

    def checkpoint(self) -> None:
        """Vacuum free pages incrementally, and checkpoint the write-ahead log."""
        try:
            # As a script: it is stepped page by page, and execute() steps once where no rows are expected.
            self._connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except FAILURES as error:
            raise translate(error) from None

    def _check_place(self) -> None:
        """Raise if the file was moved or removed: writes would go on, and be lost at a restart."""
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
        """The table ``meta``; :class:`DamagedError` where it is not what was written."""
        return read_meta(self._connection)

    def record_places(self) -> list[tuple[int, int, int]]:
        """Number, time and size of each decision record, numbers rising."""
        try:
            return recordtable.select_places(self._connection)
        except FAILURES as error:
            raise translate(error) from None

    def records(self, before: int | None, limit: int) -> list[tuple[int, RecordRow | None]]:
        """Decision records, newest first, by number; None for a damaged one."""
        try:
            return recordtable.select_records(self._connection, before, limit)
        except FAILURES as error:
            raise translate(error) from None

    def sizes(self) -> tuple[int, int]:
        """Bytes of the database and of its write-ahead log."""
        return tuple(size_of(Path(f"{self.path}{suffix}")) for suffix in ("", "-wal"))  # type: ignore[return-value]

    def close(self) -> None:
        """Close; what was committed is safe whether this is called or not."""
        with suppress(*FAILURES):
            self._connection.close()


def _check_header(path: Path) -> None:
    """Refuse a damaged header that SQLite would take for a later version's: it would read the file, and never
    write it again.

    Byte 18 of an SQLite file says who may write it: 1 (rollback journal) or 2 (write-ahead log).
    Must be called before SQLite opens the file: closing a file releases all locks that the process has on it.
    """
    try:
        with path.open("rb") as file:
            header = file.read(19)
    except OSError:
        return  # not there yet; else SQLite says why it cannot be read
    if len(header) == 19 and header[18] not in (1, 2):
        raise DamagedError("not a journal: its header says that nobody may write it")


def read_slices(connection: sqlite3.Connection, rows: int = SLICE_ROWS) -> Iterator[list[Row]]:
    """See :meth:`Database.slices`."""
    columns = columns_of(connection, "entries", COLUMNS)
    last = -(1 << 63)
    while True:
        try:
            found = connection.execute(
                f"SELECT id, {columns} FROM entries WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
                (last, rows),
            ).fetchall()
        except FAILURES as error:
            raise translate(error) from None
        if not found:
            return
        for number, *_ in found:
            if (
                not isinstance(number, int) or number <= last
            ):  # or pages that form a cycle would be read for ever
                raise DamagedError(f"the row {number} comes after the row {last}")
            last = number
        read = [checked_row(*columns) for _, *columns in found]
        if None in read:
            raise DamagedError(f"the row {found[read.index(None)][0]} is not what was written")
        yield [row for row in read if row is not None]


def columns_of(connection: sqlite3.Connection, table: str, columns: str) -> str:
    """``columns`` as they are in this file, whatever its format."""
    try:
        connection.execute(f"SELECT checksum FROM {table} LIMIT 0")  # noqa: S608
    except sqlite3.OperationalError:
        return columns.replace("checksum", "NULL")
    except FAILURES as error:
        raise translate(error) from None
    return columns


def checked_row(*columns: object) -> Row | None:
    """The row of these COLUMNS, or None if it is damaged."""
    if tuple(map(type, columns[:5])) != _ROW_TYPES:
        return None
    *row, found = columns
    if found is None or (type(found) is int and found == checksum(*row)):  # type: ignore[arg-type]
        return Row(*row)  # type: ignore[arg-type]
    return None


def checked_meta(*columns: object) -> tuple[str, str] | None:
    """The name and value of these META_COLUMNS, or None if they are damaged."""
    match columns:
        case str(name), str(value), int() | None as found:
            return (name, value) if found is None or found == meta_checksum(name, value) else None
        case _:
            return None


def read_meta(connection: sqlite3.Connection, *, saving: bool = False) -> dict[str, str]:
    """See :meth:`Database.meta`. ``saving``: what is not as it was written is left out."""
    read: dict[str, str] = {}
    columns = columns_of(connection, "meta", META_COLUMNS)
    try:
        for found in connection.execute(f"SELECT {columns} FROM meta"):  # noqa: S608
            pair = checked_meta(*found)
            if pair is not None:
                read[pair[0]] = pair[1]
            elif not saving:
                raise DamagedError("a row of meta is not what was written")
    except FAILURES as error:
        if not saving:
            raise translate(error) from None
    return read


def open_reading(path: Path) -> sqlite3.Connection:
    """For reading only, beside a running node or after a crash. Raises FAILURES.

    Without a write-ahead log nobody writes, and SQLite need not be allowed to make its files beside it.
    """
    quiet = not Path(f"{path}-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if quiet else ''}"
    return _connect(uri)


def _connect(place: str) -> sqlite3.Connection:
    connection = sqlite3.connect(place, uri=place.startswith("file:"), isolation_level=None, timeout=5.0)
    # Damaged text must not end the whole read: the row's checksum reveals it.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    return connection


def sync_folder(folder: Path) -> None:
    """fsync a folder: without it a crash could undo files created or renamed in it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
