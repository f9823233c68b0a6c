"""Files that their owner alone may read and write, from their first moment, whatever the umask."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

MODE: Final = 0o600


def open_private(path: Path, flags: int, mode: str) -> IO[Any]:
    """Open a file as ``mode`` says, with ``flags`` of :mod:`os`. It is made if it is not there, and made
    private if it was not. :class:`OSError`."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, MODE)
    with suppress(OSError):  # another user's file: being able to read and write it is enough
        os.fchmod(descriptor, MODE)
    return os.fdopen(descriptor, mode)


def make_private(path: Path) -> None:
    """Create a private file, or make an existing one private; its content stays. :class:`OSError`."""
    open_private(path, os.O_WRONLY | os.O_APPEND, "ab").close()
