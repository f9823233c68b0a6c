"""What both sides of an exchange need of a replicated state."""

from __future__ import annotations

from typing import Final, Protocol

from tocsin.alerting.digest.messages import Message
from tocsin.alerting.digest.tree import DigestTree, Tombstone, cutoff_of
from tocsin.alerting.skew import MAX_SKEW
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.errors import StateError

ENTRY_BYTES_AT_ONCE: Final = 192 * 1024
WANTS_AT_ONCE: Final = 2_000


class Replica(Protocol):
    """One replicated state, as an exchange needs it."""

    @property
    def digests(self) -> DigestTree: ...
    def encoded(self, identity: bytes) -> bytes | None: ...
    def add_tombstone(self, identity: bytes, tombstone: Tombstone, now: Nanoseconds) -> bool: ...


def gather(replica: Replica, identities: list[bytes], budget: int) -> tuple[list[bytes], int]:
    """The entries of the first identities, up to ``budget`` bytes but at least one; how many those are."""
    found: list[bytes] = []
    size = 0
    for position, identity in enumerate(identities):
        entry = replica.encoded(identity)
        if entry is None:
            continue
        if found and size + len(entry) > budget:
            return found, position
        found.append(entry)
        size += len(entry)
    return found, len(identities)


def check_cutoff(message: Message, now: Nanoseconds) -> None:
    """What expires before it counts as absent: at one far ahead any two states are equal."""
    if message.envelope.cutoff > cutoff_of(now + MAX_SKEW):
        raise StateError("a digest message as of further in the future than clocks may be apart")
