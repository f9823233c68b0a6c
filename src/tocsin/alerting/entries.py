"""What replicated state is made of: entries, how many are written out, and what became of those received."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import field
from typing import Final, Protocol

from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import StateError

MAX_REASONS: Final = 16
"""How many refusals of one payload are described; the rest is counted."""

SLICE_BYTES: Final = 64 * 1024
"""Of an encoded state, some tenths of a millisecond of work."""


class RefusedEntryError(StateError):
    """One entry of a payload decodes, but must not be stored. The others of the payload are not affected."""


class Entry(Protocol):
    """What the merge needs to know of an entry."""

    @property
    def key(self) -> Hashable: ...
    @property
    def stamp(self) -> Nanoseconds: ...
    @property
    def expires_at(self) -> Nanoseconds: ...
    @property
    def encoded(self) -> bytes: ...


class EncodedSlices:
    """The encoded form of some entries, in slices of about ``slice_bytes``, each joined when it is asked for.

    Entries do not change, so that neither the order nor the time in which they are asked for counts.
    """

    def __init__(self, entries: Sequence[Entry], size: int, slice_bytes: int = SLICE_BYTES) -> None:
        self._entries = entries
        self._size = size
        self._slice_bytes = slice_bytes

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        parts: list[bytes] = []
        size = 0
        for entry in self._entries:
            parts.append(entry.encoded)
            size += len(entry.encoded)
            if size >= self._slice_bytes:
                yield b"".join(parts)
                parts.clear()
                size = 0
        if parts:
            yield b"".join(parts)


@dataclass(slots=True)
class MergeResult:
    """What became of the entries of one payload.

    ``refused`` describes at most MAX_REASONS refusals; ``refused_count`` counts all. ``unchanged`` were not
    newer than what is stored, ``expired`` were past their expiry. ``rebroadcast`` are the taken entries,
    each as one payload, if Alertmanager's rule says that the received data is to be broadcast again;
    ``fresh`` are the taken entries in any case.
    """

    taken: int = 0
    unchanged: int = 0
    expired: int = 0
    refused_count: int = 0
    refused: list[str] = field(default_factory=list)
    rebroadcast: list[bytes] = field(default_factory=list)
    fresh: list[bytes] = field(default_factory=list)

    def refuse(self, reason: str) -> None:
        """Count a refusal, and describe it if there is room."""
        self.refused_count += 1
        if len(self.refused) < MAX_REASONS:
            self.refused.append(reason)
