"""One stream of a session: its windows, and the bytes that wait on either side of them."""

from __future__ import annotations

from collections import deque
from typing import Final

from tocsin.gossip.wire.mux import MuxCode, MuxError

WRITE_AHEAD: Final = 64 * 1024
"""Bytes a writer may leave with us before it has to wait."""


class MuxStream:
    """State only; :class:`~tocsin.gossip.transport.mux.session.MuxSession` moves it.

    A stream is over when both directions have ended, or when either side reset it.
    """

    __slots__ = (
        "_chunks",
        "_outgoing",
        "credit",
        "end_queued",
        "end_received",
        "end_sent",
        "error",
        "identifier",
        "outgoing_bytes",
        "scheduled",
        "send_window",
        "unread",
    )

    def __init__(self, identifier: int, send_window: int, receive_window: int) -> None:
        self.identifier: int = identifier
        self.send_window: int = send_window
        self.credit: int = receive_window
        """Bytes the peer may still send."""
        self.unread: int = 0
        self.outgoing_bytes: int = 0
        self.end_queued: bool = False
        self.end_sent: bool = False
        self.end_received: bool = False
        self.error: str = ""
        """Why it was cut; empty while it was not."""
        self.scheduled: bool = False
        """Is queued to send."""
        self._chunks: deque[bytes] = deque()
        self._outgoing: deque[memoryview] = deque()

    @property
    def over(self) -> bool:
        """Nothing more will be sent or received."""
        return bool(self.error) or (self.end_sent and self.end_received)

    @property
    def writable(self) -> bool:
        """A writer need not wait."""
        return self.outgoing_bytes < WRITE_AHEAD

    @property
    def sendable(self) -> bool:
        """There is something that the stream's own window lets out."""
        if self.outgoing_bytes:
            return self.send_window > 0
        return self.end_queued and not self.end_sent

    def keep(self, data: bytes) -> None:
        """Data of the peer, for the reader."""
        self._chunks.append(data)
        self.unread += len(data)

    def take(self) -> bytes:
        """All that is unread."""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self.unread = 0
        return data

    def queue(self, data: bytes | memoryview) -> None:
        """Data of the writer."""
        self._outgoing.append(memoryview(data))
        self.outgoing_bytes += len(data)

    def next_piece(self, limit: int) -> memoryview:
        """At most ``limit`` bytes to send, within the window."""
        limit = min(limit, self.send_window)
        if not self._outgoing or not limit:
            return memoryview(b"")
        first = self._outgoing[0]
        if len(first) <= limit:
            self._outgoing.popleft()
            piece = first
        else:
            piece, self._outgoing[0] = first[:limit], first[limit:]
        self.send_window -= len(piece)
        self.outgoing_bytes -= len(piece)
        return piece

    def cut(self, error: str) -> int:
        """End both directions at once; how many unread bytes were dropped.

        What was read to its end before stays readable: a reset behind the end says nothing about it.
        """
        self.error = error
        self._outgoing.clear()
        self.outgoing_bytes = 0
        if self.end_received:
            return 0
        dropped = self.unread
        self._chunks.clear()
        self.unread = 0
        return dropped


def widen(window: int, increment: int, limit: int) -> int:
    """A send window after WINDOW; :class:`MuxError` past ``limit``."""
    if window + increment > limit:
        raise MuxError(MuxCode.FLOW_CONTROL, f"WINDOW raises a window past {limit}")
    return window + increment
