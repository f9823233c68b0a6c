"""The connections of one client: directly, through an HTTP proxy, through SOCKS5."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpcore
from httpcore._backends.anyio import AnyIOBackend

from tocsin.config.httpclient import ProxyConfig
from tocsin.notify.integrations.proxies import proxy_chooser
from tocsin.notify.integrations.url import Target

MAX_CONNECTIONS: Final = 64
"""Of one integration to one proxy, or to all hosts together. More requests wait for one to be free."""
MAX_KEPT: Final = 16
KEPT_SECONDS: Final = 300.0


class Connections:
    """Gives the pool of connections for a request."""

    def __init__(
        self, proxy: ProxyConfig, context: ssl.SSLContext, *, http2: bool = True, server_name: str = ""
    ) -> None:
        self._proxy = proxy
        self._choose = proxy_chooser(proxy, os.environ)
        self._context = context
        self._http2 = http2
        self._backend = _NamedBackend(server_name) if server_name else AnyIOBackend()
        self._pools: dict[tuple[str, bool], httpcore.AsyncConnectionPool] = {}

    def pool(self, target: Target) -> httpcore.AsyncConnectionPool:
        """The pool for a request to ``target``; ``ValueError`` when its proxy cannot be used."""
        proxy = self._choose(target.scheme, target.host, target.port)
        key = proxy, bool(proxy) and target.scheme == "https"
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = self._make(*key)
        return pool

    async def close(self) -> None:
        """Close all connections."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    def _make(self, proxy: str, tunnel: bool) -> httpcore.AsyncConnectionPool:
        common: dict[str, Any] = {
            "ssl_context": self._context,
            "max_connections": MAX_CONNECTIONS,
            "max_keepalive_connections": MAX_KEPT,
            "keepalive_expiry": KEPT_SECONDS,
            "http2": self._http2,
            "network_backend": self._backend,
        }
        if not proxy:
            return httpcore.AsyncConnectionPool(**common)
        parts = urlsplit(proxy)
        default = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}.get(parts.scheme)
        if default is None or not parts.hostname:
            raise ValueError(f"proxyconnect tcp: a proxy of the scheme {parts.scheme!r} cannot be used")
        url = httpcore.URL(scheme=parts.scheme, host=parts.hostname, port=parts.port or default, target="/")
        if parts.username is not None:
            common["proxy_auth"] = unquote(parts.username), unquote(parts.password or "")
        if parts.scheme.startswith("socks5"):
            return httpcore.AsyncSOCKSProxy(proxy_url=url, **common)
        if tunnel:
            common["proxy_headers"] = _pairs(self._proxy)
        if parts.scheme == "https":
            common["proxy_ssl_context"] = _of_the_system() if tunnel else self._context
        return httpcore.AsyncHTTPProxy(proxy_url=url, **common)


def _of_the_system() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.hostname_checks_common_name = False
    return context


def _pairs(proxy: ProxyConfig) -> list[tuple[str, str]]:
    return [(name, value) for name, values in proxy.proxy_connect_header.items() for value in values]


class _NamedBackend(AnyIOBackend):
    """Has certificates checked by ``server_name``, however the connection is made."""

    def __init__(self, server_name: str) -> None:
        self._server_name = server_name

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """As the parent; the stream knows the name."""
        stream = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        return _NamedStream(stream, self._server_name)


class _NamedStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, server_name: str) -> None:
        self._stream = stream
        self._server_name = server_name

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        del server_hostname
        stream = await self._stream.start_tls(ssl_context, self._server_name, timeout)
        return _NamedStream(stream, self._server_name)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
