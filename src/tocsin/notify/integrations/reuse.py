"""Connections that are used again.

httpcore's own pool checks every connection with a system call as each request begins and ends: with 64
connections that takes longer than all else. Here the connection that was used last is taken, and only that
one is checked; those that were idle longest are closed one by one.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

import httpcore

from tocsin.notify.integrations.statistics import ClientStatistics

if TYPE_CHECKING:
    from httpcore import Origin

    Place = tuple[bytes, bytes, int]

MAX_IDLE: Final = 64
"""Idle connections to all origins together: a URL may be made of labels, or redirect, so there may be many
origins."""
LOOKED_AT: Final = 2
"""Idle connections that are checked as a request begins, in turn."""
LOOK_INTERVAL: Final = 0.02
"""Seconds from one such check, which takes a system call for each, to the next: all of ``MAX_IDLE`` are
checked within a second of requests."""


class Reuse:
    """Connections made by ``make``. The user bounds how many requests there are at a time."""

    def __init__(
        self,
        make: Callable[[Origin], httpcore.AsyncConnectionInterface],
        statistics: ClientStatistics,
        *,
        http2: bool,
    ) -> None:
        """``make`` returns a connection that is dialled with its first request."""
        self._statistics = statistics
        self._make = make
        self._http2 = http2
        self._idle: dict[Place, list[httpcore.AsyncConnectionInterface]] = {}
        self._waiting: dict[httpcore.AsyncConnectionInterface, Place] = {}
        """Those and the idle shared ones, longest idle first."""
        self._shared: dict[Place, httpcore.AsyncConnectionInterface] = {}
        """By origin, a connection that is or may become HTTP/2: several requests may use it."""
        self._streams: dict[httpcore.AsyncConnectionInterface, httpcore.AsyncNetworkStream] = {}
        """The network streams of shared connections, once known."""
        self._users: Counter[httpcore.AsyncConnectionInterface] = Counter()
        """Requests under way on each shared connection."""
        self._all: set[httpcore.AsyncConnectionInterface] = set()
        self._looked = float("-inf")
        self._unchecked: deque[httpcore.AsyncConnectionInterface] = deque()
        """Those that are checked next; some may be in use or gone by now."""

    @asynccontextmanager
    async def request(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """The answer, whose body is still to be read. httpcore's errors."""
        origin = request.url.origin
        place = origin.scheme, origin.host, origin.port
        await self._close_old()  # Not after an answer: a cancelled caller would lose it.
        while True:
            connection = await self._take(place, origin)
            try:
                response = await connection.handle_async_request(request)
                break
            except httpcore.ConnectionNotAvailable:
                # It is HTTP/1.1 after all, or has no stream left.
                self._leave(connection)
                self._unshare(place, connection)
                if connection.is_closed():
                    self._forget(place, connection)
            except BaseException:
                self._release(place, connection)
                raise
        if self._shared.get(place) is connection:
            self._streams[connection] = response.extensions["network_stream"]
        try:
            yield response
        finally:
            try:
                await response.aclose()
            finally:
                self._release(place, connection)

    async def aclose(self) -> None:
        """Close them all."""
        connections = list(self._all)
        self._all.clear()
        self._idle.clear()
        self._waiting.clear()
        self._unchecked.clear()
        self._shared.clear()
        self._streams.clear()
        self._users.clear()
        for connection in connections:
            await connection.aclose()

    async def _close_old(self) -> None:
        if len(self._waiting) > MAX_IDLE:
            for connection in list(islice(self._waiting, LOOKED_AT)):
                if connection in self._waiting and len(self._waiting) > MAX_IDLE:
                    self._statistics.bounds_reached["idle_connections"] += 1
                    await self._close_idle(connection)
            return
        now = time.monotonic()
        if now < self._looked + LOOK_INTERVAL:
            return
        self._looked = now
        for _ in range(LOOKED_AT):
            if not self._unchecked:
                self._unchecked.extend(self._waiting)
            if self._unchecked:
                connection = self._unchecked.popleft()
                if connection in self._waiting and connection.has_expired():
                    await self._close_idle(connection)

    async def _close_idle(self, connection: httpcore.AsyncConnectionInterface) -> None:
        place = self._waiting[connection]
        idle = self._idle.get(place, [])
        if connection in idle:
            idle.remove(connection)
            if not idle:
                del self._idle[place]
        await self._drop(place, connection)

    async def _take(self, place: Place, origin: Origin) -> httpcore.AsyncConnectionInterface:
        shared = self._shared.get(place)
        if shared is not None and shared.is_available():
            if not shared.has_expired() and not self._was_left(shared):
                self._use(shared)
                return shared
            await self._drop(place, shared)
        while (connection := self._pop(place)) is not None:
            if connection.is_available() and not connection.has_expired():
                return connection
            await self._drop(place, connection)
        connection = self._make(origin)
        self._all.add(connection)
        if self._http2 and origin.scheme == b"https":
            self._share(place, connection)
            self._use(connection)
        return connection

    def _use(self, shared: httpcore.AsyncConnectionInterface) -> None:
        self._users[shared] += 1
        self._waiting.pop(shared, None)

    def _was_left(self, shared: httpcore.AsyncConnectionInterface) -> bool:
        """Whether the server may have closed it. httpcore does not check that when HTTP/2 is spoken: the
        next request would fail. What comes while nothing is asked for is a close_notify, a GOAWAY, or nothing
        to miss."""
        stream = self._streams.get(shared)
        return stream is not None and shared.is_idle() and bool(stream.get_extra_info("is_readable"))

    def _pop(self, place: Place) -> httpcore.AsyncConnectionInterface | None:
        """The idle connection that was used last."""
        idle = self._idle.get(place)
        if not idle:
            return None
        connection = idle.pop()
        if not idle:
            del self._idle[place]
        del self._waiting[connection]
        return connection

    def _share(self, place: Place, connection: httpcore.AsyncConnectionInterface) -> None:
        before = self._shared.get(place)
        if before is not None:
            self._unshare(place, before)
        self._shared[place] = connection

    def _unshare(self, place: Place, connection: httpcore.AsyncConnectionInterface) -> None:
        if self._shared.get(place) is connection:
            del self._shared[place]
            self._streams.pop(connection, None)

    def _release(self, place: Place, connection: httpcore.AsyncConnectionInterface) -> None:
        shared = self._leave(connection)
        if connection.is_closed():
            self._forget(place, connection)
        elif connection not in self._all or connection in self._waiting:
            pass
        elif self._shared.get(place) is connection:
            if not shared:
                self._waiting[connection] = place
        elif connection.is_idle():
            self._idle.setdefault(place, []).append(connection)
            self._waiting[connection] = place

    def _leave(self, connection: httpcore.AsyncConnectionInterface) -> int:
        """A request is over; how many others use the connection."""
        left = self._users[connection] - 1
        if left > 0:
            self._users[connection] = left
        else:
            del self._users[connection]
        return max(left, 0)

    def _forget(self, place: Place, connection: httpcore.AsyncConnectionInterface) -> None:
        self._all.discard(connection)
        self._waiting.pop(connection, None)
        self._unshare(place, connection)

    async def _drop(self, place: Place, connection: httpcore.AsyncConnectionInterface) -> None:
        self._forget(place, connection)
        await connection.aclose()
