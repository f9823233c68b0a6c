"""Files and standard output, one event a line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tocsin.aio.beside import Beside

_FLAGS: Final = os.O_APPEND | os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC
STDOUT: Final = 1


class FileOutput:
    """Appends to the file at ``path``, which is created if needed. Before each write it checks whether the
    path is still the same file, and reopens it if logrotate has moved or removed it. Raises ``OSError``.
    Create it on a thread.
    """

    def __init__(self, path: str, thread: Beside) -> None:
        self.name = f"file:{path}"
        self._path = path
        self._thread = thread
        self._file = os.open(path, _FLAGS, 0o644)

    async def write(self, lines: Sequence[bytes]) -> Sequence[int | str]:
        """Append them."""
        return await self._thread.run(partial(_write_lines, self._current, lines))

    async def close(self, grace: float) -> None:  # noqa: ARG002
        """Close the file; all was written."""
        await self._thread.run(partial(os.close, self._file))

    def _current(self) -> int:
        """The file to write to. The old one stays open until the new one could be opened."""
        held = os.fstat(self._file)
        try:
            found = Path(self._path).stat()
        except FileNotFoundError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != (held.st_dev, held.st_ino):
            new = os.open(self._path, _FLAGS, 0o644)
            os.close(self._file)
            self._file = new
        return self._file


class StdoutOutput:
    """Writes to the process's standard output, past Python's buffer; nothing else goes there."""

    name: Final = "stdout"

    def __init__(self, thread: Beside, file: int = STDOUT) -> None:
        self._thread = thread
        self._file = file

    async def write(self, lines: Sequence[bytes]) -> Sequence[int | str]:
        """Write them."""
        return await self._thread.run(partial(_write_lines, lambda: self._file, lines))

    async def close(self, grace: float) -> None:
        """Nothing: standard output belongs to the process."""


def _write_lines(file: Callable[[], int], lines: Sequence[bytes]) -> list[int | str]:
    found: list[int | str] = []
    for line in lines:
        try:
            _write_all(file(), line + b"\n")
        except OSError as error:
            found.append(error.strerror or str(error))
        else:
            found.append(len(line) + 1)
    return found


def _write_all(file: int, data: bytes) -> None:
    """A pipe may take less at a time."""
    while data:
        data = data[os.write(file, data) :]
