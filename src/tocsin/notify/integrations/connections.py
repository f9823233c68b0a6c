"""The connections of one client: directly, through an HTTP proxy, through SOCKS5."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpcore
from httpcore._backends.anyio import AnyIOBackend

from tocsin.config.httpclient import HTTPClientConfig, ProxyConfig
from tocsin.dataclass import dataclass
from tocsin.notify.integrations.direct import DirectConnection
from tocsin.notify.integrations.keepalive import keep_alive
from tocsin.notify.integrations.proxies import proxy_chooser
from tocsin.notify.integrations.reuse import Reuse
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.integrations.stream import (
    HANDSHAKE_SECONDS,
    HANDSHAKE_TIMEOUT,
    READ_BYTES,
    HandshakeError,
)
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.integrations.url import Target

import_module("anyio._backends._asyncio")  # Else anyio loads it with the first connection, in 40 ms.

MAX_CONNECTIONS: Final = 64
"""Connections of one integration, and requests at the same time; further requests wait."""
KEPT_SECONDS: Final = 300.0
MAX_HELD_BYTES: Final = 64 * 1024
"""Bytes of a request that are joined into one write."""
MAX_HEAD_BYTES: Final = 192 * 1024
"""Bytes of response heads, interim ones (1xx) included, that are read for one request."""


@dataclass(slots=True, eq=False)
class Pool:
    """Connections that are made in one way, and how many requests use them."""

    connections: Reuse
    backend: _Backend | None
    """Makes the connections that httpcore uses."""
    context: ssl.SSLContext | None
    users: int = 0
    retired: bool = False

    @property
    def proxied(self) -> bool:
        """Whether they are connections to a proxy."""
        return self.backend is not None

    def retire(self) -> None:
        """Give these connections to no further request. After a cancelled request the state of an HTTP/2
        connection or a tunnel is unknown: it may be dead, or its window may be full of bytes that nobody
        reads.
        """
        self.retired = True

    async def aclose(self) -> None:
        """Close them all."""
        await self.connections.aclose()
        if self.backend is not None:
            await self.backend.aclose()


class Connections:
    """Gives each request its pool of connections."""

    def __init__(
        self,
        config: HTTPClientConfig,
        contexts: TLSContexts,
        *,
        statistics: ClientStatistics,
        max_body: int,
    ) -> None:
        """``max_body``: bytes that are read of an answer's body."""
        self._proxy: ProxyConfig = config
        self._choose = proxy_chooser(config, os.environ)
        self._tls = config.tls_config
        self._has_files = any((self._tls.ca_file, self._tls.cert_file, self._tls.key_file))
        """TLS files that cannot be read fail requests without TLS as well, as in Go."""
        self._http2 = config.enable_http2
        self._contexts = contexts
        self._statistics = statistics
        self._max_response = max_body + MAX_HEAD_BYTES
        self._pools: dict[tuple[str, bool], Pool] = {}
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)
        self._closed = False

    @asynccontextmanager
    async def use(self, target: Target) -> AsyncIterator[Pool]:
        """The pool for a request to ``target``; ``ValueError`` when its proxy cannot be used.

        A request that fails, or is cancelled, takes the pool with it.
        """
        if self._turns.locked():
            self._statistics.bounds_reached["requests"] += 1
        async with self._turns:
            pool = await self._pool(target)
            pool.users += 1
            try:
                yield pool
            except BaseException:
                pool.retire()
                raise
            finally:
                pool.users -= 1
                if not pool.users and (pool.retired or self._closed):
                    self._pools = {key: each for key, each in self._pools.items() if each is not pool}
                    await pool.aclose()

    async def close(self) -> None:
        """Close all connections; those in use when their requests are over."""
        self._closed = True
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.retire()
            if not pool.users:
                await pool.aclose()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    async def _pool(self, target: Target) -> Pool:
        proxy, secure = self._choose(target.scheme, target.host, target.port), target.scheme == "https"
        context: ssl.SSLContext | None = None
        if proxy or secure or self._has_files:  # Making a context takes a while.
            context = await self._contexts.current(self._tls, http2=self._http2)
        key = proxy, secure
        pool = self._pools.get(key)
        old = pool if pool is not None and pool.context is not context else None
        if pool is None or pool.retired or old is not None:
            pool = self._pools[key] = self._make(*key, context)
        if old is not None:
            old.retire()
            if not old.users:
                pool.users += 1  # It is not closed during the wait.
                try:
                    await old.aclose()
                finally:
                    pool.users -= 1
        return pool

    def _make(self, proxy: str, secure: bool, context: ssl.SSLContext | None) -> Pool:
        if not proxy:
            make = self._direct(context if secure else None)
            return Pool(Reuse(make, self._statistics, http2=self._http2), None, context)
        backend = _Backend(self._tls.server_name, self._statistics, self._max_response)
        common: dict[str, Any] = {
            "ssl_context": context,
            "keepalive_expiry": KEPT_SECONDS,
            "http2": self._http2,
            "network_backend": backend,
        }
        maker = self._through(proxy, secure, context, common)
        return Pool(Reuse(maker.create_connection, self._statistics, http2=self._http2), backend, context)

    def _direct(self, context: ssl.SSLContext | None) -> Callable[[httpcore.Origin], DirectConnection]:
        return lambda origin: DirectConnection(
            origin,
            context,
            http2=self._http2,
            server_name=self._tls.server_name,
            keepalive_expiry=KEPT_SECONDS,
            statistics=self._statistics,
            max_response=self._max_response,
        )

    def _through(
        self, proxy: str, secure: bool, context: ssl.SSLContext | None, common: dict[str, Any]
    ) -> httpcore.AsyncConnectionPool:
        parts = urlsplit(proxy)
        default = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}.get(parts.scheme)
        if default is None or not parts.hostname:
            raise ValueError(f"proxyconnect tcp: a proxy of the scheme {parts.scheme!r} cannot be used")
        url = httpcore.URL(scheme=parts.scheme, host=parts.hostname, port=parts.port or default, target="/")
        headers = _pairs(self._proxy)
        if parts.username is not None:
            common["proxy_auth"] = unquote(parts.username), unquote(parts.password or "")
            headers = [pair for pair in headers if pair[0].lower() != "proxy-authorization"]
        if parts.scheme.startswith("socks5"):
            return httpcore.AsyncSOCKSProxy(proxy_url=url, **common)
        if secure:  # Then it is a tunnel.
            common["proxy_headers"] = headers
        if parts.scheme == "https":
            common["proxy_ssl_context"] = context  # As in Go: tls_config is for the proxy too.
        return httpcore.AsyncHTTPProxy(proxy_url=url, **common)


def _pairs(proxy: ProxyConfig) -> list[tuple[str, str]]:
    return [(name, value) for name, values in proxy.proxy_connect_header.items() for value in values]


class _Backend(AnyIOBackend):
    """Has certificates verified for ``server_name``, if given, however the connection is made. Tracks open
    sockets: httpcore forgets a connection whose handshake with proxy or receiver failed or was cancelled, and
    leaves its socket open.
    """

    def __init__(self, server_name: str, statistics: ClientStatistics, max_response: int) -> None:
        self._server_name = server_name
        self._statistics = statistics
        self._max_response = max_response
        self._open: set[_Stream] = set()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """As the parent; the stream knows the name, and the system looks after the connection."""
        stream = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            keep_alive(stream.get_extra_info("socket"))
        except OSError as error:
            await stream.aclose()
            raise httpcore.ConnectError(str(error)) from error
        return _Stream(stream, self._server_name, self._open, self._statistics, self._max_response)

    async def aclose(self) -> None:
        """Close what is open."""
        for stream in list(self._open):
            await stream.aclose()


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(
        self,
        stream: httpcore.AsyncNetworkStream,
        server_name: str,
        opened: set[_Stream],
        statistics: ClientStatistics,
        max_response: int,
    ) -> None:
        self._stream = stream
        self._server_name = server_name
        self._statistics = statistics
        self._max_response = max_response
        self._open = opened
        self._open.add(self)
        self._read_since_write = 0
        self._written = b""
        self._asked = False  # whether the proxy was asked for a tunnel
        tls = stream.get_extra_info("ssl_object")
        # With HTTP/2 one request may wait for an answer while another is written.
        self._holds = tls is None or tls.selected_alpn_protocol() != "h2"
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """A little at a time, as all of it is processed at once; and not for ever: httpcore would go on with
        interim answers (1xx) that have no end."""
        with suppress(httpcore.WriteError):  # The server may have answered already: read the answer.
            await self._flush(timeout)
        data = await self._stream.read(min(max_bytes, READ_BYTES), timeout)
        self._read_since_write += len(data)
        if self._read_since_write > self._max_response:
            self._statistics.bounds_reached["answer_head"] += 1
            raise httpcore.ReadError("interim answers without end")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """What was written may be answered. A request's head and body go together, as the answer is read."""
        self._asked = True
        self._read_since_write = 0
        if self._holds and len(self._written) + len(buffer) <= MAX_HELD_BYTES:
            self._written += buffer
            return
        written, self._written = self._written + buffer, b""
        await self._stream.write(written, timeout)

    async def _flush(self, timeout: float | None) -> None:
        if self._written:
            written, self._written = self._written, b""
            await self._stream.write(written, timeout)

    async def aclose(self) -> None:
        self._open.discard(self)
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        await self._flush(timeout)
        name, limit = self._server_name or server_hostname, timeout or HANDSHAKE_SECONDS
        kind = HandshakeError if self._asked else httpcore.ConnectError  # else it is the proxy's fault
        try:
            stream = await self._stream.start_tls(ssl_context, name, limit)
        except httpcore.ConnectTimeout as error:
            raise kind(HANDSHAKE_TIMEOUT) from error
        except httpcore.ConnectError as error:
            raise kind(str(error)) from error
        self._open.discard(self)
        return _Stream(stream, self._server_name, self._open, self._statistics, self._max_response)
