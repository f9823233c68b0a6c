"""Alertmanager's snapshot files ``silences`` and ``nflog`` (wire 4.11).

A file holds delimited entries and nothing else, so that an Alertmanager can read what we wrote and we what it
wrote. Written whole beside the old one, synced, then renamed over it.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Final, Protocol

from tocsin.alerting.entries import MAX_REASONS, MergeResult
from tocsin.alerting.protocol.delimited import spans
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import StateError
from tocsin.node.store.database import sync_folder
from tocsin.node.store.kinds import KINDS
from tocsin.node.store.private import open_private

FILES: Final = {key: kind.name for key, kind in KINDS.items()}
"""The file of each kind of state."""
SLICE_ENTRIES: Final = 256
_UNFINISHED: Final = re.compile(rf"({'|'.join(FILES.values())})\.[0-9a-f]{{1,16}}")


class Snapshotted(Protocol):
    """State that is kept in a file."""

    def load(self, data: bytes, now: Nanoseconds) -> MergeResult:
        """Merge a file's content; :class:`StateError` when it does not decode."""

    def encode_slices(self) -> Iterable[bytes]:
        """All entries, in pieces that together are the file."""


@dataclass(slots=True)
class Loaded:
    """The result of loading a file. ``damage``: where it is damaged; empty: nowhere."""

    taken: int = 0
    unchanged: int = 0
    refused_count: int = 0
    refused: list[str] = field(default_factory=list)
    damage: str = ""

    def add(self, result: MergeResult) -> None:
        """Count a slice."""
        self.taken += result.taken
        self.unchanged += result.unchanged
        self.refused_count += result.refused_count
        self.refused = (self.refused + result.refused)[:MAX_REASONS]


def load(state: Snapshotted, data: bytes, now: Nanoseconds, loaded: Loaded) -> Iterator[None]:
    """Merge a file's content, giving way to others between slices.

    Entries that do not decode are passed over; where a length makes no sense, the file ends. ``loaded`` says
    of both.
    """
    view = memoryview(data)
    places: list[tuple[int, int]] = []
    found = spans(view)
    while True:
        try:
            span = next(found, None)
        except StateError as error:
            loaded.damage = loaded.damage or str(error)
            span = None
        if span is not None:
            places.append((span[0], span[2]))
        if places and (span is None or len(places) >= SLICE_ENTRIES):
            _load_slice(state, view, places, now, loaded)
            places.clear()
            yield
        if span is None:
            return


def _load_slice(
    state: Snapshotted, view: memoryview, places: list[tuple[int, int]], now: Nanoseconds, loaded: Loaded
) -> None:
    start, end = places[0][0], places[-1][1]
    try:
        loaded.add(state.load(bytes(view[start:end]), now))
    except StateError as error:
        if len(places) == 1:
            loaded.damage = loaded.damage or f"the entry at byte {start}: {error}"
            return
        for place in places:
            _load_slice(state, view, [place], now, loaded)


def write(path: Path, slices: Iterable[bytes]) -> None:
    """Write beside ``path``, sync, rename, and sync the folder, or a crash could undo the rename.

    :class:`OSError` when that fails; the old file stays.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with open_private(temporary, os.O_WRONLY | os.O_EXCL, "wb") as file:
            for data in slices:
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove what a crash left of :func:`write`; Alertmanager leaves the same."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)
