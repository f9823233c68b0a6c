"""A change is in memory exactly when it was acknowledged, whatever fails and whatever happens beside it."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.amounts import many
from tests.support.stores import NOW, Disk, silence
from tests.support.transports import eventually
from tocsin.alerting import nflog
from tocsin.alerting.entries import Entry
from tocsin.alerting.nflog import LogView, NotificationLog, Receiver, RecordedEntries
from tocsin.alerting.silence import Silences
from tocsin.errors import ConflictError, NotFoundError, StorageError
from tocsin.node.log import Logger
from tocsin.node.store import changes
from tocsin.node.store.changes import (
    KEPT_AT_ONCE,
    MAX_CHANGES,
    NotificationWriter,
    RelayQueue,
    SilenceChanges,
)
from tocsin.node.store.database import Database
from tocsin.node.store.rows import Row
from tocsin.node.store.writer import APPLIED_AT_ONCE

steps = st.lists(
    st.tuples(
        st.sampled_from(["set", "edit", "expire", "gossip", "break", "mend", "turn"]),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=40,
)


LOG = Logger("tocsin.test")


class FailingDisk:
    """Fails transactions on request: before, or after part of the rows was written."""

    def __init__(self) -> None:
        self.broken = False
        self.real = Database.write

    def write(self, database: Database, rows: list[Row], meta: dict[str, str], *more: Any) -> None:
        if self.broken:
            raise StorageError("broken")
        self.real(database, rows, meta, *more)


@settings(max_examples=many(60))
@given(steps)
def test_memory_and_disk_hold_what_was_acknowledged(script: list[tuple[str, int, bool]]) -> None:
    disk_faults = FailingDisk()

    async def story(folder: Path) -> None:
        disk = await Disk(folder).open()
        peer = Silences(3600 * 10**9, random=Random(9))
        acknowledged: dict[str, str] = {}  # id -> the last acknowledged comment
        ended: set[str] = set()
        refused: set[str] = set()  # comments
        running: list[asyncio.Task[None]] = []

        async def change(kind: str, identifier: str, comment: str) -> None:
            try:
                if kind == "expire":
                    await disk.changes.expire(identifier)
                    ended.add(identifier)
                else:
                    wanted = silence("A", comment=comment, identifier=identifier)
                    found = await disk.changes.set(wanted)
                    acknowledged[found] = comment
            except StorageError:
                refused.add(comment)
            except NotFoundError:
                pass

        for number, (kind, which, wait) in enumerate(script):
            known = sorted(acknowledged)
            identifier = known[which % len(known)] if known and kind != "set" else ""
            match kind:
                case "break" | "mend":
                    disk_faults.broken = kind == "break"
                case "turn":
                    await asyncio.sleep(0.001 * which)
                case "gossip":
                    _, [data] = peer.set(silence("peer", comment=str(number)), disk.now())
                    disk.silences.merge(data, disk.now())
                case _:
                    running.append(asyncio.create_task(change(kind, identifier, f"c{number}")))
                    if wait:
                        await running[-1]
        await asyncio.gather(*running)
        held = {each.id: each for each in disk.silences.replicated}
        for identifier in acknowledged:
            assert identifier in held
        comments = {each.comment for each in held.values()}
        assert not comments & refused
        assert {c for c in comments if c.startswith("c")} <= set(acknowledged.values())
        assert len(disk.told) == len(set(disk.told))
        disk_faults.broken = False
        await disk.store.close()
        again = await Disk(folder).open()
        assert {each.id: each.encoded for each in again.silences.replicated} == disk.held()
        await again.store.close()

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(Database, "write", lambda *arguments: disk_faults.write(*arguments))
        asyncio.run(story(Path(folder)))


def test_changes_of_one_silence_take_turns(tmp_path: Path) -> None:
    async def story() -> None:
        disk = await Disk(tmp_path).open()
        identifier = await disk.changes.set(silence("A"))
        await asyncio.gather(
            *(disk.changes.set(silence("A", comment=str(n), identifier=identifier)) for n in range(20)),
            disk.changes.expire(identifier),
        )
        found = disk.silences.get(identifier)
        assert found is not None
        assert found.comment == "19"
        assert len(disk.silences) == 1
        assert not disk.changes._locks
        await disk.store.close()

    asyncio.run(story())


def test_an_imported_silence_is_kept_and_told_once(tmp_path: Path) -> None:
    identifier = "3f0c8bd2-95a4-4e61-8d3e-0c9a7f6b1e42"

    async def story() -> None:
        disk = await Disk(tmp_path).open()
        asked = silence("A", identifier=identifier)
        taken = await asyncio.gather(*(disk.changes.take_in(asked) for _ in range(5)))
        assert sorted(taken) == [False] * 4 + [True]
        with pytest.raises(ConflictError):
            await disk.changes.take_in(silence("A", comment="other", identifier=identifier))
        assert len(disk.told) == 1
        assert not disk.changes._locks
        await disk.store.close()
        again = await Disk(tmp_path).open()
        found = again.silences.get(identifier)
        assert found is not None
        assert found.comment == asked.comment
        await again.store.close()

    asyncio.run(story())


def test_what_peers_sent_is_told_on_only_once_kept() -> None:
    async def story() -> None:
        answers = [True, False]
        told: list[str] = []

        async def flush() -> bool:
            await asyncio.sleep(0)
            return answers.pop(0)

        relays = RelayQueue(flush=flush)
        relays.add(lambda: told.append("kept"))
        assert told == []
        await relays.drained()
        relays.add(lambda: told.append("not kept"))
        await relays.drained()
        assert told == ["kept"]
        assert relays.statistics.withheld == 1

    asyncio.run(story())


def test_no_more_than_so_much_waits_for_a_disk_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_RELAYS", 3)

    async def story() -> None:
        moves = asyncio.Event()
        told: list[int] = []

        async def flush() -> bool:
            await moves.wait()
            return True

        relays = RelayQueue(flush=flush)
        relays.add(lambda: told.append(-1))
        await asyncio.sleep(0)  # That one is at the disk.
        for number in range(5):
            relays.add(lambda number=number: told.append(number))  # type: ignore[misc]
        assert relays.statistics.withheld == 2
        moves.set()
        await relays.drained()
        assert told == [-1, 0, 1, 2]

    asyncio.run(story())


def _writer(disk: Disk, recorded: RecordedEntries) -> NotificationWriter:
    return NotificationWriter(
        disk.notification_log,
        recorded,
        commit=disk.store.commit,
        now=disk.now,
        broadcast=disk._tell,
        logger=Logger("tocsin.test"),
    )


def test_a_notification_is_known_at_once_and_shown_to_others_once_kept(tmp_path: Path) -> None:
    async def story() -> None:
        disk = await Disk(tmp_path).open()
        recorded = RecordedEntries()
        view, writer = LogView(disk.notification_log, recorded), _writer(disk, recorded)
        receiver = Receiver("sink", "webhook", 0)
        key = receiver, "group"
        entries = [view.record(key, firing, [], disk.now(), 0, {}) for firing in ([1], [1, 2])]
        entry = view.query(key)
        assert entry is not None
        assert entry.firing_alerts == (1, 2)
        assert not disk.groups()
        writer.keep(entries)
        assert not disk.groups()
        assert not disk.told
        await writer.drained()
        assert disk.groups() == {b"group"}
        assert len(disk.told) == 2
        assert view.query(key) == entry
        assert not len(recorded)
        await disk.store.close()
        again = await Disk(tmp_path).open()
        assert again.notification_log.query(receiver, "group") == entry
        await again.store.close()

    asyncio.run(story())


def test_a_notification_cannot_be_refused_by_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk_faults = FailingDisk()
    monkeypatch.setattr(Database, "write", lambda *arguments: disk_faults.write(*arguments))

    async def story() -> None:
        disk = await Disk(tmp_path).open()
        recorded = RecordedEntries()
        view, writer = LogView(disk.notification_log, recorded), _writer(disk, recorded)
        disk_faults.broken = True
        writer.keep([view.record((Receiver("sink", "webhook", 0), "group"), [1], [], disk.now(), 0, {})])
        await writer.drained()
        assert disk.groups() == {b"group"}
        assert len(disk.told) == 1
        disk_faults.broken = False
        await disk.store.close()
        again = await Disk(tmp_path).open()
        assert again.groups() == {b"group"}
        await again.store.close()

    asyncio.run(story())


def test_what_was_sent_while_the_disk_was_busy_shares_a_change(tmp_path: Path) -> None:
    async def story() -> None:
        disk = await Disk(tmp_path).open()
        recorded = RecordedEntries()
        view, sizes = LogView(disk.notification_log, recorded), list[int]()

        async def commit(kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> None:
            sizes.append(len(entries))
            await disk.store.commit(kind, entries, apply)

        writer = NotificationWriter(
            disk.notification_log, recorded, commit=commit, now=disk.now, broadcast=disk._tell, logger=LOG
        )
        for number in range(KEPT_AT_ONCE + 3):
            key = Receiver("sink", "webhook", 0), f"group {number}"
            writer.keep([view.record(key, [1], [], disk.now(), 0, {})])
            if not number:
                await eventually(lambda: bool(sizes))
        await writer.drained()
        assert sizes == [1, KEPT_AT_ONCE, 2]
        assert len(disk.groups()) == len(disk.told) == KEPT_AT_ONCE + 3
        assert not len(recorded)
        await disk.store.close()

    asyncio.run(story())


def test_a_bug_in_keeping_one_notification_does_not_keep_others_from_being_kept(tmp_path: Path) -> None:
    async def story() -> None:
        disk = await Disk(tmp_path).open()
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # told of the bug
        recorded = RecordedEntries()
        view, bugs = LogView(disk.notification_log, recorded), ["a bug"]

        def broadcast(kind: str, changes: Sequence[bytes]) -> None:
            if bugs:
                raise RuntimeError(bugs.pop())
            disk._tell(kind, changes)

        writer = NotificationWriter(
            disk.notification_log,
            recorded,
            commit=disk.store.commit,
            now=disk.now,
            broadcast=broadcast,
            logger=LOG,
        )
        for number in range(2 * KEPT_AT_ONCE):
            key = Receiver("sink", "webhook", 0), f"group {number}"
            writer.keep([view.record(key, [1], [], disk.now(), 0, {})])
        await writer.drained()
        assert len(disk.groups()) == 2 * KEPT_AT_ONCE
        assert len(disk.told) == KEPT_AT_ONCE
        await disk.store.close()

    asyncio.run(story())


def test_many_notifications_share_a_transaction_and_are_applied_in_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_moves, real = threading.Event(), Database.write

    def write(database: Database, rows: list[Row], *more: Any) -> None:
        assert disk_moves.wait(40)
        real(database, rows, *more)

    async def story() -> None:
        disk = await Disk(tmp_path).open()
        monkeypatch.setattr(Database, "write", write)
        recorded, handed, turn, told = RecordedEntries(), 0, 0, Counter[int]()
        view = LogView(disk.notification_log, recorded)

        async def commit(kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> None:
            nonlocal handed
            handed += len(entries)
            await disk.store.commit(kind, entries, apply)

        def broadcast(kind: str, changes: Sequence[bytes]) -> None:
            told[turn] += len(changes)
            disk._tell(kind, changes)

        def turns() -> None:
            nonlocal turn
            turn += 1
            asyncio.get_running_loop().call_soon(turns)

        turns()
        writer = NotificationWriter(
            disk.notification_log, recorded, commit=commit, now=disk.now, broadcast=broadcast, logger=LOG
        )
        entries = [
            view.record((Receiver("sink", "webhook", 0), f"group {number}"), [1], [], disk.now(), 0, {})
            for number in range(20 * KEPT_AT_ONCE)
        ]
        writer.keep(entries)
        statistics = disk.store.statistics
        assert statistics is not None
        before = statistics.commits
        await eventually(lambda: handed == len(entries))
        disk_moves.set()
        await writer.drained()
        assert statistics.commits - before == 2, "one that was under way, and one for all others"
        assert disk.told == [entry.encoded for entry in entries]
        assert max(told.values()) <= APPLIED_AT_ONCE
        await disk.store.close()

    asyncio.run(story())


def test_no_more_changes_than_two_transactions_take_are_handed_to_the_disk() -> None:
    async def story() -> None:
        log, recorded = NotificationLog(3600 * 10**9), RecordedEntries()
        view, disk_moves, told, under_way = (
            LogView(log, recorded),
            asyncio.Event(),
            list[bytes](),
            list[int](),
        )

        async def commit(kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> None:
            under_way.append(len(entries))
            await disk_moves.wait()
            under_way.pop()
            apply()

        writer = NotificationWriter(
            log,
            recorded,
            commit=commit,
            now=lambda: NOW,
            broadcast=lambda _, changes: told.extend(changes),
            logger=LOG,
        )
        entries = [
            view.record((Receiver("sink", "webhook", 0), f"group {number}"), [1], [], NOW, 0, {})
            for number in range((MAX_CHANGES + 2) * KEPT_AT_ONCE + 1)
        ]
        writer.keep(entries)
        await eventually(lambda: len(under_way) == MAX_CHANGES)
        for _ in range(5):
            await asyncio.sleep(0)
        assert under_way == [KEPT_AT_ONCE] * MAX_CHANGES
        disk_moves.set()
        await writer.drained()
        assert told == [entry.encoded for entry in entries]

    asyncio.run(story())


def test_what_a_failed_transaction_refused_is_applied_one_change_in_an_iteration() -> None:
    async def story() -> None:
        log, recorded = NotificationLog(3600 * 10**9), RecordedEntries()
        view, disk_failed, told, turn = LogView(log, recorded), asyncio.Event(), list[bytes](), 0
        under_way, in_turn = 0, Counter[int]()

        async def commit(kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> None:
            nonlocal under_way
            under_way += 1
            await disk_failed.wait()
            raise StorageError("broken")

        def broadcast(kind: str, changes: Sequence[bytes]) -> None:
            in_turn[turn] += len(changes)
            told.extend(changes)

        def turns() -> None:
            nonlocal turn
            turn += 1
            asyncio.get_running_loop().call_soon(turns)

        turns()
        writer = NotificationWriter(
            log, recorded, commit=commit, now=lambda: NOW, broadcast=broadcast, logger=LOG
        )
        entries = [
            view.record((Receiver("sink", "webhook", 0), f"group {number}"), [1], [], NOW, 0, {})
            for number in range(8 * KEPT_AT_ONCE)
        ]
        writer.keep(entries)
        await eventually(lambda: under_way == 8)
        disk_failed.set()
        await writer.drained()
        assert told == [entry.encoded for entry in entries]
        assert max(in_turn.values()) <= KEPT_AT_ONCE
        assert not len(recorded)

    asyncio.run(story())


def test_one_entry_that_cannot_be_put_keeps_no_other_of_its_change_from_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        def heard(entry: nflog.Entry, _: nflog.Entry | None) -> None:
            if entry.group_key == b"group 1":
                raise RuntimeError("a bug")

        log, recorded = NotificationLog(3600 * 10**9, heard=heard), RecordedEntries()
        view, told = LogView(log, recorded), list[bytes]()

        async def commit(kind: str, entries: Sequence[Entry], apply: Callable[[], None]) -> None:
            apply()

        writer = NotificationWriter(
            log,
            recorded,
            commit=commit,
            now=lambda: NOW,
            broadcast=lambda _, changes: told.extend(changes),
            logger=LOG,
        )
        entries = [
            view.record((Receiver("sink", "webhook", 0), f"group {number}"), [1], [], NOW, 0, {})
            for number in range(4)
        ]
        writer.keep(entries)
        await writer.drained()
        assert {entry.group_key for entry in log} >= {b"group 0", b"group 2", b"group 3"}
        assert told == [entry.encoded for entry in entries], "that all went out is a fact"
        assert len(recorded) == 1, "the pipeline goes by it"
        [record] = caplog.records
        assert record.__dict__["fields"]["err"] == "RuntimeError('a bug')"

    asyncio.run(story())


def test_each_change_is_logged_if_that_is_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tocsin.silences")

    async def story() -> None:
        disk = await Disk(tmp_path).open()
        changes = SilenceChanges(
            disk.silences,
            commit=disk.store.commit,
            now=disk.now,
            broadcast=lambda _kind, _changes: None,
            log=Logger("tocsin.silences"),
        )
        first = await changes.set(silence("a", comment="one"))
        await changes.set(silence("a", comment="two", identifier=first))
        second = await changes.set(silence("b", identifier=first))
        await changes.expire(second)
        await changes.expire(second)
        await disk.store.close()
        said = [(record.message, record.__dict__["fields"]["Id"]) for record in caplog.records]
        assert said == [
            ("create silence", first),
            ("update silence", first),
            ("expire silence", first),
            ("create silence", second),
            ("expire silence", second),
        ]
        fields = caplog.records[1].__dict__["fields"]
        assert (fields["Comment"], fields["Matchers"]) == ("two", 'alertname="a"')

    asyncio.run(story())
