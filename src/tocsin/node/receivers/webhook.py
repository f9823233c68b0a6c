"""The webhook: posts Alertmanager's JSON to a URL."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import httpx

from tocsin.alerting.config import WebhookConfig
from tocsin.alerting.notification import Notification, webhook_payload
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.node.clock import Clock
from tocsin.node.receivers.base import Outcome
from tocsin.node.receivers.client import make_client, request_headers

_EXCERPT: Final = 1024
"""Characters of an unwelcome answer that go into the log."""


class WebhookSender:
    """One of ``webhook_configs``. Upstream's rules: 2xx is success, 5xx and network trouble are tried again,
    everything else is not."""

    def __init__(self, config: WebhookConfig, *, external_url: str, clock: Clock) -> None:
        self._config = config
        self._external_url = external_url
        self._clock = clock
        self._client = make_client(config.http)

    async def send(self, notification: Notification, deadline: Nanoseconds) -> Outcome:
        """Post the notification once."""
        config = self._config
        left = (deadline - self._clock.now()) / 1e9
        if config.timeout:
            left = min(left, config.timeout / 1e9)
        body = webhook_payload(notification, self._external_url, config.max_alerts)
        try:
            async with asyncio.timeout(left):
                url, headers = await asyncio.to_thread(self._secrets)
                request = self._client.build_request(
                    "POST",
                    url,
                    content=body,
                    headers=[("Content-Type", "application/json"), *headers],
                    timeout=None,
                )
                answer = await self._client.send(request, stream=True)
                try:
                    return await _outcome(answer)
                finally:
                    await answer.aclose()
        except TimeoutError:
            return Outcome(success=False, retry=True, reason="other", error="context deadline exceeded")
        except OSError as error:
            file = getattr(error, "filename", None) or "a file"
            problem = f"{file} cannot be read: {error.strerror or type(error).__name__}"
            return Outcome(success=False, retry=False, reason="other", error=problem)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
            # Their words would hold the URL, which is a secret.
            return Outcome(success=False, retry=False, reason="other", error='Post "<redacted>": invalid URL')
        except httpx.HTTPError as error:
            problem = f'Post "<redacted>": {type(error).__name__}: {_without_url(str(error))}'
            return Outcome(success=False, retry=True, reason="other", error=problem)

    async def close(self) -> None:
        """Close kept connections."""
        await self._client.aclose()

    def _secrets(self) -> tuple[str, list[tuple[str, str]]]:
        config = self._config
        url = config.url
        if config.url_file:
            url = Path(config.url_file).read_text(encoding="utf-8").strip()
        return url, request_headers(config.http)


async def _outcome(answer: httpx.Response) -> Outcome:
    status = answer.status_code
    if 200 <= status < 300:
        return Outcome(success=True)
    text = ""
    async for piece in answer.aiter_text(_EXCERPT):
        text = piece[:_EXCERPT].strip()
        break
    problem = f"unexpected status code {status}" + (f": {text}" if text else "")
    server = status >= 500
    return Outcome(
        success=False,
        retry=server,
        reason="serverError" if server else "clientError" if status >= 400 else "other",
        error=problem,
    )


def _without_url(text: str) -> str:
    return " ".join("<redacted>" if "://" in word else word for word in text.split())
