"""Passes the node's events to the event recorder, and to the tracer if ``tracing`` is configured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig as RoutingConfig
from tocsin.alerting.decisions import Decision
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.effects import Attempt, FlushFinished
from tocsin.alerting.silence import Silence
from tocsin.dataclass import dataclass
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.config.flags import NodeFlags
from tocsin.node.config.observing import TracingConfig
from tocsin.node.eventrecorder.recording import Decided, Recording
from tocsin.node.log import Logger
from tocsin.node.web import external_url_of
from tocsin.notify.integrations.base import Outcome

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tocsin.node.metrics import Metrics
    from tocsin.node.tracing.spans import Spans

STOP_GRACE: Final = 5.0
"""Seconds for sending queued spans when the node stops or gets another configuration."""
MISSING: Final = "tracing needs the extra 'tracing', which is not installed"


@dataclass(slots=True)
class Statistics:
    """Counters of spans since the start."""

    spans_exported: int = 0
    spans_failed: int = 0
    """Spans that the collector did not accept."""
    spans_dropped: int = 0
    """Spans dropped from a full queue."""
    flushes_forgotten: int = 0
    """Flushes past the bound of those that are followed at once."""
    reports_forgotten: int = 0
    """Reports of alerts past the bound of those whose trace is remembered."""
    faults: int = 0
    """Times that a span could not be made or ended because of a bug."""


class Tracing:
    """Hands everything on to the event recorder, and makes spans of it while :attr:`spans` is there.

    ``instance`` identifies this node's spans.
    """

    def __init__(self, recording: Recording, *, instance: str, accept_missing: bool, log: Logger) -> None:
        """``accept_missing``: if the extra is not installed, the section causes a warning and not an
        error."""
        self._recording = recording
        self._instance = instance
        self._accept_missing = accept_missing
        self._log = log
        self.statistics = Statistics()
        self.spans: Spans | None = None
        """Of the configuration in force."""
        self._next: Spans | None = None
        self._begun = False
        self._has_failed = False
        self._closing: set[asyncio.Task[None]] = set()

    def check(self, config: TracingConfig | None) -> None:
        """Make what :meth:`configure` puts in force; on any thread. :class:`~tocsin.errors.ConfigError` for
        what cannot be used."""
        unused, self._next = self._next, None
        if unused is not None and unused is not self.spans:
            unused.discard()
        if config is None:
            return
        if self.spans is not None and self.spans.serves(config):
            self._next = self.spans
            return
        try:
            from tocsin.node.tracing.spans import Spans
        except ImportError as error:
            if not self._accept_missing:
                hint = "pip install 'tocsin[tracing]', or start the node with --config.accept-unserved"
                raise config.at("endpoint").error(f"{MISSING} ({error.name})", hint) from None
            self._log.warn(f"{MISSING}: the section is without effect", module=error.name)
            return
        self._next = Spans(config, instance=self._instance, statistics=self.statistics, log=self._log)

    def application(self, app: ASGIApp) -> ASGIApp:
        """``app``, with a span for each request."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if self.spans is None or scope["type"] != "http":
                await app(scope, receive, send)
                return
            with self._request(self.spans, scope) as answered:

                async def watched(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        answered(message["status"])
                    await send(message)

                await app(scope, receive, watched)

        return traced

    @contextmanager
    def _request(self, spans: Spans, scope: Scope) -> Iterator[Callable[[int], None]]:
        """The span of a request. An error in it does not fail the request."""
        try:
            span = spans.request(scope)
            told = span.__enter__()
        except Exception as error:
            self._failed(error)
            yield lambda _status: None
            return

        def answered(status: int) -> None:
            try:
                told(status)
            except Exception as error:
                self._failed(error)

        try:
            yield answered
        finally:
            try:
                span.__exit__(None, None, None)
            except Exception as error:
                self._failed(error)

    async def attempt(self, attempt: Attempt, sending: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Make an attempt."""
        spans = self.spans
        if spans is not None:
            try:
                span = spans.begin(attempt)
            except Exception as error:
                self._failed(error)
            else:
                return await spans.attempt(span, sending)
        return await sending

    # -- as a Recording

    def created(self, alert: Alert) -> None:
        """An alert that was not known was taken in."""
        self._recording.created(alert)

    def inserted(self, alerts: Sequence[Alert], dispatcher: Dispatcher) -> None:
        """Alerts were put into their groups."""
        self._recording.inserted(alerts, dispatcher)
        if self.spans is not None:
            try:
                self.spans.reported(alerts)
            except Exception as error:
                self._failed(error)

    def silence(self, verb: str, silence: Silence) -> None:
        """A silence was changed at this node."""
        self._recording.silence(verb, silence)

    def follow(self, config: RoutingConfig) -> Decided:
        """Takes in what is decided under ``config``."""
        recorded = self._recording.follow(config)

        def decided(each: Sequence[Decision | FlushFinished]) -> None:
            recorded(each)
            if self.spans is not None:
                try:
                    self.spans.decided(each)
                except Exception as error:
                    self._failed(error)

        return decided

    def start(self, position: Callable[[], int], metrics: Metrics) -> None:
        """The node serves from now on."""
        self._recording.start(position, metrics)
        metrics.watch_statistics("tracing", lambda: self.statistics if self._begun else None)
        self._adopt()

    def configure(self, config: AlertmanagerConfig) -> None:
        """A configuration that was checked is in force."""
        self._recording.configure(config.event_recorder)
        self._adopt()

    async def close(self) -> None:
        """The node has stopped: export queued spans. Bounded in time."""
        await self._recording.close()
        self.check(None)
        self._adopt()
        if self._closing:
            await asyncio.wait(self._closing, timeout=2 * STOP_GRACE)

    def _failed(self, error: Exception) -> None:
        """A bug here or in the library must only cost spans: the notification is still to be recorded."""
        self.statistics.faults += 1
        if not self._has_failed:
            self._has_failed = True
            self._log.warn("spans cannot be made", err=repr(error))

    def _adopt(self) -> None:
        old, self.spans = self.spans, self._next
        if old is self.spans:
            return
        if self.spans is not None:
            self._begun = True
            self.spans.start()
            self._log.info("tracing", endpoint=self.spans.endpoint)
        if old is not None:
            task = asyncio.get_running_loop().create_task(old.close(STOP_GRACE))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def make_tracing(flags: NodeFlags, recording: Recording) -> Tracing:
    """For one node."""
    return Tracing(
        recording,
        instance=urlsplit(external_url_of(flags)).netloc,
        accept_missing=flags.config_accept_unserved,
        log=Logger("tocsin.tracing", component="tracing"),
    )
