"""Peer names: ULIDs, as Alertmanager makes them."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(milliseconds: int, entropy: bytes) -> str:
    """26 characters of Crockford base32: 48 bits of Unix milliseconds, then 80 random bits.

    Source: the ULID specification. Sorts by time as text. ``entropy`` is 10 bytes.
    """
    if len(entropy) != 10:
        raise ValueError("a ULID takes 10 bytes of entropy")
    value = ((milliseconds & (1 << 48) - 1) << 80) | int.from_bytes(entropy, "big")
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))
