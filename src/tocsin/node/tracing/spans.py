"""Spans of a node's work, made by OpenTelemetry's SDK, with Alertmanager's names.

``POST /api/v2/alerts`` is the parent of ``dispatch.AggregationGroup.flush``, which has what was decided as
its events; that is the parent of ``notify.Integration.Notify``, one for each attempt, and that of
``HTTP POST``, whose context the receiver gets as ``traceparent``. A trace that came with a request goes on:
alerts that were posted to several nodes with one ``traceparent`` are one trace over all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from tocsin import ALERTMANAGER_VERSION, __version__
from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import Decision, Failed, GivenUp, Muted, Needed, NotNeeded, Unsettled, Withheld
from tocsin.alerting.effects import Attempt, FlushFinished
from tocsin.alerting.group import Flush
from tocsin.dataclass import dataclass
from tocsin.node.config.observing import TracingConfig
from tocsin.node.log import Logger
from tocsin.node.tracing.export import Outgoing, exporter_of
from tocsin.node.tracing.tracing import Statistics
from tocsin.notify.integrations.base import TRACER, Outcome

MAX_REPORTS: Final = 10_000
"""Alerts for which the trace of the last report is remembered."""
MAX_FLUSHES: Final = 1_000
"""Flushes that are followed at once."""
MAX_LINKS: Final = 32
"""Links of a flush's span to further reports."""
REPORT_SECONDS: Final = 3600.0
"""Seconds after which a report is not linked to a flush any more."""
MAX_PATH: Final = 256
"""Characters of a request's path that its span has."""
MAX_STATE: Final = 512
"""Bytes of a ``tracestate`` that goes on, as much as W3C's Trace Context asks for: receivers get it with each
notification, and refuse headers that are too long."""
LIMITS: Final = SpanLimits(max_attribute_length=1024, max_attributes=32, max_events=64, max_links=MAX_LINKS)

_REQUEST: ContextVar[Span | None] = ContextVar("request", default=None)
"""The span of the request under way."""
_propagator: Final = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class Report:
    """The report of an alert. ``at``: monotonic clock. ``state`` is a ``tracestate`` as it came: read it
    takes up to twenty times as much, and there may be thousands of reports."""

    trace_id: int
    span_id: int
    flags: TraceFlags
    state: str
    at: float

    @classmethod
    def of(cls, span: SpanContext, at: float) -> Report:
        """The one that ``span`` brought."""
        return cls(span.trace_id, span.span_id, span.trace_flags, span.trace_state.to_header(), at)

    @property
    def context(self) -> SpanContext:
        """The context of its span."""
        state = TraceState.from_header([self.state]) if self.state else None
        return SpanContext(
            self.trace_id, self.span_id, is_remote=False, trace_flags=self.flags, trace_state=state
        )


class Spans:
    """The spans of one configuration. Create it on any thread, use it on the event loop."""

    def __init__(self, config: TracingConfig, *, instance: str, statistics: Statistics, log: Logger) -> None:
        """:class:`~tocsin.errors.ConfigError` for what cannot be used."""
        self._config = config
        self._statistics = statistics
        self._outgoing = Outgoing(exporter_of(config), statistics, log)
        provider = TracerProvider(
            resource=Resource.create(
                {
                    SERVICE_NAME: "alertmanager",
                    SERVICE_VERSION: ALERTMANAGER_VERSION,
                    SERVICE_INSTANCE_ID: instance,
                    "tocsin.version": __version__,
                }
            ),
            sampler=ParentBased(TraceIdRatioBased(min(max(config.sampling_fraction, 0.0), 1.0))),
            span_limits=LIMITS,
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._outgoing)
        self._tracer = provider.get_tracer("tocsin", __version__)
        self._reports: dict[int, Report] = {}
        self._flushes: dict[int, tuple[Flush, Span]] = {}  # by identity, which the value keeps alive

    @property
    def endpoint(self) -> str:
        """Where they go."""
        return self._config.endpoint

    def serves(self, config: TracingConfig) -> bool:
        """Whether nothing has changed. Files of TLS may have."""
        return config == self._config and config.tls_config is None

    def start(self) -> None:
        """Send from now on."""
        self._outgoing.start()

    def discard(self) -> None:
        """Release what was made; this was never started."""
        self._outgoing.discard()

    async def close(self, grace: float) -> None:
        """Send queued spans."""
        for _flush, span in self._flushes.values():
            span.end()
        self._flushes.clear()
        await self._outgoing.close(grace)

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Callable[[int], None]]:
        """Begin the span of a request; call the result with the status."""
        carried = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name == b"traceparent" or (name == b"tracestate" and len(value) <= MAX_STATE)
        }
        path = scope["path"][:MAX_PATH]
        span = self._tracer.start_span(
            f"{scope['method']} {path}",
            context=_propagator.extract(carried, Context()),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"], "url.path": path},
        )

        def answered(status: int) -> None:
            span.set_attribute("http.response.status_code", status)
            if status >= 500:
                span.set_status(StatusCode.ERROR)

        token = _REQUEST.set(span)
        try:
            yield answered
        finally:
            _REQUEST.reset(token)
            span.end()

    def reported(self, alerts: Sequence[Alert]) -> None:
        """The request under way has brought alerts."""
        span = _REQUEST.get()
        if span is None or not span.is_recording():
            return
        span.set_attribute("alerting.alerts.count", len(alerts))
        report, reports = Report.of(span.get_span_context(), time.monotonic()), self._reports
        for alert in alerts:
            fingerprint = alert.labels.fingerprint
            reports.pop(fingerprint, None)  # The newest are last.
            reports[fingerprint] = report
        while len(reports) > MAX_REPORTS:
            del reports[next(iter(reports))]
            self._statistics.reports_forgotten += 1

    def decided(self, decided: Sequence[Decision | FlushFinished]) -> None:
        """Something was decided about flushes, or they are over."""
        for each in decided:
            span = self._of(each.flush)
            if isinstance(each, FlushFinished):
                if not each.success:
                    span.set_status(StatusCode.ERROR, each.error)
                span.end()
                self._flushes.pop(id(each.flush), None)
            elif span.is_recording():
                span.add_event(f"alerting.{type(each).__name__}", _attributes(each), each.at)

    def begin(self, attempt: Attempt) -> Span:
        """The span of an attempt."""
        integration = attempt.integration
        return self._tracer.start_span(
            "notify.Integration.Notify",
            context=set_span_in_context(self._of(attempt.flush), Context()),
            kind=SpanKind.CLIENT,
            attributes={
                "alerting.notify.integration.name": integration.integration,
                "alerting.notify.receiver.name": integration.receiver,
                "alerting.notify.attempt": attempt.number,
                "alerting.alerts.count": len(attempt.notification.alerts),
            },
        )

    async def attempt(self, span: Span, sending: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Make the attempt of that span."""
        token = TRACER.set(_Requests(self, span))
        try:
            outcome = await sending
            span.set_attribute("alerting.notify.error.recoverable", outcome.retry)
            if not outcome.success:
                span.set_status(StatusCode.ERROR, outcome.error)
            return outcome
        finally:
            TRACER.reset(token)
            span.end()

    def http(self, method: str, parent: Span) -> Span:
        """A request to a receiver begins. Its URL is a secret, and in no span."""
        return self._tracer.start_span(
            f"HTTP {method}",
            context=set_span_in_context(parent, Context()),
            kind=SpanKind.CLIENT,
            attributes={"http.request.method": method},
        )

    def _of(self, flush: Flush) -> Span:
        found = self._flushes.get(id(flush))
        if found is not None:
            return found[1]
        while len(self._flushes) >= MAX_FLUSHES:
            self._flushes.pop(next(iter(self._flushes)))[1].end()
            self._statistics.flushes_forgotten += 1
        reports = self._reports_of(flush)
        parent = None
        if reports:
            newest = max(reports.values(), key=lambda report: report.at)
            parent = _parent(newest.context)
            del reports[newest.span_id]
        links = [Link(report.context) for report in list(reports.values())[:MAX_LINKS]]
        span = self._tracer.start_span(
            "dispatch.AggregationGroup.flush",
            context=parent if parent is not None else Context(),
            kind=SpanKind.INTERNAL,
            attributes={
                "alerting.aggregation_group.key": flush.group_key,
                "alerting.route.receiver.name": flush.options.receiver,
                "alerting.alerts.count": len(flush.alerts),
            },
            links=links,
            start_time=flush.now,
        )
        self._flushes[id(flush)] = flush, span
        return span

    def _reports_of(self, flush: Flush) -> dict[int, Report]:
        """By the report's span."""
        oldest = time.monotonic() - REPORT_SECONDS
        found: dict[int, Report] = {}
        for alert in flush.alerts:
            report = self._reports.get(alert.labels.fingerprint)
            if report is not None and report.at > oldest:
                found[report.span_id] = report
        return found


class _Requests:
    """:class:`~tocsin.notify.integrations.base.RequestTracer` of one attempt."""

    def __init__(self, spans: Spans, attempt: Span) -> None:
        self._spans = spans
        self._attempt = attempt

    @contextmanager
    def request(self, method: str, headers: list[tuple[str, str]]) -> Iterator[Callable[[int], None]]:
        """A request is made; call what is given with the status."""
        span = self._spans.http(method, self._attempt)
        carried: dict[str, str] = {}
        _propagator.inject(carried, set_span_in_context(span, Context()))
        headers += [(name.capitalize(), value) for name, value in carried.items()]
        failed = True

        def answered(status: int) -> None:
            nonlocal failed
            failed = status >= 400
            span.set_attribute("http.response.status_code", status)

        try:
            yield answered
        finally:
            if failed:
                span.set_status(StatusCode.ERROR)
            span.end()


def _parent(context: SpanContext) -> Context:
    return set_span_in_context(NonRecordingSpan(context), Context())


def _attributes(decision: Decision) -> dict[str, str | int]:
    """The attributes of a decision's event."""
    attributes: dict[str, str | int] = {}
    if not isinstance(decision, Unsettled) and decision.integration is not None:
        attributes["alerting.notify.integration"] = str(decision.integration)
    if isinstance(decision, Muted | NotNeeded | Needed | Failed | GivenUp | Withheld):
        attributes["reason"] = decision.reason
    if isinstance(decision, Muted):
        attributes["alerting.alerts.count"] = len(decision.alerts)
    return attributes
