"""The journal's table of decision records. Versions of Tocsin that do not know it leave it alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple
from zlib import crc32

from tocsin.alerting.timestamp import Nanoseconds

TABLE: Final = """
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, data BLOB NOT NULL, checksum INTEGER NOT NULL
)
"""
COLUMNS_ARE: Final = [
    ("number", "INTEGER", 0, 1),
    ("at", "INTEGER", 1, 0),
    ("data", "BLOB", 1, 0),
    ("checksum", "INTEGER", 1, 0),
]
INSERT: Final = "INSERT OR REPLACE INTO records (number, at, data, checksum) VALUES (?, ?, ?, ?)"
DELETE: Final = "DELETE FROM records WHERE number = ?"
LATEST_NUMBER: Final = (1 << 63) - 1
"""The largest integer of SQLite."""


class RecordRow(NamedTuple):
    """One row of the table ``records``."""

    number: int
    at: Nanoseconds
    data: bytes


def record_checksum(row: RecordRow) -> int:
    """CRC-32 of a row: see :func:`tocsin.node.store.rows.checksum`."""
    return crc32(row.data, crc32(f"{row.number} {row.at} ".encode()))


def checked_record(*columns: object) -> RecordRow | None:
    """The row of these columns (number, time, data, checksum), or None if it is damaged."""
    match columns:
        case int(number), int(at), bytes(data), int(found):
            row = RecordRow(number, at, data)
            return row if found == record_checksum(row) else None
        case _:
            return None


def select_places(connection: sqlite3.Connection) -> list[tuple[int, Nanoseconds, int]]:
    """Number, time and size of each record, numbers rising. Raises what SQLite raises."""
    found = connection.execute("SELECT number, at, length(data) FROM records ORDER BY number")
    return [
        (number, at if isinstance(at, int) else 0, size if isinstance(size, int) else 0)
        for number, at, size in found
    ]


def select_records(
    connection: sqlite3.Connection, before: int | None, limit: int
) -> list[tuple[int, RecordRow | None]]:
    """Records before a number, newest first; None for a damaged one. Raises what SQLite raises."""
    found = connection.execute(
        "SELECT number, at, data, checksum FROM records WHERE number < ? ORDER BY number DESC LIMIT ?",
        (LATEST_NUMBER if before is None else before, limit),
    )
    return [(columns[0], checked_record(*columns)) for columns in found]


def insert_records(connection: sqlite3.Connection, rows: Sequence[RecordRow], gone: Sequence[int]) -> None:
    """Write ``rows``, then delete ``gone``: a record may be in both."""
    if rows:
        connection.executemany(INSERT, [(*row, record_checksum(row)) for row in rows])
    if gone:
        connection.executemany(DELETE, [(number,) for number in gone])
