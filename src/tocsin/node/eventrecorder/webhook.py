"""A webhook: posts events, each by itself or as arrays, in the background and with bounded attempts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from tocsin.alerting.timestamp import MILLISECOND, SECOND, in_seconds
from tocsin.config.httpclient import HTTPClientConfig
from tocsin.node.config.observing import WebhookOutputConfig
from tocsin.node.eventrecorder.outputs import Means
from tocsin.notify.integrations.base import NotifyError, RetryRule, within
from tocsin.notify.integrations.http import HTTPClient
from tocsin.notify.integrations.secrets import Secrets

pause: Final = asyncio.sleep
MAX_WAITING: Final = 1024
"""Events that wait to be posted."""
MAX_WAITING_BYTES: Final = 32 << 20
MAX_BACKOFF: Final = 30.0
"""Seconds between two attempts."""
TIMEOUT: Final = 10 * SECOND
WORKERS: Final = 4
MAX_WORKERS: Final = 64
ATTEMPTS: Final = 3
BACKOFF: Final = 500 * MILLISECOND
BATCH_EVENTS: Final = 100
BATCH_BYTES: Final = 1 << 20
BATCH_INTERVAL: Final = 100 * MILLISECOND
"""What 0 means, as in Alertmanager."""


def webhook_name(url: str) -> str:
    """The output's name: scheme and host of its URL. User, path and query may be secrets."""
    parts = urlsplit(url)
    return f"webhook:{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class WebhookOutput:
    """Zeros in ``config`` mean Alertmanager's defaults. :class:`~tocsin.errors.ConfigError` for
    certificates that cannot be used. Can be made on any thread."""

    def __init__(self, config: WebhookOutputConfig, means: Means) -> None:
        self.name = webhook_name(config.url)
        self._url = str(config.url)
        self._means = means
        self._secrets = Secrets(config)
        self._http = HTTPClient(
            config.http_config or HTTPClientConfig(), secrets=self._secrets, statistics=means.clients
        )
        self._timeout = config.timeout or TIMEOUT
        self._workers = min(config.workers if config.workers > 0 else WORKERS, MAX_WORKERS)
        self._attempts = config.max_retries if config.max_retries > 0 else ATTEMPTS
        self._backoff = in_seconds(config.retry_backoff or BACKOFF)
        self._batch = config.batch
        self._batch_events = config.batch_max_events or BATCH_EVENTS
        self._batch_bytes = config.batch_max_bytes or BATCH_BYTES
        self._batch_interval = in_seconds(config.batch_flush_interval or BATCH_INTERVAL)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._woken = asyncio.Event()
        self._gathering = asyncio.Lock()
        self._closing = False
        self._dropping = False
        self._failing = False
        self._tasks: list[asyncio.Task[None]] = []
        means.statistics.output_drops[self.name] += 0  # Shown from now on.

    async def write(self, lines: Sequence[bytes]) -> Sequence[int | str]:
        """Queue events to be posted. Events past the bound are dropped and counted, without an error, as in
        Alertmanager."""
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(self._work()) for _ in range(self._workers)]
        dropped = 0
        for line in lines:
            size = self._waiting_bytes + len(line)
            if len(self._waiting) >= MAX_WAITING or (self._waiting and size > MAX_WAITING_BYTES):
                dropped += 1
                continue
            self._waiting.append(line)
            self._waiting_bytes = size
        if dropped:
            self._means.statistics.output_drops[self.name] += dropped
        if dropped and not self._dropping:
            self._means.log.warn("events are dropped, as the webhook is too slow", output=self.name)
        self._dropping = dropped > 0
        self._woken.set()
        return [len(line) for line in lines]

    async def close(self, grace: float) -> None:
        """Post queued events; those that are not accepted within ``grace`` seconds are lost and counted."""
        self._closing = True
        self._woken.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._lost(len(self._waiting), "the recorder has ended")
        self._waiting.clear()
        await self._http.close()

    async def _work(self) -> None:
        while lines := await self._next():
            count = len(lines)
            try:
                await self._deliver(b"[" + b",".join(lines) + b"]" if self._batch else lines[0], count)
            except asyncio.CancelledError:
                self._lost(count, "the recorder has ended")
                raise
            except Exception as error:  # A bug must cost these events, not the worker.
                self._means.statistics.own.failures += 1
                self._lost(count, self._secrets.mask(repr(error)))

    async def _next(self) -> list[bytes]:
        """The events to be posted next; empty once the output is closed. One worker gathers at a time, so
        that batches get full."""
        async with self._gathering:
            while not self._waiting:
                if self._closing:
                    return []
                self._woken.clear()
                await self._woken.wait()
            lines = [self._pop()]
            if not self._batch:
                return lines
            size = len(lines[0]) + 2
            try:
                async with asyncio.timeout(self._batch_interval):
                    while len(lines) < self._batch_events and size < self._batch_bytes:
                        if self._waiting:
                            size += len(self._waiting[0]) + 1
                            if size > self._batch_bytes:
                                break
                            lines.append(self._pop())
                        elif self._closing:
                            break
                        else:
                            self._woken.clear()
                            await self._woken.wait()
            except TimeoutError:
                pass
            return lines

    def _pop(self) -> bytes:
        line = self._waiting.popleft()
        self._waiting_bytes -= len(line)
        return line

    async def _deliver(self, body: bytes, count: int) -> None:
        """All attempts of one request; every failure and every status other than 2xx is retried."""
        error = ""
        for attempt in range(self._attempts):
            if attempt:
                await pause(min(self._backoff * 2.0 ** min(attempt - 1, 32), MAX_BACKOFF))
            self._means.statistics.own.posts += 1
            try:
                answer = await within(
                    self._timeout, "event recorder webhook", self._http.post(self._url, body)
                )
                answer.check(RetryRule())
            except NotifyError as failure:
                self._means.statistics.own.posts_failed += 1
                error = self._secrets.mask(str(failure))
                self._means.log.debug("event recorder webhook failed", output=self.name, err=error)
            else:
                if self._failing:
                    self._failing = False
                    self._means.log.info("events are delivered again", output=self.name)
                return
        self._lost(count, error)

    def _lost(self, count: int, why: str) -> None:
        self._means.statistics.own.undelivered += count
        if count and not self._failing:
            self._failing = True
            self._means.log.error("the event recorder loses events", output=self.name, err=why)
