"""Decision records ride along with the journal's commits, outlive a restart, and stay within their bounds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.stores import HOUR, NOW, Disk, silence
from tocsin.alerting.record.model import AlertRecord, FlushRecord
from tocsin.alerting.record.ring import Bounds
from tocsin.errors import StorageError
from tocsin.node.store import Store
from tocsin.node.store.database import Database
from tocsin.node.store.records import Records
from tocsin.node.store.recordtable import LATEST_NUMBER

BOUNDS = Bounds(entries=100, size=1 << 20, age=HOUR)


def flush(name: str, *, at: int = NOW, alerts: int = 0) -> FlushRecord:
    return FlushRecord(
        group_key=name,
        route_id="{}",
        began=at,
        next_flush=at + HOUR,
        alerts=tuple(AlertRecord(fingerprint=number) for number in range(alerts)),
    )


class Recorded(Disk):
    def __init__(self, folder: Path, bounds: Bounds = BOUNDS) -> None:
        super().__init__(folder)
        self.store = Store(
            folder, {"sil": self.silences.replicated, "nfl": self.notification_log}, records=bounds
        )
        self.changes._commit = self.store.commit

    def record(self, record: FlushRecord) -> int:
        number = self.store.records.number()
        self.store.records.put(number, record)
        return number

    async def groups_told(self) -> list[str]:
        return [record.group_key async for found in self.store.read_records() for _, record in found]

    @property
    def commits(self) -> int:
        assert self.store.statistics is not None
        return self.store.statistics.commits


def live(folder: Path, story: Callable[[Recorded], Awaitable[None]], bounds: Bounds = BOUNDS) -> Recorded:
    async def run() -> Recorded:
        disk = Recorded(folder, bounds)
        try:
            await disk.open()
            await story(disk)
        finally:
            await disk.store.close()
        return disk

    return asyncio.run(run())


def on_disk(folder: Path) -> int:
    with sqlite3.connect(folder / "journal.db") as connection:
        return int(connection.execute("SELECT count(*) FROM records").fetchone()[0])


def test_a_record_causes_no_commit_and_goes_along_with_one(tmp_path: Path) -> None:
    async def story(disk: Recorded) -> None:
        before = disk.commits
        disk.record(flush("a"))
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert (disk.commits, on_disk(tmp_path)) == (before, 0)
        assert await disk.groups_told() == ["a"], "it can be read all the same"
        await disk.changes.set(silence("A"))
        assert (disk.commits, on_disk(tmp_path)) == (before + 1, 1)
        assert await disk.groups_told() == ["a"]

    live(tmp_path, story)


def test_records_outlive_a_restart_newest_first(tmp_path: Path) -> None:
    async def first(disk: Recorded) -> None:
        for number in range(150):
            disk.record(flush(f"group {number}"))

    async def second(disk: Recorded) -> None:
        told = await disk.groups_told()
        assert told == [f"group {number}" for number in range(149, 49, -1)]
        assert disk.store.records.statistics.entries == 100
        assert disk.record(flush("new")) == 151
        assert (await disk.groups_told())[:2] == ["new", "group 149"]

    live(tmp_path, first)
    live(tmp_path, second)


def test_a_record_that_is_told_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async def story(disk: Recorded) -> None:
        number = disk.record(flush("open"))
        await disk.store.flush()
        disk.record(flush("another"))
        disk.store.records.put(number, flush("ended"))
        assert sorted(await disk.groups_told()) == ["another", "ended"]
        await disk.store.flush()
        assert await disk.groups_told() == ["another", "ended"]
        assert disk.store.records.statistics.entries == 2

    live(tmp_path, story)


def test_what_is_too_much_is_deleted_from_the_disk(tmp_path: Path) -> None:
    async def story(disk: Recorded) -> None:
        for number in range(30):
            disk.record(flush(f"group {number}"))
        await disk.store.flush()
        await disk.store.flush()
        statistics = disk.store.records.statistics
        assert (on_disk(tmp_path), statistics.entries, statistics.evicted) == (10, 10, 20)

    live(tmp_path, story, Bounds(entries=10, size=1 << 20, age=0))


def test_what_is_too_old_goes_with_maintenance(tmp_path: Path) -> None:
    async def story(disk: Recorded) -> None:
        disk.record(flush("old"))
        disk.record(flush("new", at=NOW + HOUR))
        await disk.store.flush()
        await disk.store.maintain(NOW + HOUR + 1)
        assert await disk.groups_told() == ["new"]
        assert on_disk(tmp_path) == 1

    live(tmp_path, story)


def test_a_node_may_keep_no_record(tmp_path: Path) -> None:
    async def story(disk: Recorded) -> None:
        disk.record(flush("a"))
        await disk.changes.set(silence("A"))
        assert await disk.groups_told() == []

    live(tmp_path, story, Bounds(entries=0, size=1, age=0))


@pytest.mark.parametrize(
    ("change", "unreadable", "newer"),
    [
        ("UPDATE records SET data = x'016a7b7d' WHERE number = 2", 1, 0),
        ("UPDATE records SET at = 'yesterday' WHERE number = 2", 1, 0),
        ("UPDATE records SET data = x'ff6a7b7d', checksum = CHECKSUM WHERE number = 2", 0, 1),
        ("UPDATE records SET data = x'016a5b5d', checksum = CHECKSUM WHERE number = 2", 1, 0),
    ],
)
def test_rows_that_are_no_record_are_passed_over_and_counted(
    tmp_path: Path, change: str, unreadable: int, newer: int
) -> None:
    from tocsin.node.store.recordtable import RecordRow, record_checksum

    async def first(disk: Recorded) -> None:
        for name in ("a", "b", "c"):
            disk.record(flush(name))

    async def second(disk: Recorded) -> None:
        assert await disk.groups_told() == ["c", "a"]
        statistics = disk.store.records.statistics
        assert (statistics.unreadable, statistics.newer) == (unreadable, newer)
        assert await disk.groups_told() == ["c", "a"]
        assert statistics.unreadable == unreadable, "what is damaged is counted once"
        await disk.store.flush()

    live(tmp_path, first)
    data = bytes.fromhex(change.partition("x'")[2].partition("'")[0])
    checksum = record_checksum(RecordRow(2, NOW, data))
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute(change.replace("CHECKSUM", str(checksum)))
    live(tmp_path, second)
    assert on_disk(tmp_path) == 3 - unreadable


@pytest.mark.parametrize("number", [LATEST_NUMBER, -1])
def test_a_damaged_number_costs_no_silence_and_no_record(tmp_path: Path, number: int) -> None:
    """After the highest number of the table nothing could be written any more."""

    async def first(disk: Recorded) -> None:
        disk.record(flush("a"))

    async def second(disk: Recorded) -> None:
        assert disk.store.records.statistics.unreadable == 1
        assert disk.record(flush("b")) == 2
        await disk.changes.set(silence("A"))
        assert await disk.groups_told() == ["b", "a"]

    live(tmp_path, first)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute(f"INSERT INTO records VALUES ({number}, {NOW}, x'00', 0)")
    live(tmp_path, second)
    assert on_disk(tmp_path) == 2


def test_a_disk_that_fails_loses_no_record_and_records_cost_no_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(disk: Recorded) -> None:
        real = Database.write
        failures = 0

        def write(database: Database, rows: object, meta: object, records: object, gone: object) -> None:
            nonlocal failures
            if records:
                failures += 1
                raise StorageError("no room")
            real(database, rows, meta)  # type: ignore[arg-type]

        disk.record(flush("a"))
        with monkeypatch.context() as patched:
            patched.setattr(Database, "write", write)
            await disk.changes.set(silence("A"))
        assert failures
        assert await disk.groups_told() == ["a"]
        await disk.changes.set(silence("B"))
        assert (on_disk(tmp_path), await disk.groups_told()) == (1, ["a"])

    live(tmp_path, story)


def test_records_are_saved_from_a_damaged_journal(tmp_path: Path) -> None:
    async def first(disk: Recorded) -> None:
        await disk.changes.set(silence("A"))
        for name in ("a", "b"):
            disk.record(flush(name))

    async def second(disk: Recorded) -> None:
        assert disk.store.statistics is not None
        assert disk.store.statistics.rebuilds == 1
        assert len(disk.silences) == 1
        assert await disk.groups_told() == ["b", "a"]
        assert disk.store.records.statistics.entries == 2
        assert disk.record(flush("c")) == 3

    live(tmp_path, first)
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE meta SET checksum = 1")
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('clock', '1', 1)")
    live(tmp_path, second)


def test_records_that_wait_are_bounded_by_number_and_by_alerts() -> None:
    records = Records(BOUNDS, max_waiting=3, max_waiting_alerts=10)
    for number in range(1, 6):
        records.put(number, flush(str(number)))
    assert list(records.waiting) == [3, 4, 5]
    assert records.statistics.lost == 2
    records.put(6, flush("6", alerts=8))
    records.put(7, flush("7", alerts=8))
    assert list(records.waiting) == [7]
    records.put(7, flush("7", alerts=9))
    records.put(8, flush("8", alerts=1))
    assert list(records.waiting) == [7, 8]


def test_a_flush_told_again_in_one_breath_with_newer_ones_stays() -> None:
    records = Records(BOUNDS)
    for number in (1, 2, 1):
        records.put(number, flush(str(number)))
    taken = records.take()
    taken.make_rows()
    records.written(taken)
    assert (records.statistics.entries, records.statistics.evicted) == (2, 0)


def test_a_record_that_cannot_be_made_costs_nothing_else(tmp_path: Path) -> None:
    class Broken(FlushRecord):
        def record(self) -> FlushRecord:
            raise RuntimeError("a bug")

    async def story(disk: Recorded) -> None:
        disk.record(Broken(group_key="b", route_id="{}", began=NOW, next_flush=NOW))
        disk.record(flush("a"))
        await disk.changes.set(silence("A"))
        assert await disk.groups_told() == ["a"]
        assert disk.store.records.statistics.failures == 1
        disk.record(Broken(group_key="c", route_id="{}", began=NOW, next_flush=NOW))
        assert await disk.groups_told() == ["a"]

    live(tmp_path, story)


class Interim(FlushRecord):
    """Of a flush that goes on."""

    @property
    def is_whole(self) -> bool:
        return False


def test_what_is_told_of_a_flush_that_goes_on_waits_a_moment_for_its_end() -> None:
    now = 0.0
    records = Records(BOUNDS, clock=lambda: now)
    going_on = Interim(group_key="a", route_id="{}", began=NOW, next_flush=NOW)
    records.put(1, going_on)
    records.put(2, flush("whole"))
    assert list(records.take().records) == [2]
    assert (list(records.waiting), bool(records)) == ([1], True)
    records.put(1, flush("a, ended"))
    assert list(records.take().records) == [1]
    records.put(3, going_on)
    now += 0.8
    records.put(3, going_on)  # told again: the moment counts from the first time
    now += 0.4
    taken = records.take()
    assert list(taken.records) == [3]
    records.put_back(taken)
    assert list(records.take(every=True).records) == [3]
    assert not records
