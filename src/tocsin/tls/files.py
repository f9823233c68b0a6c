"""Files of certificates and keys: read once for a whole load, and noticed when they change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

from tocsin.errors import ConfigError
from tocsin.files import read_regular
from tocsin.tls.settings import ClusterTLSConfig

Mark: TypeAlias = "tuple[int, int, int] | None"

MAX_BYTES: Final = 64 << 20
"""Of a file; a revocation list of a million certificates has about forty."""
SMALL_BYTES: Final = 64 * 1024
"""Of all files together, up to which they are read and parsed within a handshake, in some milliseconds."""


def read(file: Path) -> bytes:
    """The content of a regular file, at most MAX_BYTES; ``OSError``."""
    return read_regular(file, MAX_BYTES)


class Files:
    """Each file is read once, so that everything built from it saw the same bytes."""

    def __init__(self) -> None:
        self._contents: dict[Path, bytes] = {}

    def source(self, section: str, key: str, file: Path | None, inline: bytes | None) -> tuple[str, bytes]:
        """What to call the source in messages, and its content; :class:`ConfigError` if it cannot be read."""
        if inline is not None:
            return f"{section}.{key}", inline
        assert file is not None  # noqa: S101 (the callers have checked)
        try:
            return str(file), self.read(file)
        except OSError as error:
            problem = error.strerror or str(error)
            raise ConfigError(
                str(file), f"{section}.{key}_file cannot be read: {problem}", "check path and mode"
            ) from None

    def read(self, file: Path) -> bytes:
        """The content, of the first time; ``OSError``."""
        if file not in self._contents:
            self._contents[file] = read(file)
        return self._contents[file]


def named_files(config: ClusterTLSConfig) -> tuple[Path, ...]:
    """Every file that the configuration names."""
    server, client = config.server, config.client
    found = (
        server.cert_file,
        server.key_file,
        server.client_ca_file,
        server.client_crl_file,
        client.cert_file,
        client.key_file,
        client.ca_file,
        client.crl_file,
    )
    return tuple(dict.fromkeys(file for file in found if file is not None))


def marks(files: Iterable[Path]) -> tuple[Mark, ...]:
    """What changes when a file is written or replaced, or a link on the way to it is turned elsewhere."""
    found: list[Mark] = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def are_small(found: Iterable[Mark]) -> bool:
    """Whether files of these marks may be read at once: regular ones, and small together."""
    return sum([mark[1] for mark in found if mark is not None]) <= SMALL_BYTES


def digest(files: Iterable[Path]) -> bytes:
    """Of all contents; a file that cannot be read counts as such."""
    found = hashlib.sha256()
    for file in files:
        try:
            content = read(file)
        except OSError as error:
            found.update(f"{error.errno}\n".encode())
        else:
            found.update(f"{len(content)}\n".encode())
            found.update(content)
    return found.digest()
