"""Exports spans to the collector: a bounded queue, and OpenTelemetry's exporter on a thread."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tocsin.aio.beside import Beside
from tocsin.alerting.timestamp import in_seconds
from tocsin.config.httpclient import TLSClientConfig
from tocsin.node.config.observing import TracingConfig
from tocsin.node.log import Logger
from tocsin.node.tracing.tracing import Statistics
from tocsin.tls.files import read

MAX_WAITING: Final = 2048
"""Spans in the queue; further ones are dropped."""
BATCH: Final = 512
"""Spans in one request at most."""
GATHER: Final = 1.0
"""Seconds for which spans are gathered into one request."""
TIMEOUT: Final = 10.0
"""Time limit of one request with its retries, seconds, unless the file sets another."""


class Outgoing(SpanProcessor):
    """Queues and sends ended spans. Everything but the exporter runs on the event loop."""

    def __init__(self, exporter: SpanExporter, statistics: Statistics, log: Logger) -> None:
        self._exporter = exporter
        self._statistics = statistics
        self._log = log
        self._waiting: deque[ReadableSpan] = deque()
        self._some, self._enough, self._none = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._none.set()
        self._failing = False
        self._task: asyncio.Task[None] | None = None
        self._thread: Beside | None = None

    def start(self) -> None:
        """Send from now on."""
        self._thread = Beside("tracing")
        self._task = asyncio.get_running_loop().create_task(self._run(self._thread))

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span, if it is sampled."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._statistics.spans_dropped += 1
            return
        self._waiting.append(span)
        self._some.set()
        self._none.clear()
        if len(self._waiting) >= BATCH:
            self._enough.set()

    def discard(self) -> None:
        """Release what was made; this was never started."""
        self._exporter.shutdown()

    async def close(self, grace: float) -> None:
        """Send queued spans, for at most ``grace`` seconds."""
        self._enough.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._none.wait()
        self._statistics.spans_dropped += len(self._waiting)
        if self._task is not None:
            self._task.cancel()
        self._exporter.shutdown()  # Abandon a request that is still under way.
        if self._thread is not None:
            self._thread.close()

    async def _run(self, thread: Beside) -> None:
        while True:
            await self._some.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER):
                    await self._enough.wait()
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if len(self._waiting) < BATCH:
                self._enough.clear()
            if not self._waiting:
                self._some.clear()
            await self._export(thread, batch)
            if not self._waiting:
                self._none.set()

    async def _export(self, thread: Beside, batch: Sequence[ReadableSpan]) -> None:
        HEARD.last = ""
        try:
            done = await thread.run(partial(self._exporter.export, batch)) is SpanExportResult.SUCCESS
            said = HEARD.last
        except Exception as error:  # A bug there must only cost the spans.
            done, said = False, repr(error)
        if done:
            self._statistics.spans_exported += len(batch)
        else:
            self._statistics.spans_failed += len(batch)
        if done is self._failing:  # Log once when failures begin, and once when they end.
            self._failing = not done
            if done:
                self._log.info("spans are exported again")
            else:
                self._log.warn("spans cannot be exported", err=said)


class _Heard(logging.Handler):
    """Remembers the exporter's last message, as its return value has no reason."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the message."""
        self.last = record.getMessage()


HEARD: Final = _Heard(logging.WARNING)
_library = logging.getLogger("opentelemetry")
_library.addHandler(logging.NullHandler())
_library.propagate = False  # Its warnings quote content of requests.
logging.getLogger("opentelemetry.exporter").addHandler(HEARD)


def exporter_of(config: TracingConfig) -> SpanExporter:
    """The exporter for ``endpoint``; :class:`~tocsin.errors.ConfigError` for TLS files that cannot be
    used."""
    headers = {
        name: (*header.values, *header.secrets)[0]
        for name, header in (config.headers or {}).items()
        if header.values or header.secrets
    }
    timeout = in_seconds(config.timeout) or TIMEOUT
    make = _by_http if config.client_type == "http" else _by_grpc
    return make(config, headers, timeout)


def _by_http(config: TracingConfig, headers: Mapping[str, str], timeout: float) -> SpanExporter:
    import requests
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    session = requests.Session()
    session.trust_env = False  # Ignore proxies and authorities of the environment.
    tls = None if config.insecure else config.tls_config
    if tls is not None:
        session.mount("https://", _adapter(tls))
    return OTLPSpanExporter(
        endpoint=f"{'http' if config.insecure else 'https'}://{config.endpoint}/v1/traces",
        headers=dict(headers),
        timeout=timeout,
        compression=Compression.Gzip if config.compression else Compression.NoCompression,
        session=session,
    )


def _adapter(tls: TLSClientConfig) -> Any:
    """A transport of requests with the TLS of ``tls_config`` and nothing else."""
    import urllib3
    from requests.adapters import HTTPAdapter

    from tocsin.notify.integrations.tlscontext import tls_context

    context = tls_context(tls)
    if tls.insecure_skip_verify:
        urllib3.disable_warnings()  # Of each request.

    named: dict[str, Any] = {"server_hostname": tls.server_name} if tls.server_name else {}

    class Adapter(HTTPAdapter):
        def init_poolmanager(
            self, connections: int, maxsize: int, block: bool = False, **kwargs: Any
        ) -> None:
            super().init_poolmanager(connections, maxsize, block, ssl_context=context, **named, **kwargs)

        def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
            host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
            left_out = ("cert_reqs", "ca_certs")
            return host, {name: value for name, value in pool.items() if name not in left_out}

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            """The context does."""

    return Adapter()


def _by_grpc(config: TracingConfig, headers: Mapping[str, str], timeout: float) -> SpanExporter:
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    tls = None if config.insecure else config.tls_config
    credentials = None
    options: tuple[tuple[str, str]] | None = None
    if tls is not None:
        for name in ("insecure_skip_verify", "min_version", "max_version"):
            if tls[name]:
                raise tls.at(name).error(
                    f"{name} is not supported with client_type: grpc",
                    "use client_type: http, or insecure: true",
                )
        credentials = grpc.ssl_channel_credentials(
            _pem(tls, "ca"), private_key=_pem(tls, "key"), certificate_chain=_pem(tls, "cert")
        )
        if tls.server_name:
            options = (("grpc.ssl_target_name_override", tls.server_name),)
    return OTLPSpanExporter(
        endpoint=config.endpoint,
        insecure=config.insecure,
        credentials=credentials,
        headers={name.lower(): value for name, value in headers.items()},
        timeout=timeout,
        compression=grpc.Compression.Gzip if config.compression else grpc.Compression.NoCompression,
        channel_options=options,
    )


def _pem(tls: TLSClientConfig, name: str) -> bytes | None:
    """Of the text, or of the file."""
    if tls[name]:
        return str(tls[name]).encode()
    path = str(tls[f"{name}_file"])
    if not path:
        return None
    try:
        return read(Path(path))
    except OSError as error:
        raise tls.at(f"{name}_file").error(f"{path}: {error.strerror}") from None
