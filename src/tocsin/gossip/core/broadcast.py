"""The queue of messages to be piggybacked and gossiped (SWIM 4.1, wire 2.5)."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort

from tocsin.dataclass import dataclass

PART_OVERHEAD = 2
"""Bytes that a compound packet's length table spends on each message."""

Name = str | tuple[str, str]


def transmit_limit(multiplier: int, count: int) -> int:
    """Into how many packets each message goes, in a cluster of ``count`` members."""
    return multiplier * math.ceil(math.log10(count + 1))


@dataclass(slots=True)
class _Queued:
    identifier: int
    name: Name | None
    message: bytes
    transmits: int


class _Tier:
    """The messages sent equally often, by size; identifiers ascend, so the last is the newest."""

    __slots__ = ("buckets", "sizes")

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.buckets: dict[int, list[int]] = {}

    def add(self, size: int, identifier: int) -> None:
        bucket = self.buckets.get(size)
        if bucket is None:
            self.buckets[size] = [identifier]
            insort(self.sizes, size)
        elif identifier > bucket[-1]:
            bucket.append(identifier)
        else:
            insort(bucket, identifier)

    def discard(self, size: int, identifier: int) -> None:
        bucket = self.buckets[size]
        del bucket[bisect_left(bucket, identifier)]
        self._drop_if_empty(size, bucket)

    def take_largest(self, fits: int) -> int | None:
        """The newest of the largest messages of at most ``fits`` bytes."""
        index = bisect_right(self.sizes, fits)
        if index == 0:
            return None
        size = self.sizes[index - 1]
        bucket = self.buckets[size]
        identifier = bucket.pop()
        self._drop_if_empty(size, bucket)
        return identifier

    def oldest_of_smallest(self) -> int:
        return self.buckets[self.sizes[0]][0]

    def _drop_if_empty(self, size: int, bucket: list[int]) -> None:
        if not bucket:
            del self.buckets[size]
            del self.sizes[bisect_left(self.sizes, size)]


class BroadcastQueue:
    """Messages waiting for room in packets, each to go into a limited number of them.

    Order: least sent first; among those the largest that still fits; among equals the newest. A message with
    a name replaces the queued one of the same name. Past ``max_messages`` or ``max_bytes`` the back of the
    order (most sent, smallest, oldest) is dropped and counted in ``dropped``. Every operation is logarithmic
    in the queue's length, so thousands of entries cost a packet no more than a few.
    """

    __slots__ = (
        "_bytes",
        "_identifier",
        "_max_bytes",
        "_max_messages",
        "_messages",
        "_names",
        "_tiers",
        "dropped",
    )

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages: dict[int, _Queued] = {}
        self._names: dict[Name, int] = {}
        self._tiers: dict[int, _Tier] = {}
        self._identifier = 0
        self._bytes = 0
        self.dropped: int = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def size(self) -> int:
        """Bytes of all queued messages."""
        return self._bytes

    @property
    def fresh(self) -> bool:
        """Whether any message was never sent."""
        return 0 in self._tiers

    def holds(self, name: str) -> bool:
        """Whether a message of that name is still to be sent."""
        return name in self._names

    def add(self, message: bytes, name: Name | None = None) -> None:
        """Queue an encoded message, replacing the one of the same ``name``."""
        if name is not None:
            self.withdraw(name)
        self._identifier += 1
        self._insert(_Queued(self._identifier, name, message, 0))
        while len(self._messages) > self._max_messages or self._bytes > self._max_bytes:
            back = self._tiers[max(self._tiers)].oldest_of_smallest()
            self._remove(self._messages[back])
            self.dropped += 1

    def withdraw(self, name: Name) -> None:
        """Send the message of that name no more, if there is one."""
        if (withdrawn := self._names.get(name)) is not None:
            self._remove(self._messages[withdrawn])

    def take(self, budget: int, limit: int, max_parts: int) -> list[bytes]:
        """Messages for one packet: at most ``max_parts`` in ``budget`` bytes, :data:`PART_OVERHEAD` included.

        Each has then been sent once more; one that reached ``limit`` is finished. No message twice.
        """
        return self._take(sorted(self._tiers), budget, limit, max_parts)

    def _take(self, tiers: list[int], budget: int, limit: int, max_parts: int) -> list[bytes]:
        taken: list[_Queued] = []
        for transmits in tiers:
            tier = self._tiers[transmits]
            while len(taken) < max_parts:
                identifier = tier.take_largest(budget - PART_OVERHEAD)
                if identifier is None:
                    break
                queued = self._messages[identifier]
                budget -= PART_OVERHEAD + len(queued.message)
                taken.append(queued)
            if not tier.sizes:
                del self._tiers[transmits]
        for queued in taken:
            self._forget(queued)
            queued.transmits += 1
            if queued.transmits < limit:
                self._insert(queued)
        return [queued.message for queued in taken]

    def take_fresh(self, budget: int, limit: int, max_parts: int) -> list[bytes]:
        """As :meth:`take`, but only messages that were never sent."""
        return self._take([0] if self.fresh else [], budget, limit, max_parts)

    def _insert(self, queued: _Queued) -> None:
        self._messages[queued.identifier] = queued
        if queued.name is not None:
            self._names[queued.name] = queued.identifier
        self._bytes += len(queued.message)
        tier = self._tiers.get(queued.transmits)
        if tier is None:
            tier = self._tiers[queued.transmits] = _Tier()
        tier.add(len(queued.message), queued.identifier)

    def _remove(self, queued: _Queued) -> None:
        tier = self._tiers[queued.transmits]
        tier.discard(len(queued.message), queued.identifier)
        if not tier.sizes:
            del self._tiers[queued.transmits]
        self._forget(queued)

    def _forget(self, queued: _Queued) -> None:
        del self._messages[queued.identifier]
        if queued.name is not None:
            del self._names[queued.name]
        self._bytes -= len(queued.message)
