"""What is acknowledged is on the disk; what the disk does not take is not acknowledged."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.stores import HOUR, NOW, Disk, silence
from tests.support.transports import eventually
from tocsin.errors import ClosedError, ConfigError, StorageError
from tocsin.node.store import writer
from tocsin.node.store.database import DamagedError, Database
from tocsin.node.store.export import Exported, read
from tocsin.node.store.rows import Row

Story = Callable[[Disk], Awaitable[None]]


def live(folder: Path, story: Story) -> Disk:
    """One life of a node that ends without a goodbye to its files: only the journal is closed."""

    async def run() -> Disk:
        disk = Disk(folder)
        try:
            await disk.open()
            await story(disk)
        finally:
            await disk.store.close()
        return disk

    return asyncio.run(run())


async def nothing(disk: Disk) -> None:
    pass


LARGE = "x" * 100_000


class BadDisk:
    """While it is bad, SQLite itself fails each transaction: for want of pages, or as it may only read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
        self.bad = False
        real = Database.write

        def write(database: Database, *arguments: object) -> None:
            execute = database._connection.execute
            if fault == "full":
                execute(f"PRAGMA max_page_count = {1 if self.bad else 1 << 30}").fetchall()
            else:
                execute(f"PRAGMA query_only = {int(self.bad)}").fetchall()
            real(database, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Database, "write", write)


def test_silences_and_log_entries_survive_without_a_clean_stop(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        await disk.changes.set(silence("A"))
        identifier = await disk.changes.set(silence("B"))
        await disk.changes.expire(identifier)
        disk.notified("group")
        assert await disk.store.flush()

    first = live(tmp_path, story)
    second = live(tmp_path, nothing)
    assert second.held() == first.held() != {}
    assert second.groups() == {b"group"}
    assert not (tmp_path / "silences").exists()


def test_a_change_is_on_the_disk_when_it_is_told(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        def look(kind: str, changes: object) -> None:
            with sqlite3.connect(tmp_path / "journal.db") as other:
                kept.append([row[0] for row in other.execute("SELECT data FROM entries")])
            other.close()
            told.append(changes)

        kept: list[list[bytes]] = []
        told: list[object] = []
        disk.changes._broadcast = look
        await disk.changes.set(silence("A"))
        assert told == kept

    live(tmp_path, story)


def test_many_at_once_share_few_transactions(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        before = disk.store.statistics.commits if disk.store.statistics else 0
        await asyncio.gather(*(disk.changes.set(silence(f"A{number}")) for number in range(500)))
        assert disk.store.statistics is not None
        assert disk.store.statistics.commits - before < 20
        assert len(disk.silences) == 500

    assert len(live(tmp_path, story).told) == 500
    assert len(live(tmp_path, nothing).silences) == 500


@pytest.mark.parametrize(
    ("fault", "words"),
    [("full", "database or disk is full"), ("read-only", "attempt to write a readonly database")],
)
def test_a_disk_that_fails_refuses_changes_and_all_recovers_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    monkeypatch.setattr(writer, "RETRY", 0.01)
    bad_disk = BadDisk(monkeypatch, fault)

    async def story(disk: Disk) -> None:
        kept = await disk.changes.set(silence("A"))
        statistics = disk.store.statistics
        assert statistics is not None
        bad_disk.bad = True
        before, told = disk.held(), list(disk.told)
        with pytest.raises(StorageError, match=f"cannot be written to disk: {words}"):
            await disk.changes.set(silence("B", comment=LARGE))
        with pytest.raises(StorageError, match=words):
            await disk.changes.set(silence("A", comment=LARGE, identifier=kept))
        assert disk.held() == before
        assert disk.told == told
        assert (statistics.failing, statistics.changes_refused) == (1, 2)
        disk.notified(LARGE)
        assert not await disk.store.flush()
        assert disk.groups() == {LARGE.encode()}
        assert statistics.unwritten_entries == 1
        bad_disk.bad = False
        await eventually(lambda: not statistics.failing and not statistics.unwritten_entries)
        await disk.changes.expire(kept)

    first = live(tmp_path, story)
    second = live(tmp_path, nothing)
    assert second.held() == first.held()
    assert second.groups() == {LARGE.encode()}


def test_what_expires_while_the_disk_fails_waits_for_it_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, what was not written grew for as long as the disk was full, by all that had come and gone."""
    monkeypatch.setattr(writer, "RETRY", 0.01)
    bad_disk = BadDisk(monkeypatch, "full")

    async def story(disk: Disk) -> None:
        statistics = disk.store.statistics
        assert statistics is not None
        bad_disk.bad = True
        for life in range(3):
            for number in range(20):
                disk.notified(f"{life} {number} {LARGE}")
            assert not await disk.store.flush()
            assert statistics.unwritten_entries == 20
            disk.time += 3 * HOUR
            assert disk.notification_log.gc(disk.time) == 20
            await eventually(lambda: not statistics.unwritten_entries)
        disk.notified("the last")
        bad_disk.bad = False
        await eventually(lambda: not statistics.failing and not statistics.unwritten_entries)

    assert live(tmp_path, story).groups() == {b"the last"}
    later = live(tmp_path, nothing)
    assert later.groups() == {b"the last"}


def test_a_fact_that_does_not_fit_fails_no_other_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Database.write

    def write(database: Database, rows: list[Row], meta: dict[str, str], *more: Any) -> None:
        if any(row.kind == "nfl" for row in rows):
            raise StorageError("no room for that")
        real(database, rows, meta, *more)

    async def story(disk: Disk) -> None:
        monkeypatch.setattr(Database, "write", write)
        disk.notified("large")
        await disk.changes.set(silence("A"))
        assert not await disk.store.flush()
        monkeypatch.setattr(Database, "write", real)

    live(tmp_path, story)
    again = live(tmp_path, nothing)
    assert len(again.silences) == 1
    assert again.groups() == {b"large"}  # the close wrote it


def test_facts_under_load_share_few_transactions_and_own_changes_do_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FACTS_INTERVAL", 3600.0)

    async def story(disk: Disk) -> None:
        statistics = disk.store.statistics
        assert statistics is not None
        disk.notified("first")
        await eventually(lambda: statistics.unwritten_entries == 0)
        commits = statistics.commits
        for number in range(50):
            disk.notified(str(number))
            await asyncio.sleep(0.001)
        told = asyncio.create_task(disk.store.flush(urgent=False))
        await asyncio.sleep(0.01)
        assert (statistics.commits, statistics.unwritten_entries, told.done()) == (commits, 50, False)
        await disk.changes.set(silence("A"))  # takes the facts along
        assert await told
        assert (statistics.commits, statistics.unwritten_entries) == (commits + 1, 0)
        disk.notified("last")
        assert await disk.store.flush()
        assert statistics.commits == commits + 2
        disk.notified("at the end")

    live(tmp_path, story)
    again = live(tmp_path, nothing)
    assert len(again.groups()) == 53
    assert len(again.silences) == 1


def test_a_close_tries_again_what_failed_just_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Database.write
    failures = [StorageError("for a moment")]

    def write(database: Database, rows: list[Row], meta: dict[str, str], *more: Any) -> None:
        if failures:
            raise failures.pop()
        real(database, rows, meta, *more)

    async def story(disk: Disk) -> None:
        monkeypatch.setattr(Database, "write", write)
        disk.notified("late")  # and the store is closed at once

    live(tmp_path, story)
    assert not failures
    assert live(tmp_path, nothing).groups() == {b"late"}


def test_many_changes_at_once_are_made_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "APPLIED_AT_ONCE", 4)

    async def story(disk: Disk) -> None:
        seen: list[int] = []

        async def look() -> None:
            while len(disk.silences) < 40:
                seen.append(len(disk.silences))
                await asyncio.sleep(0)

        looking = asyncio.create_task(look())
        await asyncio.gather(*(disk.changes.set(silence(str(number))) for number in range(40)))
        await looking
        assert max(later - earlier for earlier, later in zip(seen, [*seen[1:], 40], strict=True)) <= 4
        assert len(disk.told) == 40

    live(tmp_path, story)


def test_whoever_brings_too_much_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING_BYTES", 1000)

    async def story(disk: Disk) -> None:
        await asyncio.gather(*(disk.changes.set(silence(f"A{number}")) for number in range(50)))
        assert disk.store.statistics is not None
        assert disk.store.statistics.backpressure_waits > 0
        assert disk.store.statistics.waiting_bytes == 0

    assert len(live(tmp_path, story).silences) == 50


def test_large_batches_are_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_BATCH_ROWS", 7)

    async def story(disk: Disk) -> None:
        for number in range(30):
            disk.notified(f"group {number}")
        await asyncio.gather(*(disk.changes.set(silence(f"A{number}")) for number in range(30)))
        assert await disk.store.flush()

    live(tmp_path, story)
    again = live(tmp_path, nothing)
    assert (len(again.silences), len(again.groups())) == (30, 30)


def test_what_expired_is_deleted_and_the_file_shrinks(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        await asyncio.gather(
            *(disk.changes.set(silence(f"A{number}", comment="x" * 2000)) for number in range(1500))
        )
        statistics = disk.store.statistics
        assert statistics is not None
        await disk.store.maintain(NOW)
        grown = statistics.database_bytes
        assert (statistics.rows_deleted, statistics.log_bytes) == (0, 0)
        await disk.store.maintain(NOW + 3 * HOUR)
        assert statistics.rows_deleted == 1500
        assert statistics.database_bytes < grown / 10

    live(tmp_path, story)
    assert len(live(tmp_path, nothing).silences) == 0


def test_small_values_are_remembered(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        disk.store.remember({"peer_name": "x", "peer_incarnation": "7"})

    live(tmp_path, story)

    async def again(disk: Disk) -> None:
        assert disk.store.meta == {"peer_name": "x", "peer_incarnation": "7"}

    live(tmp_path, again)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    disk = live(tmp_path, nothing)

    async def late() -> None:
        await disk.store.close()
        with pytest.raises(ClosedError):
            await disk.changes.set(silence("A"))
        with pytest.raises(ClosedError):
            await disk.store.save("sil")

    asyncio.run(late())
    assert disk.held() == {}


def test_a_folder_has_one_node(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        second = Disk(tmp_path)
        with pytest.raises(ConfigError, match=r"--storage.path: .* in use by another node"):
            await second.open()
        await second.store.close()

    live(tmp_path, story)


def test_a_journal_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    live(tmp_path, nothing)
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(ConfigError, match="has format 9, this version knows 3"):
        live(tmp_path, nothing)
    assert not list(tmp_path.glob("*.damaged-*"))


def test_the_order_of_writing_does_not_matter(tmp_path: Path) -> None:
    """A version that was overtaken in memory must not overtake on the disk."""
    database = Database(tmp_path / "journal.db")
    newer = Row("sil", b"key", b"\2", 10, b"newer")
    database.write([newer], {})
    database.write([newer._replace(stamp=b"\1", data=b"older")], {})
    assert [[row.data for row in rows] for rows in database.slices()] == [[b"newer"]]
    database.close()


def test_a_file_that_is_moved_away_is_noticed(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db")
    (tmp_path / "journal.db").rename(tmp_path / "elsewhere")
    with pytest.raises(DamagedError, match="moved or removed"):
        database.write([], {})
    database.close()


FIRST = """
ALTER TABLE entries DROP COLUMN checksum;
ALTER TABLE meta DROP COLUMN checksum;
PRAGMA user_version = 1;
"""
SECOND = "ALTER TABLE meta DROP COLUMN checksum; PRAGMA user_version = 2;"


@pytest.mark.parametrize("going_back", [FIRST, SECOND], ids=["first", "second"])
def test_a_journal_of_an_older_format_is_read_and_brought_up(tmp_path: Path, going_back: str) -> None:
    async def fill(disk: Disk) -> None:
        await disk.changes.set(silence("A"))
        await disk.changes.set(silence("B"))
        disk.store.remember({"peer_name": "stable"})

    async def more(disk: Disk) -> None:
        assert disk.store.meta["peer_name"] == "stable"
        await disk.changes.expire(next(iter(disk.held())))
        disk.store.remember({"peer_name": "other"})

    async def look(disk: Disk) -> None:
        assert disk.store.meta["peer_name"] == "other"

    first = live(tmp_path, fill)
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.executescript(going_back)
    connection.close()
    exported = Exported()
    assert len(read(tmp_path, NOW, exported)["sil"]) == 2
    assert not exported.problems
    assert live(tmp_path, nothing).held() == first.held()
    second = live(tmp_path, more)
    assert live(tmp_path, look).held() == second.held() != first.held()
    assert not list(tmp_path.glob("journal.db.damaged-*"))
    connection = sqlite3.connect(tmp_path / "journal.db")
    [checked] = connection.execute("SELECT checksum FROM meta WHERE name = 'peer_name'").fetchone()
    connection.close()
    assert checked is not None, "what is written from now on has a checksum"
