"""What waits to be sent on a connection, and in which order it goes."""

from __future__ import annotations

from collections import deque
from typing import Final

from tocsin.bounded import PacketQueue
from tocsin.gossip.transport.mux.settings import MuxConfig, MuxStatistics
from tocsin.gossip.transport.mux.stream import MuxStream
from tocsin.gossip.wire import mux as wire
from tocsin.gossip.wire.mux import MAX_PAYLOAD

BATCH: Final = 64 * 1024
"""About as many bytes leave in one write: what comes after it has to wait for no more."""


class Outgoing:
    """Control frames first, then packets, then frames of the streams, round robin.

    Streams get a quarter of each batch, so that packets without end do not starve them.
    """

    __slots__ = (
        "_packet_rest",
        "_packets",
        "_ready",
        "_sent",
        "_sent_bytes",
        "_statistics",
        "control",
        "send_window",
    )

    def __init__(self, config: MuxConfig, statistics: MuxStatistics) -> None:
        self.control: deque[bytes] = deque()
        self.send_window: int = 0
        """Bytes that may be sent on all streams together."""
        self._statistics = statistics
        self._packets = PacketQueue(config.max_queued_packets, config.max_queued_bytes)
        self._packet_rest: memoryview | None = None
        self._ready: deque[MuxStream] = deque()
        self._sent = 0
        self._sent_bytes = 0

    @property
    def packet_bytes(self) -> int:
        """Bytes of the packets that wait."""
        return self._packets.size

    @property
    def packets_wait(self) -> bool:
        """A packet, or a part of one, is still to be sent."""
        return bool(self._packets) or self._packet_rest is not None

    def queue_packet(self, data: bytes) -> None:
        """A full queue drops its oldest, and counts."""
        if dropped := self._packets.push(data):
            self._statistics.packets_dropped["queue_full"] += dropped

    def take_packets(self) -> list[bytes]:
        """Those of which nothing was sent, given back."""
        return self._packets.take_all()

    def take_sent(self) -> tuple[int, int]:
        """How many packets, and bytes of them, were packed since the last call."""
        sent = self._sent, self._sent_bytes
        self._sent = self._sent_bytes = 0
        return sent

    def schedule(self, stream: MuxStream) -> None:
        """Queue it, if it has something to send."""
        if not stream.scheduled and stream.sendable:
            stream.scheduled = True
            self._ready.append(stream)

    def pack(self, limit: int, *, everything: bool) -> tuple[list[bytes | memoryview], list[MuxStream]]:
        """Parts of about ``limit`` bytes, and the streams of which something is among them.

        Control frames alone unless ``everything``.
        """
        parts: list[bytes | memoryview] = []
        size = 0
        control = self.control
        while control and size < limit:
            parts.append(control.popleft())
            size += len(parts[-1])
        if not everything:
            return parts, []
        size = self._pack_packets(parts, size, limit * 3 // 4 if self._ready else limit)
        return parts, self._pack_streams(parts, size, limit) if self._ready else []

    def _pack_packets(self, parts: list[bytes | memoryview], size: int, limit: int) -> int:
        packets = self._packets
        while size < limit and (packets or self._packet_rest is not None):
            rest = self._packet_rest
            if rest is None:
                data = packets.pop()
                self._sent += 1
                self._sent_bytes += len(data)
                if len(data) <= MAX_PAYLOAD:
                    parts.append(wire.encode_header(wire.PACKET, 0, len(data), 0))
                    parts.append(data)
                    size += wire.HEADER_SIZE + len(data)
                    continue
                rest = memoryview(data)
            piece, rest = rest[:MAX_PAYLOAD], rest[MAX_PAYLOAD:]
            parts.append(wire.encode_header(wire.PACKET, wire.FLAG_MORE if rest else 0, len(piece), 0))
            parts.append(piece)
            size += wire.HEADER_SIZE + len(piece)
            self._packet_rest = rest or None
        return size

    def _pack_streams(self, parts: list[bytes | memoryview], size: int, limit: int) -> list[MuxStream]:
        ready = self._ready
        moved: dict[int, MuxStream] = {}
        without_room = 0
        while size < limit and without_room < len(ready):
            stream = ready.popleft()
            if stream.error or not stream.sendable:
                stream.scheduled = False
                continue
            piece = stream.next_piece(min(MAX_PAYLOAD, self.send_window))
            if not piece and stream.outgoing_bytes:
                without_room += 1  # The connection's window is used up; the end of a stream needs none.
                ready.append(stream)
                continue
            self.send_window -= len(piece)
            stream.end_sent = stream.end_queued and not stream.outgoing_bytes
            flags = wire.FLAG_END if stream.end_sent else 0
            parts.append(wire.encode_header(wire.DATA, flags, len(piece), stream.identifier))
            parts.append(piece)
            size += wire.HEADER_SIZE + len(piece)
            moved[stream.identifier] = stream
            if stream.sendable:
                ready.append(stream)
            else:
                stream.scheduled = False
        return list(moved.values())
