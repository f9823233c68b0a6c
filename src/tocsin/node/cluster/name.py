"""Peer names: ULIDs, as Alertmanager makes them, and kept over a restart, which Alertmanager does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tocsin.gossip.address import Address
from tocsin.gossip.core.member import Member

_MAX_INCARNATION = 1 << 31
"""A remembered incarnation above this is not continued: the numbers must not run out."""

SHADOW: Final = "~shadow-"
"""Prefix of the name of a node in shadow without ``--cluster.peer-name``: it sorts after all letters and
digits, so that no node waits for this one."""
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(milliseconds: int, entropy: bytes) -> str:
    """26 characters of Crockford base32: 48 bits of Unix milliseconds, then 80 random bits.

    Source: the ULID specification. Sorts by time as text. ``entropy`` is 10 bytes.
    """
    if len(entropy) != 10:
        raise ValueError("a ULID takes 10 bytes of entropy")
    value = ((milliseconds & (1 << 48) - 1) << 80) | int.from_bytes(entropy, "big")
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def remembered(local: Member) -> dict[str, str]:
    """What the store keeps about this node for :func:`identity`."""
    return {
        "peer_name": local.name,
        "peer_address": str(local.address),
        "peer_incarnation": str(local.incarnation),
    }


def own_names(known: Mapping[str, str], *, shadow: bool) -> Mapping[str, str]:
    """``known``, or nothing if the name in it was made for a node in shadow and this one is not, or the other
    way around."""
    return known if known.get("peer_name", "").startswith(SHADOW) is shadow else {}


def identity(asked: str, address: Address, known: Mapping[str, str]) -> tuple[str, int]:
    """The name (``asked`` if it is not empty; empty: make one) and the first incarnation of a new run.

    A name is used again only at its old address: peers that have not heard of the end of its previous run
    refuse to see it move. It goes on past the last known incarnation, so that those peers believe it at once.
    """
    same_place = address.port != 0 and known.get("peer_address") == str(address)
    name = asked or (known.get("peer_name", "") if same_place else "")
    last = known.get("peer_incarnation", "")
    if not same_place or name != known.get("peer_name") or not (last.isascii() and last.isdecimal()):
        return name, 1
    return name, int(last) + 1 if len(last) < 11 and int(last) < _MAX_INCARNATION else 1
