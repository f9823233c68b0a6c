"""Repairs a damaged database: readable rows are saved, and the file is set aside for inspection.

The new database is made whole beside the old one before the names are changed, so that a crash at any point
loses nothing: ``journal.db.new`` is unfinished and thrown away, ``journal.db.mended`` is whole and put in
place at the next start.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import StorageError
from tocsin.node.store.database import (
    COLUMNS,
    FAILURES,
    Database,
    checked_row,
    columns_of,
    open_reading,
    read_meta,
    size_of,
    sync_folder,
)
from tocsin.node.store.private import make_private
from tocsin.node.store.recordtable import RecordRow, select_records
from tocsin.node.store.rows import Row

KEPT: Final = 4
"""Damaged files that are kept; beyond that the oldest are removed, as they would fill the disk."""
_SINGLE_ROWS: Final = 100_000
"""Rows that are tried one by one between two readable ones."""
_RECORD_SLICE: Final = 256
_PAGE: Final = 4096
_HEADER_BYTES: Final = 100
_HEADER: Final = {0: b"SQLite format 3\0\x10\0\2\2\0\x40\x20\x20", 44: b"\0\0\0\4", 56: b"\0\0\0\1"}
"""The bytes that are equal in every journal, by offset: magic, page size, write-ahead log, fractions, schema
format, UTF-8. Source: the SQLite file format, 1.3."""
_SUFFIXES: Final = ("", "-wal", "-shm")


@dataclass(slots=True)
class Salvaged:
    """The rows that could be read."""

    rows: dict[int, Row] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)


def salvage(path: Path) -> Salvaged:
    """The readable rows; if those are not all, also with a repaired header."""
    found = Salvaged()
    if not _read(path, found):
        copy = path.with_name(f"{path.name}.salvage")
        try:
            if _repair_header(path, copy):
                rows = found.rows
                _read(copy, found)
                found.rows = {**rows, **found.rows}
        except OSError:
            pass  # no room for a copy
        finally:
            with suppress(OSError):
                _remove(copy)
    return found


def _repair_header(path: Path, copy: Path) -> bool:
    """Make a copy with the header that SQLite has given the file; False if it has it."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    repaired = bytearray(header.ljust(_HEADER_BYTES, b"\0"))
    for place, content in _HEADER.items():
        repaired[place : place + len(content)] = content
    pages = int.from_bytes(header[28:32], "big")
    if repaired == header and pages * _PAGE == size_of(path):
        return False
    # Where these differ SQLite uses the size of the file, not the number of pages in the header.
    repaired[92:96] = bytes(byte ^ 1 for byte in repaired[24:28])
    make_private(copy)
    shutil.copyfile(path, copy)
    with suppress(FileNotFoundError):
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")
    with copy.open("r+b") as file:
        file.write(repaired)
    return True


def _read(path: Path, found: Salvaged) -> bool:
    """Read row by row what can be read, from the front, from the back, and one by one in between.

    Whether all could be read.
    """
    try:
        connection = open_reading(path)
    except FAILURES:
        return False
    with closing(connection):
        with suppress(StorageError):
            found.meta |= read_meta(connection, saving=True)
        rows = found.rows = {}
        room = sum(size_of(Path(f"{path}{suffix}")) for suffix in _SUFFIXES)
        try:
            columns = columns_of(connection, "entries", COLUMNS)
        except StorageError:
            return False
        if _read_run(connection, columns, "ASC", rows, room):
            return True
        front = max(rows, default=None)
        _read_run(connection, columns, "DESC", rows, room)
        behind = [number for number in rows if front is None or number > front]
        last = min(behind, default=None)
        start = front + 1 if front is not None else 1
        stop = last if last is not None else start + _SINGLE_ROWS
        for number in range(start, min(stop, start + _SINGLE_ROWS)):
            with suppress(*FAILURES):
                asked = f"SELECT {columns} FROM entries WHERE id = ?"  # noqa: S608
                for row in connection.execute(asked, (number,)):
                    room -= _keep(rows, number, row)
            if room < 0:
                break
    return False


def _read_run(
    connection: sqlite3.Connection, columns: str, direction: str, rows: dict[int, Row], room: int
) -> bool:
    """Rows in one direction until something cannot be read; whether all could.

    A damaged page can lead back to one that was read, and many rows can lead to the same bytes: so the run
    ends where it goes back, or has brought more bytes than the files have.
    """
    last: int | None = None
    try:
        for number, *row in connection.execute(f"SELECT id, {columns} FROM entries ORDER BY id {direction}"):  # noqa: S608
            if (
                not isinstance(number, int)
                or number in rows
                or (last is not None and (number < last) == (direction == "ASC"))
                or room < 0
            ):
                return False
            last = number
            room -= _keep(rows, number, row)
    except FAILURES:
        return False
    return True


def _keep(rows: dict[int, Row], number: int, columns: Iterable[object]) -> int:
    """Add a row if its checksum is right; returns the bytes it takes."""
    row = checked_row(*columns)
    if row is None:
        return 0
    rows[number] = row
    return len(row.key) + len(row.data)


def saved_records(path: Path) -> list[RecordRow]:
    """The newest decision records, as far as they can be read; numbers rising."""
    found: list[RecordRow] = []
    before: int | None = None
    try:
        with closing(open_reading(path)) as connection:
            while rows := select_records(connection, before, _RECORD_SLICE):
                if before is not None and rows[0][0] >= before:  # pages that form a cycle
                    break
                before = rows[-1][0]
                found += [row for _, row in rows if row is not None]
    except FAILURES:
        pass
    return found[::-1]


def rebuild(
    path: Path, rows: Iterable[Row], meta: Mapping[str, str], records: Sequence[RecordRow] = ()
) -> Path | None:
    """Replace the damaged database by a new one with ``rows``; returns where the damaged one is now.

    :class:`StorageError` when the disk fails; the damaged file is then where it was.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        _remove(new)
        database = Database(new)
        try:
            database.write(rows, meta, records)
            database.checkpoint()
        finally:
            database.close()
        _remove_beside(new)
        new.rename(_repaired(path))
        sync_folder(path.parent)
        return finish(path)
    except OSError as error:
        raise StorageError(error.strerror or str(error)) from None


def finish(path: Path) -> Path | None:
    """Install a rebuilt database, if a crash left one; returns where the damaged one is now."""
    repaired = _repaired(path)
    if not repaired.exists():
        return None
    aside = set_aside(path)
    repaired.rename(path)
    sync_folder(path.parent)
    return aside


def set_aside(path: Path) -> Path | None:
    """Rename a file (and, for a database, those beside it) with the time as suffix; its new name."""
    when = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    aside = path.with_name(f"{path.name}.damaged-{when}")
    moved = False
    # The log before the database: without its database SQLite would take it for a leftover and remove it.
    for suffix in reversed(_SUFFIXES):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")  # noqa: PTH105
            moved = True
    sync_folder(path.parent)
    _forget_oldest(path)
    return aside if moved else None


def _forget_oldest(path: Path) -> None:
    kept = sorted(
        found
        for found in path.parent.glob(f"{path.name}.damaged-*")
        if not found.name.endswith(("-wal", "-shm"))
    )
    for old in kept[:-KEPT]:
        _remove(old)


def _repaired(path: Path) -> Path:
    return path.with_name(f"{path.name}.mended")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _remove_beside(path)


def _remove_beside(path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
