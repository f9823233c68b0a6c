"""A connection that goes straight to a receiver: dialled with its first request, and of the version of HTTP
that both sides want."""

from __future__ import annotations

import asyncio
import ssl

import httpcore

from tocsin.notify.integrations.http1 import HTTP1Connection
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.integrations.stream import DirectStream


class DirectConnection(httpcore.AsyncConnectionInterface):
    """One connection to an origin."""

    def __init__(
        self,
        origin: httpcore.Origin,
        context: ssl.SSLContext | None,
        *,
        http2: bool,
        server_name: str,
        keepalive_expiry: float,
        statistics: ClientStatistics,
        max_response: int,
    ) -> None:
        """``context``: for TLS, if there is one. ``server_name``: what the certificate is for, if that is not
        the origin's host."""
        self._origin = origin
        self._context = context
        self._http2 = http2 and context is not None
        self._server_name = server_name
        self._keepalive_expiry = keepalive_expiry
        self._statistics = statistics
        self._max_response = max_response
        self._dialling = asyncio.Lock()
        self._made: httpcore.AsyncConnectionInterface | None = None
        self._failed = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The answer, whose body is still to be read. httpcore's errors."""
        made = self._made
        if made is None:
            async with self._dialling:
                if self._failed:  # The request that dialled reports the error; this one dials anew.
                    raise httpcore.ConnectionNotAvailable
                made = self._made
                if made is None:
                    try:
                        made = await self._dial()
                    except BaseException:
                        self._failed = True
                        raise
                    if self._failed:  # It was closed meanwhile.
                        await made.aclose()
                        raise httpcore.ConnectError("closed")
                    self._made = made
        return await made.handle_async_request(request)

    async def _dial(self) -> httpcore.AsyncConnectionInterface:
        host = self._origin.host.decode("ascii")
        if self._context is not None:
            self._context.set_alpn_protocols(["http/1.1", "h2"] if self._http2 else ["http/1.1"])
        stream = await DirectStream.connect(
            host,
            self._origin.port,
            context=self._context,
            server_name=self._server_name or host,
            statistics=self._statistics,
            max_response=self._max_response,
        )
        tls = stream.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            return httpcore.AsyncHTTP2Connection(
                origin=self._origin, stream=stream, keepalive_expiry=self._keepalive_expiry
            )
        return HTTP1Connection(self._origin, stream, self._keepalive_expiry)

    async def aclose(self) -> None:
        """Close it, whatever is under way on it."""
        self._failed = True
        if self._made is not None:
            await self._made.aclose()

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        """Whether this connection leads to ``origin``."""
        return origin == self._origin

    def is_available(self) -> bool:
        """Whether it can take a request. While it is being dialled: if it may turn out to be HTTP/2."""
        if self._made is None:
            return self._http2 and not self._failed
        return self._made.is_available()

    def has_expired(self) -> bool:
        """Whether it should be closed: it was idle too long, or the server has closed it."""
        return self._failed if self._made is None else self._made.has_expired()

    def is_idle(self) -> bool:
        """Whether nothing is under way on it."""
        return self._failed if self._made is None else self._made.is_idle()

    def is_closed(self) -> bool:
        """Whether it is closed."""
        return self._failed if self._made is None else self._made.is_closed()

    def info(self) -> str:
        """A description, for logs."""
        return f"{self._origin}, dialled" if self._made is None else self._made.info()
