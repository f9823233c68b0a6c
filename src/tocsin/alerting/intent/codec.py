"""Intents as bytes.

A payload is what one node says: version (1 byte, 1), length of its name (1 byte), its name, then records of
39 bytes each, big-endian: kind (1), position (2), time to live in milliseconds (4), number (8), value (8),
key (16). ``number`` grows with each new intent of a node. ``value`` is the content's digest, or, for a done
intent, the timestamp of the log entry it left (to compare entries by, never to compare with a clock).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from hashlib import blake2b
from struct import Struct
from typing import Final

from tocsin.alerting.nflog import Receiver
from tocsin.dataclass import dataclass
from tocsin.errors import StateError

KEY: Final = "tcn.intent"
"""The key of the Part that carries a payload. Alertmanager ignores keys it does not know."""
VERSION: Final = 1
MAX_PAYLOAD: Final = 64 * 1024
MAX_NAME: Final = 255
RECORDS_PER_PAYLOAD: Final = 24
"""So that a payload fits one packet, whatever the name."""

_RECORD: Final = Struct(">BHIQQ16s")
_UINT64: Final = (1 << 64) - 1


class Kind(IntEnum):
    """How far an intent is. It only ever grows."""

    CLAIM = 1
    """About to send, unless somebody with a better claim is heard of in time."""
    SENDING = 2
    """An attempt is under way."""
    DONE = 3
    """The receiver took it; the log entry is on its way."""
    RELEASED = 4
    """The attempt failed, or was not made: anybody may try."""


@dataclass(frozen=True, slots=True)
class Record:
    """One intent as announced. ``ttl`` is in milliseconds."""

    kind: Kind
    position: int
    ttl: int
    number: int
    value: int
    key: bytes


def key_of(receiver: Receiver, group_key: str) -> bytes:
    """What an intent is about, 16 bytes: one group at one integration."""
    digest = blake2b(digest_size=16)
    for text in (receiver.group_name, receiver.integration, str(receiver.index), group_key):
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    return digest.digest()


def content_of(firing: Sequence[int], resolved: Sequence[int]) -> int:
    """What a notification says, 64 bits: which alerts fire and which are resolved, in any order."""
    digest = blake2b(digest_size=8)
    for hashes in (firing, resolved):
        digest.update(len(hashes).to_bytes(4, "big"))
        for value in sorted(hashes):
            digest.update((value & _UINT64).to_bytes(8, "big"))
    return int.from_bytes(digest.digest(), "big")


def encode(name: str, records: Iterable[Record]) -> Iterator[bytes]:
    """Payloads that hold ``records``."""
    sender = name.encode("utf-8", "surrogatepass")[:MAX_NAME]
    head = bytes((VERSION, len(sender))) + sender
    packed = [
        _RECORD.pack(one.kind, min(one.position, 0xFFFF), one.ttl, one.number, one.value & _UINT64, one.key)
        for one in records
    ]
    for start in range(0, len(packed), RECORDS_PER_PAYLOAD):
        yield head + b"".join(packed[start : start + RECORDS_PER_PAYLOAD])


def decode(payload: bytes) -> tuple[str, list[Record]]:
    """The sender's name and its records. Raises StateError for anything else."""
    if len(payload) > MAX_PAYLOAD:
        raise StateError(f"intents of {len(payload)} bytes, the limit is {MAX_PAYLOAD}")
    if len(payload) < 2 or payload[0] != VERSION:
        raise StateError("intents of an unknown version")
    start = 2 + payload[1]
    if start == 2 or len(payload) < start or (len(payload) - start) % _RECORD.size:
        raise StateError("intents cut short")
    try:
        name = payload[2:start].decode("utf-8", "surrogatepass")
        records = [Record(Kind(kind), *rest) for kind, *rest in _RECORD.iter_unpack(payload[start:])]
    except ValueError:  # UnicodeDecodeError is one
        raise StateError("intents with an impossible name or kind") from None
    return name, records
