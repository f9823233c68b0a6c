"""The folder: Alertmanager's files beside the journal, merged at each start, whole or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.stores import HOUR, NOW, Disk, silence
from tests.support.vectors import vectors
from tocsin.errors import ConfigError, StorageError
from tocsin.node.store.export import Exported, export, read
from tocsin.node.store.retention import TOLERANCE, RetentionClock


def live(folder: Path, story: Callable[[Disk], Awaitable[None]] | None = None) -> Disk:
    async def run() -> Disk:
        disk = Disk(folder)
        try:
            await disk.open()
            if story is not None:
                await story(disk)
        finally:
            await disk.store.close()
        return disk

    return asyncio.run(run())


async def fill(disk: Disk) -> None:
    await disk.changes.set(silence("A"))
    await disk.changes.set(silence("B"))
    disk.notified("group")


async def save(disk: Disk) -> None:
    await fill(disk)
    for kind in ("sil", "nfl"):
        assert (
            await disk.store.save(kind)
            == (disk.folder / {"sil": "silences", "nfl": "nflog"}[kind]).stat().st_size
        )


def forget_journal(folder: Path) -> None:
    for path in folder.glob("journal.db*"):
        path.unlink()


def test_a_folder_is_made_on_demand_and_starts_empty(tmp_path: Path) -> None:
    assert live(tmp_path / "made" / "on demand").held() == {}


def test_a_path_that_cannot_be_used_names_the_flag(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"--storage.path: .* cannot be written to: Not a directory"):
        Disk(tmp_path / "file" / "data")


def test_the_snapshots_alone_bring_all_back(tmp_path: Path) -> None:
    first = live(tmp_path, save)
    forget_journal(tmp_path)
    second = live(tmp_path)
    assert (second.held(), second.groups()) == (first.held(), {b"group"})
    for name in ("silences", "nflog"):
        (tmp_path / name).unlink()
    third = live(tmp_path)  # and are in the journal since
    assert (third.held(), third.groups()) == (first.held(), {b"group"})


def test_an_old_snapshot_takes_nothing_back(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        await save(disk)
        for identifier in disk.held():
            await disk.changes.expire(identifier)

    first = live(tmp_path, story)
    assert live(tmp_path).held() == first.held()


def test_a_damaged_snapshot_is_set_aside_and_the_rest_of_it_kept(tmp_path: Path) -> None:
    live(tmp_path, save)
    forget_journal(tmp_path)
    path = tmp_path / "silences"
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    assert len(live(tmp_path).silences) == 1
    assert not path.exists()
    [aside] = tmp_path.glob("silences.damaged-*")
    assert aside.read_bytes() == content[:-3]


def test_a_folder_in_place_of_the_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "nflog").mkdir()
    with pytest.raises(ConfigError, match="nflog: cannot be read: Is a directory"):
        live(tmp_path)


def test_a_snapshot_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        (disk.folder / "nflog").mkdir()
        with pytest.raises(StorageError, match="nflog cannot be written"):
            await disk.store.save("nfl")

    live(tmp_path, story)
    assert not list(tmp_path.glob("nflog.*"))


def test_what_a_crash_left_of_a_snapshot_is_removed(tmp_path: Path) -> None:
    for name in ("nflog.625323cb77a71394", "silences.7fa1", "silences.bak", "nflog.damaged-1"):
        (tmp_path / name).write_bytes(b"")
    live(tmp_path)
    assert {path.name for path in tmp_path.glob("*.*")} - {"journal.db"} == {
        "silences.bak",
        "nflog.damaged-1",
    }


@pytest.mark.parametrize("name", ["disk-025/silences", "disk-028/silences", "disk-033/silences"])
def test_snapshots_of_the_real_alertmanager_load(tmp_path: Path, name: str) -> None:
    [data] = [vector.data for vector in vectors() if vector.case == name]
    (tmp_path / "silences").write_bytes(data)
    disk = live(tmp_path)
    assert len(disk.silences) > 0
    (tmp_path / "silences").unlink()
    assert live(tmp_path).held() == disk.held()


@pytest.mark.parametrize("name", ["disk-025/nflog", "disk-028/nflog", "disk-033/nflog"])
def test_notification_logs_of_the_real_alertmanager_load(tmp_path: Path, name: str) -> None:
    [data] = [vector.data for vector in vectors() if vector.case == name]
    (tmp_path / "nflog").write_bytes(data)
    disk = live(tmp_path)
    assert len(disk.notification_log) > 0
    (tmp_path / "nflog").unlink()
    assert live(tmp_path).groups() == disk.groups()


def test_export_reads_a_folder_of_a_running_node_and_of_a_stopped_one(tmp_path: Path) -> None:
    source, target = tmp_path / "data", tmp_path / "exported"

    async def story(disk: Disk) -> None:
        await fill(disk)
        await disk.store.flush()
        exported = await asyncio.to_thread(export, source, target, NOW)
        assert (exported.entries, exported.problems) == ({"silences": 2, "nflog": 1}, [])

    first = live(source, story)
    running = {name: (target / name).read_bytes() for name in ("silences", "nflog")}
    export(source, target, NOW)
    assert {name: (target / name).read_bytes() for name in ("silences", "nflog")} == running
    again = live(target)
    assert (again.held(), again.groups()) == (first.held(), first.groups())


def test_export_says_what_it_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no state"):
        export(tmp_path, tmp_path / "exported", NOW)
    live(tmp_path, fill)
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    connection.execute("UPDATE entries SET data = x'05ffffffff', checksum = NULL WHERE id = 1")
    connection.close()
    exported = Exported()
    assert len(read(tmp_path, NOW, exported)["sil"]) == 1
    assert len(exported.problems) == 1


def test_a_clock_that_jumps_ahead_throws_nothing_away_at_once() -> None:
    clock = RetentionClock(known=NOW - HOUR)
    assert clock.read(NOW, 0) == NOW
    assert clock.read(NOW + HOUR, HOUR) == NOW + HOUR
    assert clock.read(NOW + 9000 * HOUR, 2 * HOUR) == NOW + 2 * HOUR  # a jump
    assert clock.read(NOW + 3 * HOUR, 3 * HOUR) == NOW + 3 * HOUR  # and back
    assert clock.read(NOW + 9000 * HOUR, 4 * HOUR) == NOW + 4 * HOUR
    assert clock.read(NOW + 9001 * HOUR, 5 * HOUR) == NOW + 9001 * HOUR  # it stays: believed
    assert clock.read(NOW, 6 * HOUR) == NOW
    assert TOLERANCE >= HOUR


def test_a_clock_that_is_wrong_from_the_start_throws_nothing_away_at_once() -> None:
    ahead = NOW + 9000 * HOUR
    assert RetentionClock().read(NOW, 0) == 0  # the first life knows of no time before it
    clock = RetentionClock(known=NOW)
    assert clock.read(ahead, 0) == NOW
    assert clock.read(ahead + HOUR, HOUR) == ahead + HOUR  # it was away for long, and the clock is right
    clock = RetentionClock(known=ahead)
    assert clock.read(NOW, 0) == NOW


@pytest.mark.parametrize("journal", [True, False], ids=["journal", "files of Alertmanager"])
def test_the_first_life_believes_its_clock_unless_something_is_there_to_lose(
    tmp_path: Path, journal: bool
) -> None:
    async def first(disk: Disk) -> None:
        await save(disk)
        assert disk.store.retention_clock.read(NOW + 1, 0) == NOW + 1
        assert disk.store.retention_clock.read(NOW + 9000 * HOUR, 1) == NOW + 2  # but no jump

    async def next_(disk: Disk) -> None:
        assert disk.store.retention_clock.read(NOW, 0) == 0

    live(tmp_path, first)  # ends before its first maintenance: no time is kept
    if not journal:
        forget_journal(tmp_path)
    live(tmp_path, next_)


def test_the_time_is_known_to_the_next_life(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        assert disk.store.retention_clock.read(NOW + 1, 1) == NOW + 1
        await disk.store.maintain(NOW + 1)

    async def later(disk: Disk) -> None:
        assert disk.store.retention_clock.read(NOW + 9000 * HOUR, 0) == NOW + 1

    live(tmp_path, story)
    live(tmp_path, later)
