"""The webhook: posts Alertmanager's JSON to a URL."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from tocsin.alerting.config import WebhookConfig
from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.notification import Notification, webhook_payload
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node.clock import Clock
from tocsin.node.receivers.base import Outcome
from tocsin.node.receivers.client import (
    TLSContexts,
    make_client,
    request_extensions,
    request_headers,
)

MAX_EXCERPT: Final = 1024
"""Characters of an unwelcome answer that go into the log."""
MAX_ANSWER_BYTES: Final = 64 * 1024
"""An answer longer than this is not read to its end; its connection is closed instead of kept."""
INLINE_PAIRS: Final = 512
"""Labels and annotations of a notification, past which its text is made beside the event loop."""
_POST: Final = 'Post "<redacted>"'


class WebhookSender:
    """One of ``webhook_configs``. Upstream's rules: 2xx is success, 5xx and network trouble are tried again,
    everything else is not."""

    def __init__(
        self,
        config: WebhookConfig,
        *,
        external_url: str,
        clock: Clock,
        contexts: TLSContexts | None = None,
    ) -> None:
        self._config = config
        self._external_url = external_url
        self._clock = clock
        self._client = make_client(config.http, contexts)

    async def send(self, notification: Notification, deadline: Nanoseconds) -> Outcome:
        """Post the notification once."""
        config = self._config
        left = (deadline - self._clock.now()) / SECOND
        configured = 0 < config.timeout / SECOND < left
        make = partial(webhook_payload, notification, self._external_url, config.max_alerts)
        pairs = sum([len(alert.labels) + len(alert.annotations) for alert in notification.alerts])
        body = await asyncio.to_thread(make) if pairs > INLINE_PAIRS else make()
        try:
            url = await self._url()
        except (OSError, ValueError) as error:
            problem = getattr(error, "strerror", None) or type(error).__name__
            return _failed(f"read url_file: {config.url_file}: {problem}")
        if not url:
            return _failed("webhook URL is empty")
        try:
            async with asyncio.timeout(config.timeout / SECOND if configured else max(left, 0.0)):
                return await self._post(url, body)
        except TimeoutError:
            cause = f": configured webhook timeout reached ({format_go_duration(config.timeout)})"
            return _failed(f"{_POST}: context deadline exceeded{cause if configured else ''}", retry=True)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            # Their words would hold the URL, which is a secret.
            return _failed(f"{_POST}: the URL is not valid, or neither http nor https", retry=True)
        except httpx.HTTPError as error:
            return _failed(f"{_POST}: {type(error).__name__}: {_without_url(str(error))}", retry=True)
        except OSError as error:  # a file of http_config
            problem = f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}"
            return _failed(f"{_POST}: {problem}", retry=True)

    async def close(self) -> None:
        """Close kept connections."""
        await self._client.aclose()

    async def _url(self) -> str:
        config = self._config
        if not config.url_file:
            return config.url
        text = await asyncio.to_thread(Path(config.url_file).read_text, encoding="utf-8")
        return text.strip()

    async def _post(self, url: str, body: bytes) -> Outcome:
        http = self._config.http
        headers = await asyncio.to_thread(request_headers, http)
        if self._client.is_closed:
            return _failed("the configuration was replaced meanwhile", retry=True)
        request = self._client.build_request(
            "POST",
            url,
            content=body,
            headers=[("Content-Type", "application/json"), *headers],
            timeout=None,  # the notification's deadline bounds it
            extensions=request_extensions(http),
        )
        answer = await self._client.send(request, stream=True)
        try:
            return _outcome(answer.status_code, await _beginning(answer))
        finally:
            await answer.aclose()


async def _beginning(answer: httpx.Response) -> str:
    """The text of an answer, cut. A connection is kept for the next request if the answer was read whole."""
    read = b""
    try:
        async for piece in answer.aiter_bytes():
            read += piece
            if len(read) > MAX_ANSWER_BYTES:
                break
    except httpx.HTTPError:
        pass  # the status is known, and it is what counts
    return read.decode("utf-8", "replace")[:MAX_EXCERPT].strip()


def _outcome(status: int, text: str) -> Outcome:
    if 200 <= status < 300:
        return Outcome(success=True)
    server = 500 <= status < 600
    reason = "serverError" if server else "clientError" if 400 <= status < 500 else "other"
    problem = f"unexpected status code {status}" + (f": {text}" if text else "")
    return Outcome(success=False, retry=server, reason=reason, error=problem)


def _failed(error: str, *, retry: bool = False) -> Outcome:
    return Outcome(success=False, retry=retry, reason="other", error=error)


def _without_url(text: str) -> str:
    return " ".join("<redacted>" if "://" in word else word for word in text.split())
