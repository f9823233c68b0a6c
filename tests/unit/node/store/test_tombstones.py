"""What was ended stays ended: an older version that lives longer does not come back after a restart.

A silence for a year, ended after an hour, is collected when its retention is over. A peer that was away has
the version that lives for a year.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.stores import HOUR, NOW, Disk, silence
from tocsin.alerting.digest.tree import Tombstone, identity_of
from tocsin.alerting.nflog import NotificationLog, Receiver
from tocsin.alerting.replicated import EntryTombstone
from tocsin.alerting.silence import SilenceState
from tocsin.alerting.timestamp import SECOND
from tocsin.node.store import database
from tocsin.node.store.database import Database
from tocsin.node.store.kinds import KINDS
from tocsin.node.store.rows import Row, key_of, tombstone_row

YEAR = 365 * 24 * HOUR
LATER = NOW + 3 * HOUR
"""The retention of what was ended at NOW (an hour) is over."""


def live(folder: Path, story: Callable[[Disk], Awaitable[None]]) -> None:
    async def run() -> None:
        disk = Disk(folder)
        try:
            await disk.open()
            await story(disk)
        finally:
            await disk.store.close()

    asyncio.run(run())


async def make_and_end(disk: Disk) -> bytes:
    """A silence for a year, ended at once; the version that somebody who was away still has."""
    identifier = await disk.changes.set(replace(silence("A"), ends_at=NOW + YEAR))
    old = disk.held()[identifier]
    await disk.changes.expire(identifier)
    return old


async def collect(disk: Disk, now: int) -> None:
    disk.silences.gc(now)
    await disk.store.save("sil")
    await disk.store.maintain(now)


def active(disk: Disk) -> int:
    return disk.silences.counts(LATER)[SilenceState.ACTIVE]


@pytest.mark.parametrize("collected", ["before the restart", "after it"])
def test_a_peer_that_was_away_cannot_bring_back_what_was_ended(tmp_path: Path, collected: str) -> None:
    old = b""

    async def first(disk: Disk) -> None:
        nonlocal old
        old = await make_and_end(disk)
        if collected == "before the restart":
            await collect(disk, LATER)
            assert len(disk.silences) == 0

    async def second(disk: Disk) -> None:
        await collect(disk, LATER)
        assert len(disk.silences) == 0
        disk.silences.merge(old, LATER)
        assert active(disk) == 0

    live(tmp_path, first)
    live(tmp_path, second)
    live(tmp_path, second)  # nor later


def test_what_a_peer_had_buried_stays_buried(tmp_path: Path) -> None:
    old = b""

    async def first(disk: Disk) -> None:
        nonlocal old
        identifier = await disk.changes.set(replace(silence("A"), ends_at=NOW + YEAR))
        old = disk.held()[identifier]
        await disk.store.save("sil")
        assert disk.silences.replicated.add_tombstone(
            identity_of(identifier.encode()), Tombstone(LATER, NOW + YEAR), NOW
        )

    async def second(disk: Disk) -> None:
        assert len(disk.silences) == 0
        disk.silences.merge(old, LATER)
        assert active(disk) == 0

    live(tmp_path, first)
    (tmp_path / "silences").rename(tmp_path / "snapshot")
    live(tmp_path, second)
    (tmp_path / "snapshot").rename(tmp_path / "silences")  # an older snapshot cannot bring it back either
    live(tmp_path, second)


def test_a_version_that_came_too_late_is_remembered_too(tmp_path: Path) -> None:
    """The ended version came first, the older one, which lives longer, after it."""
    old = ended = b""

    async def elsewhere(disk: Disk) -> None:
        nonlocal old, ended
        old = await make_and_end(disk)
        [ended] = disk.held().values()

    async def first(disk: Disk) -> None:
        disk.silences.merge(ended, NOW)
        assert await disk.store.flush()
        disk.silences.merge(old, NOW)

    async def second(disk: Disk) -> None:
        await collect(disk, LATER)
        disk.silences.merge(old, LATER)
        assert active(disk) == 0

    live(tmp_path / "elsewhere", elsewhere)
    live(tmp_path / "here", first)
    live(tmp_path / "here", second)


def test_a_tombstone_survives_the_loss_of_the_file(tmp_path: Path) -> None:
    old = b""

    async def first(disk: Disk) -> None:
        nonlocal old
        old = await make_and_end(disk)
        await collect(disk, LATER)
        (tmp_path / "journal.db").unlink()
        await disk.changes.set(silence("B"))  # notices, and writes all anew

    async def second(disk: Disk) -> None:
        disk.silences.merge(old, LATER)
        assert active(disk) == 0

    live(tmp_path, first)
    live(tmp_path, second)


def test_a_tombstone_goes_when_nothing_older_can_live(tmp_path: Path) -> None:
    async def story(disk: Disk) -> None:
        await make_and_end(disk)
        await collect(disk, LATER)

    async def much_later(disk: Disk) -> None:
        await collect(disk, NOW + YEAR + 2 * HOUR)

    live(tmp_path, story)
    assert rows(tmp_path) == 1
    live(tmp_path, much_later)
    assert rows(tmp_path) == 0


def test_tombstones_on_the_disk_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_TOMBSTONES", 5)

    async def story(disk: Disk) -> None:
        for number in range(12):
            identifier = await disk.changes.set(replace(silence(f"A{number}"), ends_at=NOW + YEAR))
            await disk.changes.expire(identifier)
        await collect(disk, LATER)

    live(tmp_path, story)
    assert rows(tmp_path) == 5


def test_log_entries_have_tombstones_too(tmp_path: Path) -> None:
    receiver = Receiver("sink", "webhook", 0)
    far, near = NotificationLog(YEAR), NotificationLog(HOUR)
    [long_lived] = far.log(receiver, "group", [1], [], NOW)
    [short_lived] = near.log(receiver, "group", [2], [], NOW + SECOND)

    async def first(disk: Disk) -> None:
        disk.notification_log.merge(long_lived, NOW)
        disk.notification_log.merge(short_lived, NOW)
        disk.notification_log.gc(LATER)
        assert await disk.store.flush()

    async def second(disk: Disk) -> None:
        disk.notification_log.merge(long_lived, LATER)
        assert disk.groups() == set()

    live(tmp_path, first)
    live(tmp_path, second)


@given(
    kind_and_key=st.one_of(
        st.tuples(st.just("sil"), st.text()),
        st.tuples(
            st.just("nfl"),
            st.tuples(st.binary(), st.builds(Receiver, st.text(), st.text(), st.integers(0, 99))),
        ),
    )
)
def test_keys_are_read_back(kind_and_key: tuple[str, str | tuple[bytes, Receiver]]) -> None:
    kind, key = kind_and_key
    assert key_of(kind, KINDS[kind].key_bytes(key)) == key


@settings(max_examples=30)
@given(order=st.permutations(range(4)))
def test_the_order_of_writing_does_not_matter_for_tombstones(
    order: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    key = b"\x01"
    versions = [
        Row("sil", b"key", key, 900, b"old"),
        Row("sil", b"key", b"\x02", 10, b"new"),
        tombstone_row("sil", "key", EntryTombstone(0, 700 * SECOND, b""))._replace(stamp=b"\x02"),
        Row("sil", b"key", b"\x01", 5, b"short"),
    ]
    path = tmp_path_factory.mktemp("order") / "journal.db"
    with_order = Database(path)
    for number in order:
        with_order.write([versions[number]], {})
    with_order.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT stamp, expires, data FROM entries").fetchall() == [(b"\x02", 900, b"")]
    connection.close()


def rows(folder: Path) -> int:
    connection = sqlite3.connect(folder / "journal.db")
    [count] = connection.execute("SELECT count(*) FROM entries").fetchone()
    connection.close()
    return int(count)
