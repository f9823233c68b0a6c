"""Joins the writes of an answer."""

from __future__ import annotations

import asyncio
from typing import Any, Final

COALESCED_BYTES: Final = 64 * 1024
"""Bytes of a piece from which on it is written at once: copying it would cost more than a write."""


class CoalescingTransport:
    """Joins the writes of one iteration of the event loop into one: the head of an answer with its body.

    A write is a system call, the most expensive single step of a small answer, and wakes the client.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write at the end of this iteration, or now if it is long."""
        if len(data) > COALESCED_BYTES:
            self.flush()
            self._transport.write(data)
            return
        if not self._pieces:
            self._loop.call_soon(self.flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Once all has been written."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Write what has come so far: an answer is whole, and need not wait for the next iteration of the
        event loop."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            if not self._transport.is_closing():
                self._transport.write(b"".join(pieces))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
