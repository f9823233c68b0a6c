"""Files that others keep and may replace by anything: configuration, templates, secrets, certificates."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

_KINDS: Final = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read_regular(path: str | Path, most: int) -> bytes:
    """What the regular file at ``path`` holds, with links followed; nothing is in ``/dev/null``.

    ``OSError``, with its name, if it cannot be read, has more than ``most`` bytes or is something else: a
    pipe, of which nobody may ever write the other end, or a device is not waited for.
    """
    try:
        return _read(path, most)
    except OSError as error:
        if error.filename is None:
            error.filename = os.fspath(path)
        raise


def _read(path: str | Path, most: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == Path(os.devnull).stat().st_rdev:
            return b""
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise OSError(errno.EINVAL, f"it is {kind}, not a regular file")
        if status.st_size > most:  # Before it is read: a file with holes may be as large as one likes.
            raise _too_large(most)
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            content = opened.read(most + 1)
    finally:
        os.close(descriptor)
    if len(content) > most:
        raise _too_large(most)
    return content


def _too_large(most: int) -> OSError:
    bound = f"{most >> 20} MiB" if most >= 1 << 20 else f"{most} bytes"
    return OSError(errno.EFBIG, f"it has more than {bound}")
