"""The last events, by number. A listener that is too slow finds that some are gone."""

from __future__ import annotations

from collections import deque
from typing import Final

MAX_EVENTS: Final = 1024
MAX_BYTES: Final = 4 << 20


class EventRing:
    """Events as they are sent, each with a number one higher than the one before. ``life`` names this ring:
    the number of another one says nothing here."""

    def __init__(self, life: str, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self._life = life
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self.last = 0
        """The number of the last event."""

    @property
    def oldest(self) -> int:
        """The number before which nothing is kept."""
        return self.last - len(self._events)

    def append(self, kind: str, data: bytes) -> None:
        """One more event; the oldest go."""
        self.last += 1
        event = b"id: %b\nevent: %b\ndata: %b\n\n" % (self.id(self.last).encode(), kind.encode(), data)
        self._events.append(event)
        self._bytes += len(event)
        while len(self._events) > self._max_events or (self._bytes > self._max_bytes and self._events):
            self._bytes -= len(self._events.popleft())

    def id(self, number: int) -> str:
        """The id of an event, for ``Last-Event-ID``."""
        return f"{self._life}-{number}"

    def number(self, identifier: str) -> int | None:
        """The number of the event with that id, if all later events are still kept; else None."""
        life, _, text = identifier.rpartition("-")
        if life != self._life or not (text.isascii() and text.isdigit() and len(text) < 19):
            return None
        number = int(text)
        return number if self.oldest <= number <= self.last else None

    def after(self, number: int, max_bytes: int) -> tuple[bytes, int] | None:
        """The events after ``number``, at least one if there is one and as many as fit, and the number of the
        last of them; None if some of them are gone."""
        if number < self.oldest:
            return None
        found: list[bytes] = []
        size = 0
        for place in range(number - self.oldest, len(self._events)):
            event = self._events[place]
            if found and size + len(event) > max_bytes:
                break
            found.append(event)
            size += len(event)
        return b"".join(found), number + len(found)
