"""The HTTP client of all kinds of receiver, out of ``http_config`` as Prometheus understands it.

httpcore has the connections; here are credentials, redirects by Go's rules, bounds, and errors that say what
the system said and show no secret.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias

import httpcore

from tocsin import __version__
from tocsin.config.httpclient import HTTPClientConfig
from tocsin.notify.integrations.base import DOING, Answer, NotifyError
from tocsin.notify.integrations.causes import cause, system_said
from tocsin.notify.integrations.connections import Connections
from tocsin.notify.integrations.json import encode
from tocsin.notify.integrations.secrets import Secrets, why
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.integrations.url import Target, follow, parse, same_site

__all__ = ["MAX_ANSWER_BYTES", "MAX_REDIRECTS", "USER_AGENT", "Answer", "HTTPClient", "TLSContexts"]

USER_AGENT: Final = f"Alertmanager/{__version__} (Tocsin)"
"""Begins as upstream's, which receivers are known to match on."""

MAX_REDIRECTS: Final = 9
"""Ten requests in all, as Go's client, so that a loop costs no more than with Alertmanager."""
MAX_ANSWER_BYTES: Final = 64 * 1024
"""An answer longer than this is not read to its end; its connection is closed instead of kept."""

Headers: TypeAlias = Sequence[tuple[str, str]]
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")


class TokenSource(Protocol):
    """Gives what an ``Authorization`` header says."""

    async def authorization(self) -> str:
        """``TYPE TOKEN``; :class:`NotifyError`."""

    async def close(self) -> None:
        """Close kept connections."""


class HTTPClient:
    """Makes requests, each within the attempt's time, with kept connections."""

    def __init__(
        self, config: HTTPClientConfig, *, contexts: TLSContexts | None = None, secrets: Secrets | None = None
    ) -> None:
        """:class:`~tocsin.errors.ConfigError` for certificates that cannot be used."""
        contexts = contexts or TLSContexts()
        self._config = config
        self._secrets = secrets or Secrets(config)
        self._connections = Connections(
            config,
            contexts.get(config.tls_config, http2=config.enable_http2),
            http2=config.enable_http2,
            server_name=config.tls_config.server_name,
        )
        self._tokens: TokenSource | None = None
        if config.oauth2 is not None:
            from tocsin.notify.integrations.oauth2 import OAuth2Tokens

            client = HTTPClient(_of_tokens(config), contexts=contexts, secrets=self._secrets)
            self._tokens = OAuth2Tokens(config.oauth2, client, self._secrets)
        self._closed = False

    async def close(self) -> None:
        """Close kept connections."""
        self._closed = True
        await self._connections.close()
        if self._tokens is not None:
            await self._tokens.close()

    async def post_json(self, url: str, value: Any, *, headers: Headers = ()) -> Answer:
        """Post ``value`` as Go's encoder writes it."""
        return await self.post(url, encode(value), headers=headers)

    async def post(
        self, url: str, body: bytes, *, content_type: str = "application/json", headers: Headers = ()
    ) -> Answer:
        """Post ``body``."""
        return await self.request("POST", url, body, headers=[("Content-Type", content_type), *headers])

    async def get(self, url: str, *, headers: Headers = ()) -> Answer:
        """Get ``url``."""
        return await self.request("GET", url, headers=headers)

    async def request(
        self, method: str, url: str, body: bytes = b"", *, headers: Headers = (), retry: bool = True
    ) -> Answer:
        """One request, and where its redirects lead.

        Whatever the status of the answer is: see :meth:`Answer.check`. :class:`NotifyError` when there is no
        answer: to be tried again, if ``retry``. The URL is never in its text.
        """
        doing = f'{method.capitalize()} "<redacted>"'
        DOING.set(doing)
        try:
            return await self._request(method, parse(url), body, headers)
        except NotifyError as failure:
            raise NotifyError(
                f"{doing}: {failure}", retry=retry and failure.retry, reason=failure.reason
            ) from None
        except (OSError, ValueError) as error:
            file = error.filename if isinstance(error, OSError) else None
            problem = f"{file}: {why(error)}" if file else why(error)
            raise NotifyError(f"{doing}: {problem}", retry=retry) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
            raise NotifyError(f"{doing}: {_cause(error)}", retry=retry) from None
        except (httpcore.TimeoutException, httpcore.UnsupportedProtocol) as error:
            raise NotifyError(f"{doing}: {type(error).__name__}", retry=retry) from None

    async def _request(self, method: str, target: Target, body: bytes, headers: Headers) -> Answer:
        first, foreign, redirects = target.host, False, 0
        given = list(headers)
        while True:
            foreign = foreign or not same_site(target.host, first)
            answer = await self._once(method, target, body, given, foreign=foreign)
            location = answer.headers.get("location", "")
            if not (self._config.follow_redirects and location and answer.status in _REDIRECTS):
                return answer
            if redirects == MAX_REDIRECTS:
                raise NotifyError("TooManyRedirects: stopped after 10 redirects", retry=True)
            redirects += 1
            target = follow(target, location)
            if answer.status in _AS_GET:
                method = method if method in ("GET", "HEAD") else "GET"
                body = b""
                given = [pair for pair in given if not pair[0].lower().startswith("content-")]

    async def _once(
        self, method: str, target: Target, body: bytes, headers: Iterable[tuple[str, str]], *, foreign: bool
    ) -> Answer:
        """One request. ``foreign``: it must not have what was meant for the first host alone."""
        if foreign:
            sent = [pair for pair in headers if pair[0].lower() not in _SENSITIVE]
        else:
            sent = [*headers, *await self._own_headers(target, headers)]
        if self._closed:
            raise NotifyError("the configuration was replaced meanwhile", retry=True)
        names = {name.lower() for name, _ in sent}
        if "user-agent" not in names:
            sent.insert(0, ("User-Agent", USER_AGENT))
        if body or method not in ("GET", "HEAD"):
            sent.append(("Content-Length", str(len(body))))
        request = httpcore.Request(
            method,
            httpcore.URL(
                scheme=target.scheme, host=target.host, port=target.explicit_port, target=target.path
            ),
            headers=[(b"Host", target.authority.encode()), *(_header(*pair) for pair in sent)],
            content=body,
        )
        response = await self._connections.pool(target).handle_async_request(request)
        try:
            return Answer(response.status, _headers_of(response), await _beginning(response))
        finally:
            await response.aclose()

    async def _own_headers(self, target: Target, given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """The headers that the configuration adds to each request; files are read anew each time."""
        config, secrets = self._config, self._secrets
        headers: list[tuple[str, str]] = []
        basic, authorization = config.basic_auth, config.authorization
        if any(name.lower() == "authorization" for name, _ in given):
            pass  # The kind's own counts.
        elif basic is not None:
            username = await secrets.read(basic.username, basic.username_file)
            password = await secrets.read(basic.password, basic.password_file)
            headers.append(("Authorization", self._basic(username, password)))
        elif authorization is not None:
            credentials = await secrets.read(authorization.credentials, authorization.credentials_file)
            headers.append(("Authorization", f"{authorization.type} {credentials}"))
        elif self._tokens is not None:
            headers.append(("Authorization", await self._tokens.authorization()))
        elif target.username or target.password:
            headers.append(("Authorization", self._basic(target.username, target.password)))
        for name, header in (config.http_headers or {}).items():
            headers += [(name, value) for value in (*header.values, *header.secrets)]
            headers += [(name, await secrets.read("", file)) for file in header.files]
        return headers

    def _basic(self, username: str, password: str) -> str:
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._secrets.add(token)
        return f"Basic {token}"


_AS_GET: Final = frozenset((301, 302, 303))
_REDIRECTS: Final = _AS_GET | {307, 308}
_SENSITIVE: Final = frozenset(
    ("authorization", "www-authenticate", "cookie", "cookie2", "proxy-authorization", "proxy-authenticate")
)


def _of_tokens(config: HTTPClientConfig) -> HTTPClientConfig:
    """How tokens are fetched: by the TLS and proxy settings of ``oauth2`` alone."""
    oauth2 = config.oauth2
    assert oauth2 is not None  # noqa: S101
    return HTTPClientConfig(
        tls_config=oauth2.tls_config,
        proxy_url=oauth2.proxy_url,
        no_proxy=oauth2.no_proxy,
        proxy_from_environment=oauth2.proxy_from_environment,
        proxy_connect_header=oauth2.proxy_connect_header,
    )


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    if _UNPRINTABLE.search(value) or _UNPRINTABLE.search(name):
        raise ValueError(f"the value of the header {name!r} holds control characters")
    return name.encode(), value.encode()


def _headers_of(response: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


async def _beginning(response: httpcore.Response) -> bytes:
    """An answer, cut. Its connection is kept for the next request if it was read whole."""
    read = bytearray()
    try:
        async for piece in response.aiter_stream():
            read += piece
            if len(read) > MAX_ANSWER_BYTES:
                break
    except (httpcore.NetworkError, httpcore.ProtocolError):
        pass  # The status is known, and it is what counts.
    return bytes(read[:MAX_ANSWER_BYTES])


def _cause(error: BaseException) -> str:
    """What the system said, if that is what is behind ``error``."""
    said = system_said(error, connecting=isinstance(error, httpcore.ConnectError))
    if not said and isinstance(error, httpcore.ReadError | httpcore.WriteError):
        return str(error) or "connection reset by peer"
    return said or cause(error)
