"""A damaged journal never stops the node, and costs no more than what cannot be read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.stores import NOW, Disk, silence
from tests.support.transports import eventually
from tocsin.node.store import damage
from tocsin.node.store.database import (
    COLUMNS,
    DamagedError,
    Database,
    checked_row,
    open_reading,
    read_slices,
    sync_folder,
)
from tocsin.node.store.export import Exported, read
from tocsin.node.store.rows import Row

PAGE = 4096


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
    await asyncio.gather(
        *(disk.changes.set(silence(f"A{number}", comment="x" * 300)) for number in range(400))
    )
    disk.store.remember({"peer_name": "stable"})


def set_aside(folder: Path) -> list[Path]:
    return [path for path in folder.glob("journal.db.damaged-*") if path.suffix not in ("-wal", "-shm")]


def remove(folder: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{folder / 'journal.db'}{suffix}").unlink()


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 300, bytes(3 * PAGE)])
def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.db").write_bytes(content)
    disk = live(tmp_path, fill)
    assert len(disk.silences) == 400
    assert bool(set_aside(tmp_path)) == bool(content)  # an empty file is a new one
    assert len(live(tmp_path).silences) == 400


def test_a_database_of_somebody_else_is_set_aside(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("CREATE TABLE entries (something TEXT)")
    connection.close()
    assert len(live(tmp_path, fill).silences) == 400
    [aside] = set_aside(tmp_path)
    connection = sqlite3.connect(aside)
    assert connection.execute("SELECT count(*) FROM entries").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize(
    ("place", "bit", "saved"),
    [(18, 0, True), (47, 0, True), (60, 0, True), (60, 7, True), (62, 7, True)],
    ids=["who may write", "of SQLite", "far away", "negative", "large"],
)
def test_a_format_that_nobody_ever_wrote_is_damage(tmp_path: Path, place: int, bit: int, saved: bool) -> None:
    before = live(tmp_path, fill).held()
    path = tmp_path / "journal.db"
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    assert live(tmp_path).held() == (before if saved else {})
    assert len(set_aside(tmp_path)) == 1
    live(tmp_path)
    assert len(set_aside(tmp_path)) == 1  # once, not at each start


@pytest.mark.parametrize("name", [b"entries", b"meta", b"id INTEGER", b"CREATE TABLE", b"(kind, key)"])
def test_a_schema_that_is_no_text_is_set_aside(tmp_path: Path, name: bytes) -> None:
    """SQLite tells of it in words that hold the damaged text, which Python cannot read."""
    live(tmp_path, fill)
    path = tmp_path / "journal.db"
    content = path.read_bytes()
    path.write_bytes(content[:PAGE].replace(name, name[:1] + b"\xb0" + name[2:]) + content[PAGE:])
    read(tmp_path, NOW, Exported())
    assert len(live(tmp_path, fill).held()) == 400
    assert len(set_aside(tmp_path)) == 1
    live(tmp_path)
    assert len(set_aside(tmp_path)) == 1  # once, not at each start


@pytest.mark.parametrize("place", [0, 15, 16, 17, 19, 21, 22, 23, 28, 31, 59], ids=str)
def test_a_damaged_header_costs_nothing(tmp_path: Path, place: int) -> None:
    before = live(tmp_path, fill).held()
    path = tmp_path / "journal.db"
    content = bytearray(path.read_bytes())
    content[place] ^= 2
    path.write_bytes(content)
    assert live(tmp_path).held() == before
    assert len(set_aside(tmp_path)) <= 1
    assert not list(tmp_path.glob("*.salvage*"))
    live(tmp_path)
    assert len(set_aside(tmp_path)) <= 1  # once, not at each start


@pytest.mark.parametrize(
    ("text", "damaged"),
    [
        (b"INTEGER PRIMARY KEY", b"INTEGER PRIMARX KEY"),
        (b"UNIQUE (kind, key)", b"UNIQUE (kind, kex)"),
        (b"meta (name TEXT PRIMARY KEY", b"meta (name TEXT PRIMARX KEY"),
        (b"WHERE data = x''", b"WHERE data > x''"),
    ],
    ids=["number", "unique", "name", "index"],
)
def test_another_letter_in_the_schema_loses_nothing_from_then_on(
    tmp_path: Path, text: bytes, damaged: bytes
) -> None:
    live(tmp_path, fill)
    path = tmp_path / "journal.db"
    content = path.read_bytes()
    assert text in content[:PAGE]
    path.write_bytes(content[:PAGE].replace(text, damaged, 1) + content[PAGE:])

    async def go_on(disk: Disk) -> None:
        await fill(disk)
        disk.store.remember({"peer_address": "127.0.0.1:9094"})
        await disk.store.maintain(NOW)
        disk.store.remember({"peer_address": "127.0.0.1:9095"})

    async def look(disk: Disk) -> None:
        assert disk.store.meta["peer_address"] == "127.0.0.1:9095"

    kept = live(tmp_path, go_on).held()
    assert len(kept) == 400
    assert live(tmp_path, look).held() == kept
    assert len(set_aside(tmp_path)) == 1  # once, not at each start


@pytest.mark.parametrize("number", ["'x'", "NULL", "x'00'", "1.5"])
def test_rows_without_a_number_are_damage(tmp_path: Path, number: str) -> None:
    live(tmp_path, fill)
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    connection.executescript(
        f"ALTER TABLE entries RENAME TO numbered; CREATE TABLE entries (id, {COLUMNS}, UNIQUE (kind, key));"
        f"INSERT INTO entries SELECT {number}, {COLUMNS} FROM numbered;"
    )
    connection.close()
    read(tmp_path, NOW, Exported())
    assert len(live(tmp_path, fill).held()) == 400
    assert len(set_aside(tmp_path)) == 1
    live(tmp_path)
    assert len(set_aside(tmp_path)) == 1  # once, not at each start


@pytest.mark.parametrize("seed", range(12))
def test_around_a_corrupt_page_the_rest_is_saved(tmp_path: Path, seed: int) -> None:
    before = live(tmp_path, fill).held()
    path = tmp_path / "journal.db"
    content = bytearray(path.read_bytes())
    random = Random(seed)
    page = random.randrange(1, len(content) // PAGE)  # the first holds the header: see above
    content[page * PAGE : (page + 1) * PAGE] = random.randbytes(PAGE)
    path.write_bytes(content)
    disk = live(tmp_path)
    assert disk.held().items() <= before.items()

    async def go_on(disk: Disk) -> None:
        await disk.changes.set(silence("new"))
        for number in range(400):
            await disk.changes.set(silence(f"B{number}"))

    grown = live(tmp_path, go_on)  # a damaged index is met only by who writes
    assert live(tmp_path).held() == grown.held()
    root = page in _roots(before_content=bytes(content))
    if not root:
        assert len(disk.held()) >= 380, page


def _roots(before_content: bytes) -> set[int]:
    """Pages without which whole tables are lost are found by their kind: interior pages of a table."""
    return {
        number
        for number in range(len(before_content) // PAGE)
        if before_content[number * PAGE] not in (2, 10, 13)
    }


def test_rows_that_do_not_decode_are_passed_over(tmp_path: Path) -> None:
    before = live(tmp_path, fill).held()
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    connection.execute("UPDATE entries SET data = x'05ffffffff', checksum = NULL WHERE id IN (3, 77)")
    connection.close()
    disk = live(tmp_path)
    assert len(disk.held()) == 398
    assert disk.held().items() <= before.items()
    assert len(set_aside(tmp_path)) == 1
    assert disk.store.statistics is not None
    assert disk.store.statistics.rows_unreadable == 2
    again = live(tmp_path)
    assert again.held() == disk.held()
    assert len(set_aside(tmp_path)) == 1  # once, not at each start


@pytest.mark.parametrize("damaged", [b"Stable", b"st\xffble"], ids=["another name", "no text"])
def test_of_what_the_node_keeps_of_itself_the_damaged_is_forgotten(tmp_path: Path, damaged: bytes) -> None:
    async def remember(disk: Disk) -> None:
        await fill(disk)
        disk.store.remember({"peer_address": "127.0.0.1:9094"})

    async def look(disk: Disk) -> None:
        assert dict(disk.store.meta) == {"peer_address": "127.0.0.1:9094"}
        assert disk.store.statistics is not None
        rebuilds.append(disk.store.statistics.rebuilds)

    rebuilds: list[int] = []
    before = live(tmp_path, remember)
    path = tmp_path / "journal.db"
    content = path.read_bytes()
    assert content.count(b"stable") == 1
    path.write_bytes(content.replace(b"stable", damaged))
    assert live(tmp_path, look).held() == before.held()
    assert len(set_aside(tmp_path)) == 1
    assert live(tmp_path, look).held() == before.held()
    assert rebuilds == [1, 0], "once, not at each start"


def test_a_tombstone_with_a_stamp_that_is_no_time_is_set_aside(tmp_path: Path) -> None:
    before = live(tmp_path, fill).held()
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    connection.execute("UPDATE entries SET data = x'', stamp = zeroblob(20), checksum = NULL WHERE id = 3")
    connection.close()
    disk = live(tmp_path)
    assert len(disk.held()) == 399
    assert disk.held().items() <= before.items()
    live(tmp_path)
    assert len(set_aside(tmp_path)) == 1


def test_a_row_whose_kind_is_no_text_is_set_aside(tmp_path: Path) -> None:
    before = live(tmp_path, fill).held()
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    connection.execute("UPDATE entries SET kind = CAST(x'73ff6c' AS TEXT) WHERE id = 3")
    connection.close()
    disk = live(tmp_path)
    assert len(disk.held()) == 399
    assert disk.held().items() <= before.items()
    assert len(set_aside(tmp_path)) == 1


def test_pages_that_lead_back_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else of a few pages, each of whose many pointers leads to one below, there is no end."""
    before = live(tmp_path, fill).held()
    path = tmp_path / "journal.db"
    content = bytearray(path.read_bytes())
    [root] = [at for at in range(0, len(content), PAGE) if content[at] == 5]  # the interior page of the table
    count = int.from_bytes(content[root + 3 : root + 5], "big")
    cells = [int.from_bytes(content[root + 12 + 2 * n : root + 14 + 2 * n], "big") for n in range(count)]
    assert count > 20
    first = bytes(content[root + cells[0] : root + cells[0] + 4])
    for cell in cells[1:]:
        content[root + cell : root + cell + 4] = first
    path.write_bytes(content)
    read = 0

    def counted(*columns: object) -> Row | None:
        nonlocal read
        read += 1
        return checked_row(*columns)

    monkeypatch.setattr(damage, "checked_row", counted)
    found = damage.salvage(path)
    assert {bytes(row.data) for row in found.rows.values()} <= set(before.values())
    assert 0 < read < 100
    connection = open_reading(path)
    with pytest.raises(DamagedError, match="comes after"):
        list(read_slices(connection))
    connection.close()
    assert live(tmp_path).held().items() <= before.items()


def test_a_reader_that_goes_away_while_damage_is_mended_leaves_nothing_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, real = threading.Event(), threading.Event(), damage.rebuild

    def rebuild(*arguments: Any) -> Path | None:
        begun.set()
        assert go.wait(40)
        return real(*arguments)

    def damaged(*_: object) -> None:
        raise DamagedError("bad page")

    async def story(disk: Disk) -> None:
        await fill(disk)
        assert await disk.store.flush()
        monkeypatch.setattr(damage, "rebuild", rebuild)
        monkeypatch.setattr(Database, "records", damaged)

        async def read_some() -> None:
            await anext(disk.store.read_records())

        reader = asyncio.create_task(read_some())
        await eventually(begun.is_set)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        go.set()
        assert disk.store.statistics is not None
        await disk.changes.set(silence("after"))
        assert disk.store.statistics.rebuilds == 1

    first = live(tmp_path, story)
    second = live(tmp_path)
    assert second.held() == first.held()
    assert len(second.held()) == 401


def test_damage_while_running_is_mended_from_memory(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        await fill(disk)
        remove(tmp_path)
        await disk.changes.set(silence("after"))
        assert disk.store.statistics is not None
        assert disk.store.statistics.rebuilds == 1

    first = live(tmp_path, story)
    second = live(tmp_path)
    assert second.held() == first.held()
    assert len(second.held()) == 401

    async def look(disk: Disk) -> None:
        assert disk.store.meta["peer_name"] == "stable"

    live(tmp_path, look)


def test_a_crash_at_any_point_of_the_replacement_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live(tmp_path, fill).held()
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    connection.execute("UPDATE entries SET data = x'05ffffffff', checksum = NULL WHERE id = 3")
    connection.close()

    class Crash(BaseException):
        pass

    steps = 0
    crash_at = 0

    def step(real: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object, **options: object) -> object:
            nonlocal steps
            steps += 1
            if steps == crash_at:
                raise Crash
            return real(*arguments, **options)

        return counted

    monkeypatch.setattr(Path, "rename", step(Path.rename))
    monkeypatch.setattr("os.replace", step(os.replace))
    monkeypatch.setattr(damage, "sync_folder", step(sync_folder))
    disk: Disk | None = None
    while disk is None:
        crash_at += 1
        steps = 0
        with contextlib.suppress(Crash):
            disk = live(tmp_path)
    assert crash_at > 4
    assert len(disk.held()) == 399
    assert disk.held().items() <= before.items()


def test_of_damaged_files_the_last_few_stay(tmp_path: Path) -> None:
    for _ in range(damage.KEPT + 3):
        (tmp_path / "journal.db").write_bytes(b"x" * 5000)
        live(tmp_path)
    assert len(set_aside(tmp_path)) == damage.KEPT


def test_salvage_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert damage.salvage(tmp_path / "missing").rows == {}
    Database(tmp_path / "journal.db").close()
    assert damage.salvage(tmp_path / "journal.db").rows == {}
