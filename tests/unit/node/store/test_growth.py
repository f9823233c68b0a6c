"""Under churn the journal does not grow past what it holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.stores import HOUR, NOW, Disk, silence
from tocsin.node.store.database import WAL_BYTES

LIVING = 50
COMMENT = "x" * 500
ROUNDS = 30


def test_rounds_of_making_and_expiring_leave_the_files_as_large_as_one(tmp_path: Path) -> None:
    sizes: list[int] = []

    async def story() -> None:
        disk = await Disk(tmp_path).open()
        statistics = disk.store.statistics
        assert statistics is not None
        for number in range(ROUNDS):
            now = disk.time = NOW + 3 * number * HOUR  # retention is an hour: the last round is over
            await asyncio.gather(
                *(disk.changes.set(silence(f"A{each}", comment=COMMENT, now=now)) for each in range(LIVING))
            )
            disk.notified("group")
            disk.silences.gc(now)
            disk.notification_log.gc(now)
            for kind in ("sil", "nfl"):
                await disk.store.save(kind)
            await disk.store.maintain(now)
            assert statistics.log_bytes == 0
            assert len(disk.silences) == LIVING
            sizes.append(statistics.database_bytes)
        assert statistics.rows_deleted >= (ROUNDS - 2) * LIVING
        await disk.store.close()

    asyncio.run(story())
    assert max(sizes) <= 2 * sizes[0], sizes
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 4 * sizes[0]


def test_between_clean_ups_the_log_is_moved_into_the_database(tmp_path: Path) -> None:
    log = tmp_path / "journal.db-wal"

    async def story() -> None:
        disk = await Disk(tmp_path).open()
        kept = await disk.changes.set(silence("A"))
        longest = 0
        for number in range(60):
            change = silence("A", comment=f"{number}" + "y" * 100_000, identifier=kept)
            assert await disk.changes.set(change) == kept
            longest = max(longest, log.stat().st_size)
        assert longest < 2 * WAL_BYTES, "60 versions of 100 kB are 6 MB and more"
        await disk.store.close()

    asyncio.run(story())
    assert (tmp_path / "journal.db").stat().st_size < WAL_BYTES
