"""``--cluster.keyring-file``: a JSON list of keys in base64, as serf's; the first one seals."""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.errors import ConfigError, StorageError, UserError
from tocsin.files import read_regular
from tocsin.gossip.core.local import VERSIONS
from tocsin.gossip.wire.keyring import KEY_SIZES, MAX_KEYS, Keyring, encryption_version, fingerprint
from tocsin.node.config.flags import NodeFlags
from tocsin.node.log import Logger

__all__ = [
    "KeyringFile",
    "decode_key",
    "encode_key",
    "fingerprint",
    "make_keyring",
    "read_keys",
    "readable_by_others",
    "write_keys",
]

MAX_BYTES: Final = 64 * 1024
_MEND: Final = 'write a list such as ["BASE64"]; tocsinctl keyring generate --file makes one'


@dataclass(frozen=True, slots=True)
class KeyringFile:
    """A keyring and where it is kept."""

    path: Path
    keyring: Keyring

    def save(self, keys: Sequence[bytes]) -> None:
        """Replace the file's keys by ``keys`` atomically, with mode 0600; blocks. :class:`StorageError` when
        that fails; the old file is then unchanged.
        """
        write_keys(self.path, keys)


def make_keyring(flags: NodeFlags) -> KeyringFile | None:
    """What ``--cluster.keyring-file`` holds, None without; :class:`ConfigError`. Warns of a file that others
    may read."""
    if not flags.cluster_keyring_file:
        return None
    path, log = Path(flags.cluster_keyring_file), Logger("tocsin.cluster", component="cluster")
    keys = read_keys(path)
    if readable_by_others(path):
        log.warn("the keyring file can be read by others than its owner: chmod 600 it", file=str(path))
    version = encryption_version(VERSIONS[2])
    keyring = Keyring(
        keys,
        version=version,
        verify_incoming=flags.cluster_keyring_verify_incoming,
        verify_outgoing=flags.cluster_keyring_verify_outgoing,
    )
    if not (keyring.verify_incoming and keyring.verify_outgoing):
        log.warn(
            "the keyring is being rolled out: clear text is still part of the cluster's traffic",
            verify_incoming=keyring.verify_incoming,
            verify_outgoing=keyring.verify_outgoing,
        )
    return KeyringFile(path, keyring)


def read_keys(path: Path) -> list[bytes]:
    """The keys in a file, the primary first. :class:`ConfigError`, which never shows what is in it."""
    place = str(path)
    try:
        content = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise ConfigError(place, f"cannot be read: {error.strerror}", _MEND) from None
    try:
        listed = json.loads(content)
    except (ValueError, RecursionError):
        raise ConfigError(place, "is not JSON", _MEND) from None
    if not isinstance(listed, list) or not listed:
        raise ConfigError(place, "is not a list of keys", _MEND)
    if len(listed) > MAX_KEYS:
        raise ConfigError(place, f"holds {len(listed)} keys, at most {MAX_KEYS} are allowed", "remove some")
    found = []
    for number, text in enumerate(listed, 1):
        try:
            found.append(decode_key(text if isinstance(text, str) else ""))
        except UserError as error:
            raise ConfigError(place, f"key {number}: {error}", _MEND) from None
    return list(dict.fromkeys(found))


def decode_key(text: str) -> bytes:
    """A key from its base64; :class:`UserError`, which does not show it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise UserError("is not base64") from None
    if len(key) not in KEY_SIZES:
        raise UserError(f"has {len(key)} bytes, not 16, 24 or 32")
    return key


def encode_key(key: bytes) -> str:
    """A key as the file and serf write it."""
    return base64.b64encode(key).decode()


def readable_by_others(path: Path) -> bool:
    """Whether anybody but the file's owner may read or write it."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


def write_keys(path: Path, keys: Sequence[bytes], *, new: bool = False) -> None:
    """Write a keyring file with mode 0600: the whole of it or nothing. ``new``: it must not be there yet.

    :class:`StorageError` when that fails.
    """
    path = Path(os.path.realpath(path))  # If the path is a link, replace its target.
    text = json.dumps([encode_key(key) for key in keys], indent=2) + "\n"
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(descriptor)
            if new:
                os.link(temporary, path)
                temporary.unlink()
            else:
                temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StorageError(f"the keyring file {path} cannot be written: {error.strerror}") from None
