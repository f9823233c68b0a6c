"""Reads one message from a stream, or writes it, without holding the event loop for a long one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from tocsin.gossip.transport.base import Stream
from tocsin.gossip.wire.messages import Message
from tocsin.gossip.wire.stream import StreamDecoder

_SLICE: Final = 8 * 1024
"""Decoded before other work on the event loop gets its turn."""


async def read_message(stream: Stream, decoder: StreamDecoder) -> Message | None:
    """One message, or None when the stream ended without a byte of one.

    :class:`~tocsin.errors.WireError` and :class:`~tocsin.errors.TransportError`.
    """
    while data := await stream.read():
        for start in range(0, len(data), _SLICE):
            if start:
                await asyncio.sleep(0)
            for message in decoder.steps(data[start : start + _SLICE]):
                if message is not None:
                    return message
                await asyncio.sleep(0)
        if len(data) > _SLICE:
            await asyncio.sleep(0)
    decoder.eof()
    return None


async def write_all(stream: Stream, writes: Iterable[bytes]) -> None:
    """Each on its own. What the system takes at once makes us wait for nothing: so give way on purpose."""
    for data in writes:
        await stream.write(data)
        if len(data) > _SLICE:
            await asyncio.sleep(0)
