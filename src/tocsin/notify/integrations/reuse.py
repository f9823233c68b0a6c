"""Connections that are used again.

httpcore's own pool looks at every connection, and asks the system about it, as each request begins and ends:
with 64 of them that takes longer than all else. Here the one that was used last is taken, and only that one
looked at.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpcore

if TYPE_CHECKING:
    from httpcore import Origin

    Place = tuple[bytes, bytes, int]


class Reuse:
    """Connections as ``maker`` makes them. How many there are at a time is its user's to bound."""

    def __init__(self, maker: httpcore.AsyncConnectionPool, *, http2: bool) -> None:
        """``maker``: says how a connection is made, and makes no request itself."""
        self._maker = maker
        self._http2 = http2
        self._idle: dict[Place, list[httpcore.AsyncConnectionInterface]] = {}
        self._shared: dict[Place, httpcore.AsyncConnectionInterface] = {}
        """By origin, one that may speak HTTP/2: several requests may use it."""
        self._all: set[httpcore.AsyncConnectionInterface] = set()

    @asynccontextmanager
    async def request(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """The answer, whose body is still to be read. httpcore's errors."""
        origin = request.url.origin
        place = origin.scheme, origin.host, origin.port
        while True:
            connection = await self._take(place, origin)
            try:
                response = await connection.handle_async_request(request)
                break
            except httpcore.ConnectionNotAvailable:
                # It speaks HTTP/1.1 after all, or has no stream left.
                if self._shared.get(place) is connection:
                    del self._shared[place]
            except BaseException:
                self._release(place, connection)
                raise
        try:
            yield response
        finally:
            await response.aclose()
            self._release(place, connection)

    async def aclose(self) -> None:
        """Close them all."""
        connections = list(self._all)
        self._all.clear()
        self._idle.clear()
        self._shared.clear()
        for connection in connections:
            await connection.aclose()

    async def _take(self, place: Place, origin: Origin) -> httpcore.AsyncConnectionInterface:
        shared = self._shared.get(place)
        if shared is not None and shared.is_available():
            if not shared.has_expired():
                return shared
            await self._drop(place, shared)
        idle = self._idle.setdefault(place, [])
        while idle:
            connection = idle.pop()
            if connection.is_available() and not connection.has_expired():
                return connection
            await self._drop(place, connection)
        connection = self._maker.create_connection(origin)
        self._all.add(connection)
        if self._http2 and origin.scheme == b"https":
            self._shared[place] = connection
        return connection

    def _release(self, place: Place, connection: httpcore.AsyncConnectionInterface) -> None:
        if connection.is_closed():
            self._all.discard(connection)
            if self._shared.get(place) is connection:
                del self._shared[place]
        elif self._shared.get(place) is not connection and connection.is_idle():
            idle = self._idle.setdefault(place, [])
            if connection not in idle:
                idle.append(connection)

    async def _drop(self, place: Place, connection: httpcore.AsyncConnectionInterface) -> None:
        self._all.discard(connection)
        if self._shared.get(place) is connection:
            del self._shared[place]
        await connection.aclose()
