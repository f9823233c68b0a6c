"""Cookies: a peer must show that it receives at its address before anything is kept for it.

Source: RFC 6347, 4.2.1.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

from tocsin.gossip.address import Address

ROTATION: Final = 60.0
"""Seconds that a secret is in use; the one before it is accepted as long again."""


class Cookies:
    """Makes and checks them; keeps nothing but two secrets.

    A cookie is HMAC-SHA256 over the sender's address and its hello, so it serves that hello alone.
    """

    def __init__(self, secret: Callable[[], bytes]) -> None:
        """``secret()`` gives 32 bytes that nobody can guess, new ones each time."""
        self._secret = secret
        self._current = secret()
        self._previous = secret()
        self._since: float | None = None

    def make(self, source: Address, parameters: bytes, now: float) -> bytes:
        """The 32 bytes for this hello from this address."""
        self._rotate(now)
        return _cookie(self._current, source, parameters)

    def check(self, cookie: bytes, source: Address, parameters: bytes, now: float) -> bool:
        """Whether it was made here, for the same, within the last two rotations."""
        self._rotate(now)
        current = hmac.compare_digest(cookie, _cookie(self._current, source, parameters))
        previous = hmac.compare_digest(cookie, _cookie(self._previous, source, parameters))
        return current or previous

    def _rotate(self, now: float) -> None:
        if self._since is None:
            self._since = now
        if now - self._since < ROTATION:
            return
        self._previous = self._current if now - self._since < 2 * ROTATION else self._secret()
        self._current = self._secret()
        self._since = now


def _cookie(secret: bytes, source: Address, parameters: bytes) -> bytes:
    packed = source.packed
    content = bytes([len(packed)]) + packed + source.port.to_bytes(2, "big") + parameters
    return hmac.digest(secret, content, "sha256")
