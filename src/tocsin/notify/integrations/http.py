"""The HTTP client of all kinds of receiver, configured by ``http_config`` as in Prometheus. httpcore has the
connections; here are credentials, redirects by Go's rules, bounds, and errors that hold the operating
system's message and no secret.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from tocsin import __version__
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.config.httpclient import HTTPClientConfig
from tocsin.errors import ConfigError
from tocsin.notify.integrations.answer import (
    MAX_ANSWER_BYTES,
    MAX_ANSWER_SECONDS,
    MAX_PIECES,
    AnswerBounds,
)
from tocsin.notify.integrations.base import DOING, IN_VAIN, TRACER, WATCHER, Answer, NotifyError, within
from tocsin.notify.integrations.json import encode
from tocsin.notify.integrations.redirects import (
    MAX_REDIRECTS,
    Header,
    Step,
    is_redirect,
    next_step,
    sensitive,
    without_sensitive,
)
from tocsin.notify.integrations.secrets import Secrets, why
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.integrations.tlscontext import TLSContexts
from tocsin.notify.integrations.url import Target, parse

if TYPE_CHECKING:  # Loaded with the first alert, or the first request.
    from tocsin.notify.integrations.exchanges import Exchanges

__all__ = [
    "MAX_ANSWER_BYTES",
    "MAX_ANSWER_SECONDS",
    "MAX_PIECES",
    "MAX_REDIRECTS",
    "USER_AGENT",
    "Answer",
    "AnswerBounds",
    "HTTPClient",
    "TLSContexts",
]

EXCHANGES: Final = f"{__name__.rpartition('.')[0]}.exchanges"
"""The module that needs httpcore: loaded with the first alert, or with the first request."""
USER_AGENT: Final = f"Alertmanager/{__version__} (Tocsin)"
"""Begins like Alertmanager's, which receivers are known to match on."""

Headers: TypeAlias = Sequence[Header]


class TokenSource(Protocol):
    """Provides the value of the ``Authorization`` header."""

    async def authorization(self) -> str:
        """``TYPE TOKEN``; :class:`NotifyError`."""

    def refused(self, authorization: str) -> bool:
        """The server has refused this value; whether to repeat the request at once with a new one."""

    async def close(self) -> None:
        """Close kept connections."""


_OF_THE_BODY: Final = frozenset(("content-length", "transfer-encoding", "trailer"))
"""Headers about how a body is sent. The client sets them, whatever ``http_headers`` has, as in Go."""


class HTTPClient:
    """Makes requests over kept connections. The time limit is the attempt's."""

    def __init__(
        self,
        config: HTTPClientConfig,
        *,
        contexts: TLSContexts | None = None,
        secrets: Secrets | None = None,
        statistics: ClientStatistics | None = None,
        bounds: AnswerBounds | None = None,
        lazy: bool = False,
    ) -> None:
        """:class:`~tocsin.errors.ConfigError` for certificates that cannot be used; unless ``lazy``, which
        leaves that to the requests."""
        self._bounds = bounds or AnswerBounds(MAX_ANSWER_BYTES, MAX_ANSWER_SECONDS, MAX_PIECES)
        statistics = statistics or ClientStatistics()
        contexts = contexts or TLSContexts(statistics=statistics)
        self._config = config
        self._secrets = secrets or Secrets(config)
        self._statistics = statistics
        if not lazy:
            contexts.check(config.tls_config, http2=config.enable_http2)
        self._contexts = contexts
        self._exchanges: Exchanges | None = None
        self._loading = asyncio.Lock()
        self._closed = False
        self._tokens: TokenSource | None = None
        if config.oauth2 is not None:
            from tocsin.notify.integrations.oauth2 import OAuth2Tokens

            client = HTTPClient(
                _of_tokens(config),
                contexts=contexts,
                secrets=self._secrets,
                statistics=statistics,
                lazy=True,  # As in Go, which opens these files for the first token.
            )
            self._tokens = OAuth2Tokens(config.oauth2, client, self._secrets)

    async def close(self) -> None:
        """Close kept connections."""
        self._closed = True
        if self._exchanges is not None:
            await self._exchanges.close()
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

    async def post_within(self, span: Nanoseconds, kind: str, url: str, body: bytes) -> Answer:
        """:meth:`post`, bounded by the ``timeout`` of a section (:func:`within`), which begins after the HTTP
        library has been loaded: that takes long, once.
        """
        if span > 0 and self._exchanges is None:
            await self._loaded()
        return await within(span, kind, self.post(url, body))

    async def get(self, url: str, *, headers: Headers = ()) -> Answer:
        """Get ``url``."""
        return await self.request("GET", url, headers=headers)

    async def request(
        self, method: str, url: str, body: bytes = b"", *, headers: Headers = (), retry: bool = True
    ) -> Answer:
        """One request, with its redirects. The answer may have any status: see :meth:`Answer.check`.
        :class:`NotifyError` when there is no answer, with ``retry`` as given. The URL is never in its text.
        """
        doing = f'{method.capitalize()} "<redacted>"'
        DOING.set(doing)
        IN_VAIN.set(not retry)
        try:
            return await self._request(method, parse(url), body, headers)
        except NotifyError as failure:
            raise NotifyError(
                f"{doing}: {failure}", retry=retry and failure.retry, reason=failure.reason
            ) from None
        except ConfigError as error:
            raise NotifyError(f"{doing}: {error}", retry=retry) from None
        except (OSError, ValueError) as error:
            file = error.filename if isinstance(error, OSError) else None
            problem = f"{file}: {why(error)}" if file else why(error)
            raise NotifyError(f"{doing}: {problem}", retry=retry) from None

    async def _request(self, method: str, target: Target, body: bytes, headers: Headers) -> Answer:
        step = Step(method=method, target=target, headers=tuple(headers), body=body)
        redirects = 0
        while True:
            answer = await self._authorized(step)
            location = answer.headers.get("location", "")
            if not self._config.follow_redirects or not is_redirect(answer.status, location):
                return answer
            if redirects == MAX_REDIRECTS:
                self._statistics.bounds_reached["redirects"] += 1
                raise NotifyError("stopped after 10 redirects", retry=True)
            redirects += 1
            step = next_step(step, answer.status, location, first=target)

    async def _authorized(self, step: Step) -> Answer:
        """One request, and another one with a new token if the server no longer accepts the old one."""
        for repeated in (False, True):
            sent = await self._headers(step)
            answer = await self._once(step, sent)
            if repeated or answer.status != 401 or self._tokens is None or step.foreign:
                break
            authorization = next((value for name, value in sent if name.lower() == "authorization"), "")
            self._statistics.tokens_refused += 1
            if not self._tokens.refused(authorization):
                break
        return answer

    async def _once(self, step: Step, sent: list[Header]) -> Answer:
        watcher = WATCHER.get()
        if watcher is not None:
            instead = watcher.sending(step.method, step.target.url, sent, step.body)
            if instead is not None:
                return instead
        exchanges = self._exchanges or await self._loaded()
        tracer = TRACER.get()
        if tracer is None:
            answer = await exchanges.exchange(step, sent)
        else:
            with tracer.request(step.method, sent) as answered:
                answer = await exchanges.exchange(step, sent)
                answered(answer.status)
        if watcher is not None:
            watcher.answered(answer)
        return answer

    async def _loaded(self) -> Exchanges:
        """What requests need, loaded with the first one.

        Those that waited for it go on one by one, each in an iteration of the event loop of its own.
        """
        async with self._loading:
            if self._exchanges is None:
                make = await asyncio.to_thread(_load_exchanges)
                self._exchanges = make(self._config, self._contexts, self._statistics, self._bounds)
                if self._closed:
                    await self._exchanges.close()
            return self._exchanges

    async def _headers(self, step: Step) -> list[Header]:
        """All headers of a request except Host."""
        sent = without_sensitive(step.headers) if step.foreign else list(step.headers)
        if self._tokens is not None:  # A token overrides credentials of the kind or the URL.
            sent = [pair for pair in sent if pair[0].lower() != "authorization"]
        sent += await self._own_headers(step.target, sent, foreign=step.foreign)
        sent = [pair for pair in sent if pair[0].lower() not in _OF_THE_BODY]
        names = {name.lower() for name, _ in sent}
        if "user-agent" not in names:
            sent.insert(0, ("User-Agent", USER_AGENT))
        if step.referer and "referer" not in names:
            sent.append(("Referer", step.referer))
        if step.body or step.method not in ("GET", "HEAD"):
            sent.append(("Content-Length", str(len(step.body))))
        return sent

    async def _own_headers(self, target: Target, given: Headers, *, foreign: bool) -> list[Header]:
        """The headers that the configuration adds to each request; files are read anew each time."""
        config, secrets = self._config, self._secrets
        headers: list[Header] = []
        basic, authorization = config.basic_auth, config.authorization
        if foreign:
            if target.username or target.password:
                headers.append(("Authorization", self._basic(target.username, target.password)))
            for name, header in (config.http_headers or {}).items():
                if not sensitive(name):
                    headers += [(name, value) for value in header.values]
            return headers
        if any(name.lower() == "authorization" for name, _ in given):
            pass  # A header that the kind sets overrides it.
        elif self._tokens is not None:
            headers.append(("Authorization", await self._tokens.authorization()))
        elif target.username or target.password:
            headers.append(("Authorization", self._basic(target.username, target.password)))
        elif basic is not None:
            username = await secrets.read(basic.username, basic.username_file)
            password = await secrets.read(basic.password, basic.password_file)
            headers.append(("Authorization", self._basic(username, password)))
        elif authorization is not None:
            credentials = await secrets.read(authorization.credentials, authorization.credentials_file)
            headers.append(("Authorization", f"{authorization.type} {credentials}"))
        for name, header in (config.http_headers or {}).items():
            headers += [(name, value) for value in (*header.values, *header.secrets)]
            headers += [(name, await secrets.read("", file)) for file in header.files]
        return headers

    def _basic(self, username: str, password: str) -> str:
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._secrets.add(token)
        return f"Basic {token}"


def _load_exchanges() -> type[Exchanges]:
    """Load httpcore on a thread: it takes longer than the event loop may be held."""
    from tocsin.notify.integrations.exchanges import Exchanges

    return Exchanges


def _of_tokens(config: HTTPClientConfig) -> HTTPClientConfig:
    """The client configuration for fetching tokens: only the TLS and proxy settings of ``oauth2``."""
    oauth2 = config.oauth2
    assert oauth2 is not None  # noqa: S101
    return HTTPClientConfig(
        tls_config=oauth2.tls_config,
        proxy_url=oauth2.proxy_url,
        no_proxy=oauth2.no_proxy,
        proxy_from_environment=oauth2.proxy_from_environment,
        proxy_connect_header=oauth2.proxy_connect_header,
    )
