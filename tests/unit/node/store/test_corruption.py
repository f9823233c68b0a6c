"""Bytes flipped, zeroed or cut off anywhere in the journal's files: the node starts, and goes on keeping.

What was read must be what was written; how much of it, depends on where the damage is. The rest comes from
peers. And it is mended once: the start after that finds nothing wrong.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.stores import HOUR, NOW, Disk, silence
from tocsin.node.store.database import Database

PAGE = 4096


@dataclass(frozen=True)
class Image:
    """The files of a journal as a crash leaves them, and which silences they hold."""

    database: bytes
    log: bytes
    held: dict[str, bytes]

    def region(self, name: str) -> tuple[str, int, int]:
        """File, first byte, length."""
        match name:
            case "header":
                return "journal.db", 0, 100
            case "schema":
                return "journal.db", 100, PAGE - 100
            case "pages":
                return "journal.db", PAGE, len(self.database) - PAGE
            case "free pages":
                first = int.from_bytes(self.database[32:36], "big")
                return "journal.db", (first - 1) * PAGE, PAGE
            case "log header":
                return "journal.db-wal", 0, 32
            case _:
                return "journal.db-wal", 32, len(self.log) - 32


def run(folder: Path, story: Callable[[Disk], Awaitable[None]]) -> Disk:
    async def life() -> Disk:
        disk = Disk(folder)
        try:
            await disk.open()
            await story(disk)
        finally:
            await disk.store.close()
        return disk

    return asyncio.run(life())


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Many pages, some of them free, and a write-ahead log that is not in the database yet."""
    folder = tmp_path_factory.mktemp("image")
    taken: list[Image] = []

    async def story(disk: Disk) -> None:
        old = NOW - 3 * HOUR
        await asyncio.gather(
            *(disk.changes.set(silence(f"A{n}", comment="x" * 300)) for n in range(120)),
        )
        for number in range(100):  # which leave free pages behind
            _, [data] = disk.silences.set(silence(f"old{number}", comment="y" * 300, now=old), old)
            disk.silences.merge(data, NOW)
        assert await disk.store.flush()
        disk.silences.gc(NOW)
        connection = disk.store._opened._writer._database
        assert connection is not None
        path = folder / "journal.db"
        await disk.store._opened._writer.run(connection.delete_expired, NOW // 10**9)
        await disk.store._opened._writer.run(
            lambda: connection._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        )
        for number in range(40):
            await disk.changes.set(silence(f"B{number}", comment="z" * 200))
        log = folder / "journal.db-wal"
        taken.append(Image(path.read_bytes(), log.read_bytes(), disk.held()))

    run(folder, story)
    [found] = taken
    assert int.from_bytes(found.database[36:40], "big") > 2, "there are free pages"
    assert len(found.log) > 10 * PAGE
    return found


REGIONS = ("header", "schema", "pages", "free pages", "log header", "log")


@pytest.mark.parametrize("region", REGIONS)
@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    where=st.integers(0, 1 << 30),
    how=st.sampled_from(["flip", "zero", "noise", "cut"]),
    bit=st.integers(0, 7),
    noise=st.binary(min_size=64, max_size=64),
)
def test_damage_anywhere_is_survived(
    image: Image, region: str, where: int, how: str, bit: int, noise: bytes
) -> None:
    file, start, length = image.region(region)
    content = bytearray(image.database if file == "journal.db" else image.log)
    at = start + where % length
    match how:
        case "flip":
            content[at] ^= 1 << bit
        case "zero":
            content[at : at + 512] = bytes(len(content[at : at + 512]))
        case "noise":
            content[at : at + 64] = noise[: len(content[at : at + 64])]
        case _:
            del content[at:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "journal.db").write_bytes(image.database)
        (folder / "journal.db-wal").write_bytes(image.log)
        (folder / file).write_bytes(content)
        rebuilds: list[int] = []

        async def go_on(disk: Disk) -> None:
            for identifier, encoded in disk.held().items():
                assert image.held.get(identifier) == encoded, "what is read is what was written"
            await disk.changes.set(silence("new"))
            await asyncio.gather(*(disk.changes.set(silence(f"C{n}", comment="w" * 300)) for n in range(60)))
            await disk.store.maintain(NOW)
            assert disk.store.statistics is not None
            rebuilds.append(disk.store.statistics.rebuilds)

        first = run(folder, go_on)
        second = run(folder, _nothing)
        assert second.held() == first.held()
        assert second.store.statistics is not None
        assert second.store.statistics.rebuilds == 0, "once, not at each start"
        if rebuilds[0]:
            assert list(folder.glob("journal.db.damaged-*"))
        check = Database(folder / "journal.db")
        try:
            assert check._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        finally:
            check.close()


async def _nothing(disk: Disk) -> None:
    pass
