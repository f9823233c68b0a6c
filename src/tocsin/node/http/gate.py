"""Applied to every request with ``--web.config.file``: rate limit, headers, passwords."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.node.api.answers import plain_error
from tocsin.node.config.webconfig import RateLimit, WebConfig
from tocsin.node.http.bounds import HTTPStatistics
from tocsin.node.http.passwords import PasswordChecker, TooManyChecksError, parse_basic


class WebGate:
    """An application that passes permitted requests to another one. The order of the steps is
    exporter-toolkit's."""

    def __init__(
        self,
        app: ASGIApp,
        config: Callable[[], WebConfig],
        statistics: HTTPStatistics,
        *,
        passwords: PasswordChecker | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``config`` is called at each request."""
        self._app = app
        self._config = config
        self._statistics = statistics
        self._passwords = passwords or PasswordChecker(statistics)
        self._now = now
        self._bucket: TokenBucket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        config = self._config()
        if config.rate_limit is not None and not self._take(config.rate_limit):
            self._statistics.requests_refused["rate_limit"] += 1
            await plain_error(429, "Too Many Requests")(scope, receive, send)
            return
        if config.headers:
            send = _with_headers(send, config)
        if config.users:
            try:
                allowed = await self._allowed(scope, config)
            except TooManyChecksError:
                await plain_error(429, "Too many password checks under way, try again later.")(
                    scope, receive, send
                )
                return
            if not allowed:
                challenge = {"WWW-Authenticate": "Basic"}
                await plain_error(401, "Unauthorized", challenge)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def close(self) -> None:
        """Begin no more password checks."""
        self._passwords.close()

    def _take(self, limit: RateLimit) -> bool:
        if self._bucket is None or self._bucket.limit != limit:
            self._bucket = TokenBucket(limit, self._now())
        return self._bucket.take(self._now())

    async def _allowed(self, scope: Scope, config: WebConfig) -> bool:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        found = parse_basic(given)
        if found is None:
            return False
        client = scope.get("client")
        return await self._passwords.check(config.users, *found, client[0] if client else "")


class TokenBucket:
    """``burst`` tokens, one more each ``interval`` seconds up to that."""

    def __init__(self, limit: RateLimit, now: float) -> None:
        self.limit = limit
        self._tokens = float(limit.burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether there was one."""
        self._tokens = min(float(self.limit.burst), self._tokens + (now - self._at) / self.limit.interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _with_headers(send: Send, config: WebConfig) -> Send:
    added = [(name.encode(), value.encode()) for name, value in config.headers]
    names = {name.lower() for name, _ in added}

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in names]
            message = {**message, "headers": [*kept, *added]}
        await send(message)

    return wrapped
