"""Checks for changes while there are listeners, and sends events to all of them."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from tocsin.bounded import Quota
from tocsin.dataclass import dataclass
from tocsin.node.events.ring import EventRing
from tocsin.sources import source_of

if TYPE_CHECKING:
    from tocsin.models.events import Greeting, Kind

_log = logging.getLogger(__name__)

CHECK_INTERVAL: Final = 0.25
"""Seconds between checks; changes in between become one event of each kind."""
HEARTBEAT: Final = 15.0
"""Seconds without an event, after which a comment is sent: proxies close silent connections."""
KEPT: Final = 60.0
"""Seconds for which the node goes on checking after the last listener has left, as it may reconnect."""
LONGEST: Final = 3600.0
"""Seconds of a stream; then the client reconnects, and authenticates anew."""
RETRY: Final = 2000
"""Milliseconds after which a browser reconnects."""
MAX_STREAMS: Final = 128
USER_SHARE: Final = 8
ADDRESS_SHARE: Final = 2
"""So many users, or addresses of clients that the node does not know by name (of IPv6: /64), take all of
them."""
MAX_WRITE: Final = 64 * 1024
"""Bytes that are written to a listener at once; what it has not taken yet waits in the ring."""


class Watched(Protocol):
    """The source of changes. All methods are quick."""

    def watch_for(self, on: bool) -> None:
        """Whether to remember changes from now on."""
        ...

    def changes(self) -> Sequence[tuple[Kind, Sequence[str], int]]:
        """What has changed since the last call: kinds, ids, and how many are not named."""
        ...


@dataclass(slots=True)
class EventStatistics:
    """For the metrics."""

    streams: int = 0
    streams_refused: int = 0
    """Past a bound."""
    told: int = 0
    resets: int = 0
    """Times that a listener got a reset, as it had missed something."""


GAUGES: Final = ("streams",)


class TooManyStreamsError(Exception):
    """The bound on streams is reached, in all or of one client."""


class EventHub:
    """The streams of one node. ``time`` is the instant as the API shows it."""

    def __init__(
        self,
        watched: Watched,
        time: Callable[[], str],
        *,
        max_streams: int = MAX_STREAMS,
    ) -> None:
        self.statistics = EventStatistics()
        self._watched = watched
        self.time = time
        self._max_streams = max_streams
        self._of_user: Quota[str] = Quota(-(-max_streams // USER_SHARE))
        self._of_address: Quota[str] = Quota(-(-max_streams // ADDRESS_SHARE))
        self._ring = EventRing(os.urandom(6).hex())
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self.closed = False
        """Whether all streams are to end."""

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()
        self._wake()

    def listen(self, last_event_id: str, *, user: str = "", address: str = "") -> Listener:
        """A listener, who is to be closed. ``user`` empty: the node does not know who it is.

        Raises TooManyStreamsError.
        """
        quota, holder = (self._of_user, user) if user else (self._of_address, source_of(address))
        if self.closed or len(self._listeners) >= self._max_streams or not quota.acquire(holder):
            self.statistics.streams_refused += 1
            raise TooManyStreamsError
        listener = Listener(self, self._ring, last_event_id, lambda: quota.release(holder))
        self._listeners.add(listener)
        self.statistics.streams = len(self._listeners)
        if self._task is None:
            self._watched.watch_for(on=True)
            self._task = asyncio.get_running_loop().create_task(self._check())
        return listener

    def left(self, listener: Listener) -> None:
        """A listener is closed."""
        if listener in self._listeners:
            self._listeners.remove(listener)
            listener.release()
        self.statistics.streams = len(self._listeners)

    async def _check(self) -> None:
        """Until nobody has listened for a while."""
        from tocsin.models.events import Event  # Loaded with the API that listens.

        idle = 0.0
        while idle < KEPT:
            await asyncio.sleep(CHECK_INTERVAL)
            idle = 0.0 if self._listeners else idle + CHECK_INTERVAL
            try:
                changes = self._watched.changes()
            except Exception:  # A bug must cost this check, not all later ones.
                _log.exception("Failed to check for changes")
                continue
            for kind, ids, more in changes:
                event = Event(kind=kind, at=self.time(), ids=tuple(ids), more=more)
                self._ring.append(kind, msgspec.json.encode(event))
                self.statistics.told += 1
            if changes:
                self._wake()
        self._watched.watch_for(on=False)
        self._ring = EventRing(os.urandom(6).hex())
        self._task = None

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.woken.set()


class Listener:
    """A listener: how far it has come, and what to send to it next."""

    def __init__(
        self, hub: EventHub, ring: EventRing, last_event_id: str, release: Callable[[], None]
    ) -> None:
        self.woken = asyncio.Event()
        self.release = release
        self._hub = hub
        self._ring = ring
        self._end = asyncio.get_running_loop().time() + LONGEST
        number = ring.number(last_event_id) if last_event_id else ring.last
        self._number = ring.last if number is None else number
        self._first = self._reset() if number is None else self._named("hello")

    async def next(self) -> bytes:
        """What to send next, once there is something; empty: the stream has ended."""
        while not self._hub.closed and asyncio.get_running_loop().time() < self._end:
            if self._first:
                first, self._first = self._first, b""
                return first
            self.woken.clear()
            found = self._ring.after(self._number, MAX_WRITE)
            if found is None:
                self._number = self._ring.last
                return self._reset()
            if found[0]:
                self._number = found[1]
                return found[0]
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self.woken.wait()
            except TimeoutError:
                return b": still there\n\n"
        return b""

    def close(self) -> None:
        """It has left."""
        self._hub.left(self)

    def _reset(self) -> bytes:
        self._hub.statistics.resets += 1
        return self._named("reset")

    def _named(self, event: Greeting) -> bytes:
        from tocsin.models.events import Event

        identifier = self._ring.id(self._number)
        data = msgspec.json.encode(Event(kind=event, at=self._hub.time(), ids=(), more=0)).decode()
        return f"retry: {RETRY}\nid: {identifier}\nevent: {event}\ndata: {data}\n\n".encode()
