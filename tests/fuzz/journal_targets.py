"""Targets in the journal: one row of it, and a whole file."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.fuzz.alerting_targets import NOW, RETENTION, empty_log
from tests.fuzz.node_targets import folder
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.nflog import NotificationLog, Receiver
from tocsin.alerting.replicated import ReplicatedState
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ConfigError
from tocsin.node.log import Logger
from tocsin.node.store.database import checked_row
from tocsin.node.store.export import Exported, read
from tocsin.node.store.journal import Journal
from tocsin.node.store.kinds import KINDS
from tocsin.node.store.loading import load_row
from tocsin.node.store.rows import Row, checksum, row_of, tombstone_row
from tocsin.node.store.store import JOURNAL

_HEAD: Final = 12
"""Bytes of :func:`row` that are no content."""
_PATCH: Final = 4
_SILENT: Final = Logger("tocsin.fuzz", component="fuzz")
logging.getLogger("tocsin.fuzz").disabled = True

States = dict[str, ReplicatedState[Any]]


def _states() -> States:
    return {"sil": Silences(RETENTION, random=Random(0)).replicated, "nfl": empty_log()}


def journal_row(data: bytes) -> None:
    """One row: kind and checksum u8, length of key u8, of stamp u8, unused u8, expires i64, key, stamp, data.

    What is taken of it can be written, and read again as the same. Raises nothing but StateError.
    """
    if len(data) < _HEAD:
        return
    how, keys, stamps = data[0], data[1], data[2]
    expires = int.from_bytes(data[4:_HEAD], "big", signed=True)
    rest = data[_HEAD:]
    kind = tuple(KINDS)[how & 1]
    key, stamp, content = rest[:keys], rest[keys : keys + stamps], rest[keys + stamps :]
    right = checksum(kind, key, stamp, expires, content)
    assert checked_row(kind, key, stamp, expires, content, right ^ 1) is None
    row = checked_row(kind, key, stamp, expires, content, right if how & 2 else None)
    assert row is not None
    held = _states()[kind]
    load_row(held, row, NOW)
    again = _states()[kind]
    kept = _rows(kind, held)
    for each in kept:
        assert checked_row(*each, checksum(*each)) == each
        load_row(again, each, NOW)
    assert _rows(kind, again) == kept


def _rows(kind: str, state: ReplicatedState[Any]) -> list[Row]:
    return [row_of(kind, entry, state.until_of(entry.key)) for entry in state] + [
        tombstone_row(kind, key, each) for key, each in state.tombstones.items()
    ]


def journal_file(data: bytes) -> None:
    """A file in the place of the journal: these bytes after an even first one, or a good one with changes.

    After an odd first byte each four are a change: place u24 (around, if past the end), value u8; of the
    write-ahead log if the first one's next bit is set. It ends in a journal that keeps, and finds nothing
    wrong at its next start; or in the error that a later version wrote it. After one change it holds nothing
    that was not written. (Several can take a checksum away: such a row, as older
    versions wrote them, is believed.)
    """
    if not data:
        return
    place = Path(tempfile.mkdtemp(dir=folder()))
    try:
        if data[0] & 1:
            _damaged(place, data[0], data[1:])
        else:
            (place / JOURNAL).write_bytes(data[1:])
        exported = Exported()
        try:
            read(place, NOW, exported)
        except ConfigError:
            pass
        try:
            first = asyncio.run(_life(place))
        except ConfigError as error:
            if "has format" not in str(error):
                raise
            return
        second = asyncio.run(_life(place, again=True))
        assert {kind: _rows(kind, state) for kind, state in first.items()} == {
            kind: _rows(kind, state) for kind, state in second.items()
        }
        if data[0] & 1 and len(data) < 1 + 2 * _PATCH:
            assert {each.encoded for state in first.values() for each in state} <= _good()[2]
    finally:
        shutil.rmtree(place)


async def _life(place: Path, *, again: bool = False) -> States:
    states = _states()
    journal = Journal(place / JOURNAL, states, log=_SILENT)
    try:
        await journal.open(NOW)
        if again:
            assert journal.statistics.rebuilds == 0, "wrong again"
            assert journal.meta["fuzz"] == "was here"
        else:
            journal.remember({"fuzz": "was here"})
            assert await journal.flush(), "cannot be written"
            await journal.maintain(0)
    finally:
        await journal.close()
    return states


def _damaged(place: Path, how: int, patches: bytes) -> None:
    database, log, _ = _good()
    files = {JOURNAL: bytearray(database), f"{JOURNAL}-wal": bytearray(log)}
    content = files[f"{JOURNAL}-wal" if how & 2 else JOURNAL]
    for start in range(0, len(patches) - _PATCH + 1, _PATCH):
        content[int.from_bytes(patches[start : start + 3], "big") % len(content)] = patches[start + 3]
    for name, each in files.items():
        (place / name).write_bytes(each)


@cache
def _good() -> tuple[bytes, bytes, frozenset[bytes]]:
    """A database, its write-ahead log as a crash leaves it, and the entries they hold."""
    place = Path(tempfile.mkdtemp(dir=folder()))

    async def live() -> tuple[bytes, bytes, frozenset[bytes]]:
        silences, log = Silences(RETENTION, random=Random(0)), NotificationLog(RETENTION)
        states: States = {"sil": silences.replicated, "nfl": log}
        journal = Journal(place / JOURNAL, states, log=_SILENT)
        await journal.open(NOW)
        for number in range(12):
            matchers = ((Matcher(MatchType.EQUAL, "alertname", f"A{number}"),),)
            silences.set(Silence("", matchers, NOW, NOW + 3600 * SECOND, comment="x" * 40 * number), NOW)
            log.log(Receiver("sink", "webhook", 0), f"group {number}", [number], [], NOW)
            if number == 8:
                assert await journal.flush()
                await journal.maintain(0)
        journal.remember({"peer_name": "stable"})
        assert await journal.flush()
        found = (
            (place / JOURNAL).read_bytes(),
            (place / f"{JOURNAL}-wal").read_bytes(),
            frozenset(each.encoded for state in states.values() for each in state),
        )
        await journal.close()
        return found

    return asyncio.run(live())


def small_pages() -> bytes:
    """A good file short enough to be an input: page size 512."""
    database, _, _ = _good()
    file = folder() / "small.db"
    file.write_bytes(database)
    connection = sqlite3.connect(file, isolation_level=None)
    connection.executescript("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;")
    connection.close()
    return file.read_bytes()
