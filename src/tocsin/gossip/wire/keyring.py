"""AES-GCM with a ring of keys (wire 1.8).

Sealed blob: version u8, nonce of 12 bytes, ciphertext, tag of 16. Version 0 pads the plaintext to a multiple
of 16 (always 1 to 16 bytes); version 1 does not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from tocsin.errors import NotFoundError, UserError, WireError

if TYPE_CHECKING:  # Loaded with the first key.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_SIZES: Final = (16, 24, 32)
MAX_KEYS: Final = 16
"""In a ring: a forged packet costs one attempt with each."""
NONCE: Final = 12
TAG: Final = 16
_BLOCK: Final = 16
_LAYER: Final = "keyring"


def fingerprint(key: bytes) -> str:
    """32 hexadecimal digits that name a key in logs and commands without revealing it.

    128 bits, so that nobody finds a second key of the same name, nor two of one.
    """
    return hashlib.sha256(b"tocsin key fingerprint\x00" + key).hexdigest()[:32]


def encryption_version(protocol: int) -> int:
    """What a member that speaks memberlist's ``protocol`` version seals with; it opens both."""
    return 1 if protocol >= 2 else 0


class Keyring:
    """Seals with the primary key, opens with any. ``nonces`` is for tests.

    For a roll-out in a cluster of clear text: without ``verify_outgoing`` nothing is sealed, without
    ``verify_incoming`` what is not sealed is taken as it is (memberlist's ``GossipVerifyIncoming`` and
    ``GossipVerifyOutgoing``).
    """

    def __init__(
        self,
        keys: Iterable[bytes],
        *,
        version: int = 1,
        verify_incoming: bool = True,
        verify_outgoing: bool = True,
        nonces: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """The first key is the primary.

        :class:`UserError` without keys, for more than :data:`MAX_KEYS`, or for one of a wrong size.
        """
        if version not in (0, 1):
            raise UserError(f"encryption version {version} is unknown")
        self.version = version
        self.verify_incoming = verify_incoming
        self.verify_outgoing = verify_outgoing
        self._nonces = nonces
        self._keys: dict[bytes, AESGCM] = {}
        for key in keys:
            self.install(key)
        if not self._keys:
            raise UserError("a keyring needs a key")

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.fingerprints())})"

    @property
    def keys(self) -> list[bytes]:
        """The keys themselves, primary first: for the file they are kept in and for nothing else."""
        return list(self._keys)

    def find(self, name: str) -> bytes | None:
        """The installed key with this fingerprint."""
        return next((key for key in self._keys if fingerprint(key) == name), None)

    def fingerprints(self) -> list[str]:
        """The keys' fingerprints, primary first."""
        return [fingerprint(key) for key in self._keys]

    @property
    def overhead(self) -> int:
        """Bytes that sealing adds at most."""
        return 1 + NONCE + TAG + (_BLOCK if self.version == 0 else 0)

    def sealed_length(self, length: int) -> int:
        """How long the blob for ``length`` bytes is."""
        padding = _BLOCK - length % _BLOCK if self.version == 0 else 0
        return 1 + NONCE + length + padding + TAG

    def install(self, key: bytes) -> None:
        """Add a key to open with; the primary stays."""
        if len(key) not in KEY_SIZES:
            raise UserError(f"a key has 16, 24 or 32 bytes, not {len(key)}")
        if key not in self._keys and len(self._keys) >= MAX_KEYS:
            raise UserError(f"a keyring holds at most {MAX_KEYS} keys: remove one first")
        self._keys.setdefault(key, _cipher(key))

    def use(self, key: bytes) -> None:
        """Make an installed key the primary; :class:`NotFoundError` otherwise."""
        if key not in self._keys:
            raise NotFoundError(f"key {fingerprint(key)} is not installed")
        rest = {other: cipher for other, cipher in self._keys.items() if other != key}
        self._keys = {key: self._keys[key], **rest}

    def remove(self, key: bytes) -> None:
        """Forget a key; the primary cannot be removed. One that is not installed is forgotten already."""
        if key == next(iter(self._keys)):
            raise UserError("the primary key cannot be removed: make another one the primary first")
        self._keys.pop(key, None)

    def replace(self, keys: Iterable[bytes]) -> None:
        """Hold these keys from now on, the first as the primary; :class:`UserError` as when it was made."""
        self._keys = Keyring(keys)._keys

    def seal(self, data: bytes, additional: bytes, key: bytes | None = None) -> bytes:
        """The sealed blob for ``data``; with another ``key`` than the primary if one is given."""
        if self.version == 0:
            padding = _BLOCK - len(data) % _BLOCK
            data += bytes((padding,)) * padding
        nonce = self._nonces(NONCE)
        cipher = next(iter(self._keys.values())) if key is None else _cipher(key)
        return bytes((self.version,)) + nonce + cipher.encrypt(nonce, data, additional)

    def open(self, blob: bytes | memoryview, additional: bytes) -> bytes:
        """What was sealed; :class:`WireError` when no key fits."""
        return self.open_and_name(blob, additional)[0]

    def open_and_name(self, blob: bytes | memoryview, additional: bytes) -> tuple[bytes, bytes]:
        """What was sealed and the key that opened it; :class:`WireError` when no key fits."""
        return next(found for found in self.attempts(blob, additional) if found is not None)

    def attempts(self, blob: bytes | memoryview, additional: bytes) -> Iterator[tuple[bytes, bytes] | None]:
        """As :meth:`open_and_name`, a key at a time: None after each that does not fit."""
        if len(blob) < 1 + NONCE + TAG:
            raise WireError(_LAYER, "cut")
        from cryptography.exceptions import InvalidTag

        version = blob[0]
        if version > 1:
            raise WireError(_LAYER, f"encryption version {version} is unknown")
        nonce, sealed = blob[1 : 1 + NONCE], blob[1 + NONCE :]
        for key, cipher in list(self._keys.items()):
            try:
                data = cipher.decrypt(nonce, sealed, additional)
            except InvalidTag:
                yield None
                continue
            yield (data if version == 1 else _unpad(data)), key
            return
        raise WireError(_LAYER, "no installed key opens it")


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _unpad(data: bytes) -> bytes:
    padding = data[-1] if data else 0
    if not 1 <= padding <= min(_BLOCK, len(data)):
        raise WireError(_LAYER, "bad padding")
    return data[:-padding]
