"""Events as asynchronous iterators, each with a bound; an event says how many did not fit."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Final, Self

from tocsin.dataclass import dataclass
from tocsin.errors import UserError
from tocsin.gossip.core.effects import Event, RemoteState, UserMessage
from tocsin.gossip.services.statistics import ServiceStatistics

MAX_EVENTS: Final = 1024
"""Events that wait in one stream, by default."""
MAX_EVENT_BYTES: Final = 64 * 1024 * 1024
"""Of payloads that wait in one stream."""


@dataclass(frozen=True, slots=True)
class EventsDropped:
    """Here ``count`` events are missing: the reader was too slow, and the oldest ones had to go.

    What was missed of the members is in ``Gossip.members``; of messages nothing is kept.
    """

    count: int


class EventStream:
    """The events since it was made, in order. ``async for`` ends when the member is closed.

    One reader at a time. It is a context manager too: leaving it ends the stream.
    """

    def __init__(self, streams: EventStreams, maximum: int) -> None:
        self._streams = streams
        self._maximum = maximum
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._dropped = 0
        self._closed = False
        self._changed = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event | EventsDropped:
        """The next event, or how many of them are missing before it."""
        while not self._events and not self._dropped:
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return EventsDropped(dropped)
        event = self._events.popleft()
        self._bytes -= _weight(event)
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take no more events. Those that wait can still be read."""
        self._closed = True
        self._changed.set()
        self._streams.forget(self)

    def push(self, event: Event) -> int:
        """Take one; how many had to go for it."""
        self._events.append(event)
        self._bytes += _weight(event)
        gone = 0
        while len(self._events) > self._maximum or (self._bytes > MAX_EVENT_BYTES and len(self._events) > 1):
            self._bytes -= _weight(self._events.popleft())
            gone += 1
        self._dropped += gone
        self._changed.set()
        return gone


class EventStreams:
    """All streams of one member."""

    def __init__(self, statistics: ServiceStatistics) -> None:
        self._statistics = statistics
        self._streams: set[EventStream] = set()

    def open(self, maximum: int) -> EventStream:
        """A new one; :class:`~tocsin.errors.UserError` for a bound below 1."""
        if maximum < 1:
            raise UserError(f"a stream of events holds at least 1, not {maximum}")
        stream = EventStream(self, maximum)
        self._streams.add(stream)
        return stream

    def emit(self, event: Event) -> None:
        """To all."""
        for stream in self._streams:
            self._statistics.events_dropped += stream.push(event)

    def forget(self, stream: EventStream) -> None:
        """It takes no more."""
        self._streams.discard(stream)

    def close(self) -> None:
        """End all."""
        for stream in list(self._streams):
            stream.close()


def _weight(event: Event) -> int:
    return len(event.payload) if isinstance(event, UserMessage | RemoteState) else 0
