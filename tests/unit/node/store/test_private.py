"""The storage folder and what is in it are their owner's alone."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from random import Random

from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.silence import Silences
from tocsin.alerting.timestamp import SECOND
from tocsin.node.store import Store


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def _live(folder: Path) -> dict[str, int]:
    silences = Silences(SECOND, random=Random(1))
    store = Store(folder, {"sil": silences.replicated, "nfl": NotificationLog(SECOND)})
    await store.open(SECOND)
    store.remember({"a": "b"})
    await store.flush()
    await store.save("sil")
    found = _modes(folder)
    await store.close()
    return found


def test_what_is_made_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = tmp_path / "parent" / "data"
        found = asyncio.run(_live(folder))
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {"journal.db", "journal.db-wal", "lock", "silences"} <= set(found)
    assert set(found.values()) == {0o600}


def test_files_that_were_open_to_all_become_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("journal.db", "lock"):
        (tmp_path / name).touch(0o644)
    found = asyncio.run(_live(tmp_path))
    assert found["journal.db"] == found["lock"] == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755  # somebody may have chosen it
