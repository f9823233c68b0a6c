"""Folders that earlier versions have written, and what they would find in one of today's.

``tests/vectors/storage`` has a journal of 0.1.0 and one in the first format, before 0.1.0 was done, each
written by a daemon of that version: a silence that a user made, and a notification that a receiver took.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.support.stores import Disk, silence
from tocsin.alerting.timestamp import SECOND

WRITTEN = Path(__file__).parents[3] / "vectors/storage"
BEFORE, AFTER = b"kept over an upgrade", b"made after it"
THEN = 1_796_040_900 * SECOND
"""Shortly after they were written: 2026-11-30."""


def schema(journal: Path) -> dict[str, str]:
    """What makes the tables that hold the state, by name."""
    connection = sqlite3.connect(journal)
    try:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    finally:
        connection.close()
    return {name: " ".join(sql.split()) for name, sql in rows} | {"format": str(found)}


async def opened(folder: Path) -> Disk:
    disk = Disk(folder)
    disk.time = THEN
    return await disk.open()


@pytest.mark.parametrize("version", ["0.1.0", "format-1"])
def test_what_an_earlier_version_kept_is_there_and_changes_as_any_other(version: str, tmp_path: Path) -> None:
    shutil.copy(WRITTEN / version / "journal.db", tmp_path)

    async def story() -> None:
        for round_ in range(2):
            disk = await opened(tmp_path)
            try:
                kept = [text in b"".join(disk.held().values()) for text in (BEFORE, AFTER)]
                assert kept == [True, bool(round_)]
                assert disk.groups() == {b'{}:{alertname="Told"}'}
                if not round_:
                    await disk.changes.set(silence("B", comment=AFTER.decode(), now=THEN))
            finally:
                await disk.store.close()

    asyncio.run(story())
    assert not list(tmp_path.glob("*damaged*"))


def test_0_1_0_can_go_on_with_what_this_version_keeps(tmp_path: Path) -> None:
    async def story() -> None:
        disk = await opened(tmp_path)
        await disk.changes.set(silence("A", now=THEN))
        await disk.store.close()

    asyncio.run(story())
    # It takes a file whose format it knows and whose tables are those that it would make.
    assert schema(tmp_path / "journal.db") == schema(WRITTEN / "0.1.0/journal.db")
