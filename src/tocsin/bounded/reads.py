"""Received bytes that wait for a reader."""

from __future__ import annotations

from collections import deque


class ReadBuffer:
    """Chunks in order of arrival. Its owner stops reading at ``limit`` bytes, and goes on below it.

    The last chunk may exceed the limit: it was received already.
    """

    __slots__ = ("_chunks", "_limit", "paused", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self.size = 0
        """Bytes of all chunks."""
        self.paused = False
        """The owner was asked to stop reading, and not yet to go on."""

    def __len__(self) -> int:
        return len(self._chunks)

    def push(self, data: bytes) -> bool:
        """Add a chunk; True when the owner must stop reading now."""
        self._chunks.append(data)
        self.size += len(data)
        if self.paused or self.size < self._limit:
            return False
        self.paused = True
        return True

    def pop(self) -> tuple[bytes, bool]:
        """Remove and return the oldest chunk, and whether the owner may read again now.

        ``IndexError`` when there is none.
        """
        data = self._chunks.popleft()
        self.size -= len(data)
        resume = self.paused and self.size < self._limit
        if resume:
            self.paused = False
        return data, resume

    def clear(self) -> None:
        """Drop all chunks. Does not change :attr:`paused`."""
        self._chunks.clear()
        self.size = 0
