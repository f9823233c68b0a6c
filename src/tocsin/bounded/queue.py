"""Packets that wait to be sent to one destination."""

from __future__ import annotations

from collections import deque


class PacketQueue:
    """First in, first out. A full queue drops its oldest packets, never the newest.

    ``max_packets`` and ``max_bytes`` hold after every :meth:`push`. A packet longer than ``max_bytes`` is
    queued alone: its own bound is elsewhere.
    """

    __slots__ = ("_max_bytes", "_max_packets", "_packets", "size")

    def __init__(self, max_packets: int, max_bytes: int) -> None:
        self._max_packets = max_packets
        self._max_bytes = max_bytes
        self._packets: deque[bytes] = deque()
        self.size: int = 0
        """Bytes of all queued packets."""

    def __len__(self) -> int:
        return len(self._packets)

    def push(self, data: bytes) -> int:
        """Queue ``data``; how many older packets were dropped for it."""
        packets = self._packets
        packets.append(data)
        self.size += len(data)
        dropped = 0
        while len(packets) > 1 and (len(packets) > self._max_packets or self.size > self._max_bytes):
            self.size -= len(packets.popleft())
            dropped += 1
        return dropped

    def pop(self) -> bytes:
        """Remove and return the oldest packet; ``IndexError`` when there is none."""
        data = self._packets.popleft()
        self.size -= len(data)
        return data

    def put_back(self, data: bytes) -> None:
        """Queue ``data``, which :meth:`pop` returned, as the oldest again."""
        self._packets.appendleft(data)
        self.size += len(data)

    def take_all(self) -> list[bytes]:
        """Remove and return all packets, oldest first."""
        packets = list(self._packets)
        self._packets.clear()
        self.size = 0
        return packets

    def clear(self) -> int:
        """Drop all packets; how many there were."""
        return len(self.take_all())
