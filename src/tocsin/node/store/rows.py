"""Rows of the journal: an entry's key, version and bytes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, NamedTuple
from zlib import crc32

from tocsin.alerting.entries import Entry
from tocsin.alerting.protocol.delimited import read_delimited
from tocsin.alerting.replicated import EntryTombstone
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds
from tocsin.errors import StateError
from tocsin.node.store.kinds import KINDS

_STAMP_BYTES: Final = 9
"""Nanoseconds since year 1, up to year 9999, need 69 bits; SQLite's integers have 63."""
_LATEST_SECOND: Final = 1 << 62


class Row(NamedTuple):
    """One row of the table ``entries``.

    ``stamp`` sorts as bytes as it does as a time. ``expires`` is the first whole second of the Unix epoch at
    which the row may be deleted: when no version of the entry lives anywhere any more. ``data`` is the
    delimited protobuf message as it came or was made; empty for a tombstone.
    """

    kind: str
    key: bytes
    stamp: bytes
    expires: int
    data: bytes


def checksum(kind: str, key: bytes, stamp: bytes, expires: int, data: bytes) -> int:
    """CRC-32 of a row: SQLite notices damage to its own structures, but not to what is stored in them."""
    head = f"{kind} {expires} {len(key)} {len(stamp)} ".encode("utf-8", "surrogatepass")
    return crc32(b"".join((head, key, stamp, data)))


def meta_checksum(name: str, value: str) -> int:
    """CRC-32 of a row of the table ``meta``, for the same reason."""
    return crc32(f"{len(name)} {name}{value}".encode("utf-8", "surrogatepass"))


def row_of(kind: str, entry: Entry, until: Nanoseconds) -> Row:
    """The row of ``entry``; ``until``: when its last known version expires."""
    expires = entry.expires_at
    return Row(
        kind,
        KINDS[kind].key_bytes(entry.key),
        stamp_bytes(entry.stamp),
        whole_second(expires if expires > until else until),
        entry.encoded,
    )


def tombstone_row(kind: str, key: Hashable, tombstone: EntryTombstone) -> Row:
    """The row of a tombstone."""
    stamp, expires = stamp_bytes(tombstone.stamp), whole_second(tombstone.until)
    return Row(kind, KINDS[kind].key_bytes(key), stamp, expires, b"")


def whole_second(moment: Nanoseconds) -> int:
    """The first second of the Unix epoch that is not before ``moment``, within what SQLite can hold."""
    second = -(-moment // SECOND)
    if -_LATEST_SECOND <= second <= _LATEST_SECOND:
        return second
    return _LATEST_SECOND if second > 0 else -_LATEST_SECOND


def key_of(kind: str, key: bytes) -> Hashable:
    """Decode the key in a row; ValueError for an invalid one."""
    return KINDS[kind].key_of(key)


def stamp_of(stamp: bytes) -> Nanoseconds:
    """Decode :func:`stamp_bytes`; ValueError for invalid bytes."""
    if len(stamp) != _STAMP_BYTES:
        raise ValueError(f"a stamp of {len(stamp)} bytes")
    return int.from_bytes(stamp, "big") + ZERO


def stamp_bytes(stamp: Nanoseconds) -> bytes:
    """A stamp that sorts as bytes."""
    return (stamp - ZERO if stamp > ZERO else 0).to_bytes(_STAMP_BYTES, "big")


def wins_tie(kind: str, data: bytes, stored: bytes) -> bool:
    """Of two versions with one stamp, whether ``data`` is the one that the merge in memory chooses."""
    if not data or not stored:
        return not data  # a tombstone: the entry was there, and its time was over
    canonical = KINDS[kind].canonical
    try:
        offered = canonical(next(read_delimited(data)))
    except StateError:
        return False
    try:
        return offered > canonical(next(read_delimited(stored)))
    except (StateError, StopIteration):
        return True  # what is stored cannot be read
