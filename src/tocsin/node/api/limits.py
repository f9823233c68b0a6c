"""Applied to every request: metrics, the limit on concurrent GETs, and the time limit."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Final, Protocol

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.node.api.answers import plain_error
from tocsin.node.api.browsers import ANY, BrowserRules
from tocsin.node.api.people import NOBODY, PeopleRules
from tocsin.node.api.places import Place, Places
from tocsin.node.api.postable_alerts import DEFAULT_LIMITS, AlertLimits
from tocsin.node.api.scheduler import CURRENT, RequestScheduler
from tocsin.sources import source_of

REFUSED_AFTER: Final = 1.0
"""Seconds after which a GET is refused for which other addresses have left no place."""


class HTTPMetrics(Protocol):
    """Gets the events of requests; the node makes metrics of them. ``method`` is in lower case, as in the
    metrics."""

    def request_done(
        self, *, handler: str, method: str, status: int, seconds: float, response_bytes: int
    ) -> None:
        """A request was answered."""
        ...

    def gets_in_flight(self, count: int) -> None:
        """``count`` GETs are being answered."""
        ...

    def concurrency_limit_exceeded(self) -> None:
        """A GET was refused as too many were being answered."""
        ...


class NoMetrics:
    """Counts nothing."""

    def request_done(
        self, *, handler: str, method: str, status: int, seconds: float, response_bytes: int
    ) -> None: ...

    def gets_in_flight(self, count: int) -> None: ...

    def concurrency_limit_exceeded(self) -> None: ...


def default_concurrency() -> int:
    """The number of processors, but at least eight."""
    return max(os.cpu_count() or 1, 8)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the HTTP interface. ``get_concurrency`` below 1: the default. ``timeout`` 0: none."""

    get_concurrency: int = 0
    timeout: Nanoseconds = 0
    max_body_bytes: int = 16 << 20
    browsers: BrowserRules = ANY
    people: PeopleRules = NOBODY
    alert: AlertLimits = DEFAULT_LIMITS
    """Of one alert (``--alerts.max-labels``, ``--alerts.max-size-bytes``)."""


class Answerer(Protocol):
    """What the gate passes requests to."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    async def prepare(self, path: str) -> None:
        """Called first: loads the modules that answer ``path``."""
        ...

    def handler(self, path: str) -> str:
        """The name under which requests are counted."""
        ...

    def streams(self, path: str) -> bool:
        """Whether an answer goes on until the client leaves: it has bounds of its own."""
        ...

    def refusal(self, path: str, plain: Response) -> Response:
        """An answer of plain text in the form that errors have at ``path``."""
        ...


class Gate:
    """Lets requests through to an answerer, within the limits, and counts them."""

    def __init__(
        self,
        answerer: Answerer,
        limits: Limits,
        metrics: HTTPMetrics,
    ) -> None:
        self._answerer = answerer
        self._concurrency = limits.get_concurrency if limits.get_concurrency > 0 else default_concurrency()
        self._timeout = limits.timeout
        self._metrics = metrics
        self._places = Places(self._concurrency, metrics.gets_in_flight, time.monotonic)
        self._scheduler = RequestScheduler(self._concurrency)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        sent = _Sent(send)
        begun = time.perf_counter()
        await self._answerer.prepare(scope["path"])
        try:
            await self._limited(scope, receive, sent)
        finally:
            self._metrics.request_done(
                handler=self._answerer.handler(scope["path"]),
                method=scope["method"].lower(),
                status=sent.status or 500,
                seconds=time.perf_counter() - begun,
                response_bytes=sent.body_bytes,
            )

    async def _limited(self, scope: Scope, receive: Receive, sent: _Sent) -> None:
        if self._answerer.streams(scope["path"]):
            CURRENT.set(None)  # A task has what was set where its connection was read.
            await self._answerer(scope, receive, sent)
            return
        CURRENT.set(self._scheduler.begin(writes=scope["method"] != "GET"))
        if scope["method"] != "GET":
            await self._timed(scope, receive, sent, sent)
            return
        client = scope.get("client")
        source = source_of(client[0]) if client else ""
        place = await self._places.take(source)
        if place is None:
            await self._refuse(scope, receive, sent, at_once=self._places.has_some(source))
            return
        try:
            await self._answer(place, scope, receive, sent)
        finally:
            self._places.give_back(place)

    async def _answer(self, place: Place, scope: Scope, receive: Receive, sent: _Sent) -> None:
        async def send(message: Message) -> None:
            place.answered()
            if message.get("more_body"):
                # A client that takes a long answer slowly has no place of other requests: those answers have
                # their own bound.
                self._places.give_back(place)
            await sent(message)

        try:
            async with asyncio.timeout(None) as limit:
                place.may_end(limit)
                await self._timed(scope, receive, sent, send)
        except TimeoutError:
            if not limit.expired() or sent.status is not None:
                raise
            await self._refuse(scope, receive, sent, at_once=False)

    async def _refuse(self, scope: Scope, receive: Receive, sent: _Sent, *, at_once: bool) -> None:
        """``at_once``: the client's other GETs are under way. Else many clients are here, of which each would
        be back at once."""
        if not at_once:
            await asyncio.sleep(REFUSED_AFTER)
        self._metrics.concurrency_limit_exceeded()
        message = f"Limit of concurrent GET requests reached ({self._concurrency}), try again later.\n"
        await self._answerer.refusal(scope["path"], plain_error(503, message))(scope, receive, sent)

    async def _timed(self, scope: Scope, receive: Receive, sent: _Sent, send: Send) -> None:
        if self._timeout <= 0:
            await self._answerer(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._timeout / SECOND) as limit:
                await self._answerer(scope, receive, send)
        except TimeoutError:
            if not limit.expired() or sent.status is not None:
                raise
            message = f"Exceeded configured timeout of {format_go_duration(self._timeout)}.\n"
            plain = Response(message, 503, media_type="text/plain")
            await self._answerer.refusal(scope["path"], plain)(scope, receive, sent)


class _Sent:
    """Passes an answer on, and remembers its status and size."""

    __slots__ = ("_send", "body_bytes", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.body_bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body_bytes += len(message.get("body", b""))
        await self._send(message)
