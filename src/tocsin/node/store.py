"""The state on disk: Alertmanager's snapshot files ``silences`` and ``nflog`` (specification 4.11).

A file holds delimited entries and nothing else, so that an Alertmanager can read what we wrote and we what it
wrote. Written whole beside the old one, synced, then renamed over it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol, TypeVar

from tocsin.alerting.replicated import MergeResult
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.errors import ClosedError, ConfigError, StateError

T = TypeVar("T")

_FLAG: Final = "--storage.path"


class Snapshotted(Protocol):
    """State that is kept in a file."""

    def load(self, data: bytes, now: Nanoseconds) -> MergeResult:
        """Merge a file's content; :class:`StateError` when it does not decode."""

    def encode_slices(self) -> Iterable[bytes]:
        """All entries, in pieces that together are the file."""


class Store:
    """Reads and writes in one thread of its own, so that a slow disk never holds the event loop."""

    def __init__(self, directory: Path) -> None:
        """Makes the folder if need be; :class:`ConfigError` when it cannot be used."""
        self._directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            probe = directory / f".writable.{secrets.token_hex(8)}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigError(
                _FLAG,
                f"{directory} cannot be written to: {error.strerror or error}",
                "give a folder that this user may write to",
            ) from None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._closed = False

    async def load(self, name: str, state: Snapshotted, now: Nanoseconds) -> MergeResult:
        """Merge the file ``name`` into ``state``; nothing happens when there is none yet.

        :class:`ConfigError` when it cannot be read or does not decode: to start without it would forget
        silences, and to write over it would destroy what may still be mended.
        """
        path = self._directory / name
        try:
            data = await self._run(path.read_bytes)
            return state.load(data, now)
        except FileNotFoundError:
            return MergeResult()
        except OSError as error:
            raise ConfigError(str(path), f"cannot be read: {error.strerror or error}") from None
        except StateError as error:
            raise ConfigError(
                str(path),
                f"is damaged: {error}",
                "move it away to start without it; what peers hold comes back from them",
            ) from None

    async def record(self, kind: str, changes: Sequence[bytes]) -> None:  # noqa: ARG002
        """Keep own changes before they are told to anyone.

        Snapshots keep them only at maintenance and at a clean stop, as upstream; a journal belongs here.
        """
        if self._closed:
            raise ClosedError("the store is closed")

    async def save(self, name: str, state: Snapshotted) -> int:
        """Write the file ``name``; its size. :class:`ConfigError` when that fails; the old file stays.

        :class:`ClosedError` after :meth:`close`.
        """
        path = self._directory / name
        data = b"".join(state.encode_slices())
        try:
            await self._run(_replace, path, data)
        except OSError as error:
            raise ConfigError(str(path), f"cannot be written: {error.strerror or error}") from None
        return len(data)

    async def close(self) -> None:
        """Wait for what is being written. Idempotent."""
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown)

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        if self._closed:
            raise ClosedError("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _replace(path: Path, data: bytes) -> None:
    """Write beside ``path``, sync, rename, and sync the folder, or a crash could undo the rename."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
