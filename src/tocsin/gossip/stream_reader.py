"""Reads messages off streams, and writes them, in small steps and within what peers may cost and hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterable
from time import perf_counter
from typing import Final

from tocsin.errors import TransportError
from tocsin.gossip.core.steps import Outcome, Steps
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.transport.base import Stream, Transport
from tocsin.gossip.transport.turns import SLICE, Turns
from tocsin.gossip.wire.messages import Message
from tocsin.gossip.wire.stream import StreamDecoder

MAX_HELD: Final = 192 * 1024 * 1024
MAX_HELD_OF_PEER: Final = 48 * 1024 * 1024
"""Bytes that unfinished messages may hold, of all streams and of those of one peer. The stream that goes past
it is cut."""

_BITE: Final = 8 * 1024
"""Decoded in one step at most."""


def payer(stream: Stream) -> Hashable:
    """Whom the work that comes of a stream is charged to: the peer, where that is known, else its host."""
    return getattr(stream, "peer", None) or stream.remote.host


async def write_all(stream: Stream, writes: Iterable[bytes]) -> None:
    """Each on its own. What the system takes at once makes us wait for nothing: so give way on purpose."""
    for data in writes:
        await stream.write(data)
        if len(data) > _BITE:
            await asyncio.sleep(0)


class StreamReader:
    """For all streams of one member."""

    def __init__(self, transport: Transport, statistics: DriverStatistics) -> None:
        self._transport = transport
        self._statistics = statistics
        self._held: Counter[Hashable] = Counter()

    @property
    def held(self) -> int:
        """Bytes of unfinished messages."""
        return self._held.total()

    async def read(self, stream: Stream, decoder: StreamDecoder) -> Message | None:
        """One message, or None when the stream ended without a byte of one.

        :class:`~tocsin.errors.WireError` for what is none, :class:`TransportError` when unfinished messages
        hold too much.
        """
        peer, held = payer(stream), 0
        try:
            while data := await stream.read():
                for start in range(0, len(data), _BITE):
                    message = await self.in_turns(peer, _decode(decoder, data[start : start + _BITE]))
                    if message is not None:
                        return message
                    self._held[peer] += decoder.held - held
                    held = decoder.held
                    if self._held[peer] > MAX_HELD_OF_PEER or self.held > MAX_HELD:
                        self._statistics.streams_over_memory += 1
                        raise TransportError("unfinished messages hold too much memory")
        finally:
            self._held[peer] -= held
            if not self._held[peer]:
                del self._held[peer]
        decoder.eof()
        return None

    async def in_turns(self, peer: Hashable, work: Steps[Outcome]) -> Outcome:
        """Run ``work`` to its end; others have their turns between its steps, and ``peer`` pays for it."""
        turns: Turns | None = getattr(self._transport, "turns", None)
        while True:
            if turns is None:
                await asyncio.sleep(0)
            else:
                await turns.turn(peer)
            began = perf_counter()
            try:
                while perf_counter() - began < SLICE:
                    next(work)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            finally:
                if turns is not None:
                    turns.charge(peer, began)


def _decode(decoder: StreamDecoder, data: bytes) -> Steps[Message | None]:
    for message in decoder.steps(data):
        if message is not None:
            return message
        yield
    return None
