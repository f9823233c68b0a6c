"""Applied to every request: metrics, the limit on concurrent GETs, and the time limit."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from typing import Final, Protocol

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tocsin.alerting.duration import format_go_duration
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.bounded import Memo
from tocsin.dataclass import dataclass
from tocsin.node.api.answers import plain_error
from tocsin.node.api.browsers import ANY, BrowserRules
from tocsin.node.api.people import NOBODY, PeopleRules
from tocsin.node.api.postable_alerts import DEFAULT_LIMITS, AlertLimits
from tocsin.sources import source_of

OVERFLOW: Final = 2
"""GETs in all, as a multiple of ``get_concurrency``, when addresses with less than their share add theirs."""
MAX_WAITING: Final = 64
"""GETs past that, one of each address that has none, that wait for one of the others to be over."""
LONGEST_WAIT: Final = 5.0
"""Seconds that such a GET waits."""
REMEMBERED: Final = 1024
"""Addresses of which it is known when they had a place last."""


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
        self._gets = 0
        self._gets_of: Counter[str] = Counter()
        """GETs being answered, by address."""
        self._waiting: dict[str, tuple[tuple[bool, int], asyncio.Future[None]]] = {}
        """By address, with its rank, the lowest first: one that is known by when it had a place last, counted
        in GETs; then others by when they came, as who has very many addresses uses each once."""
        self._had: Memo[str, int] = Memo(REMEMBERED)
        self._begun = 0

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
            await self._answerer(scope, receive, sent)
            return
        if scope["method"] != "GET":
            await self._timed(scope, receive, sent, sent)
            return
        client = scope.get("client")
        source = source_of(client[0]) if client else ""
        if not await self._take(source):
            self._metrics.concurrency_limit_exceeded()
            message = f"Limit of concurrent GET requests reached ({self._concurrency}), try again later.\n"
            await self._answerer.refusal(scope["path"], plain_error(503, message))(scope, receive, sent)
            return
        # A client that takes a long answer slowly holds no slot of other requests: those answers have their
        # own bound.
        counted = True

        async def send(message: Message) -> None:
            nonlocal counted
            if counted and message.get("more_body"):
                counted = False
                self._count(source, -1)
            await sent(message)

        try:
            await self._timed(scope, receive, sent, send)
        finally:
            if counted:
                self._count(source, -1)

    async def _take(self, source: str) -> bool:
        """Have a place, which :meth:`_count` gives back; false if there is none. An address without one waits
        for it: whoever has many addresses could have all places. Who had one longest ago comes first."""
        if self._has_slot(source):
            self._count(source, 1)
            return True
        if self._gets_of[source] or source in self._waiting or len(self._waiting) >= MAX_WAITING:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        had = self._had.get(source)
        self._waiting[source] = (had is None, self._begun if had is None else had), turn
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await turn
        except TimeoutError:
            return not turn.cancelled()
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._count(source, -1)
            raise
        finally:
            if self._waiting.get(source, (None, None))[1] is turn:
                del self._waiting[source]
        return True

    def _has_slot(self, source: str) -> bool:
        """Whether there is room for a GET of ``source``: an address whose slow GETs take all slots must not
        keep probes and scrapes of others out."""
        if self._gets < self._concurrency:
            return True
        sources = len(self._gets_of.keys() | {source})
        share = max(self._concurrency // sources, 1)
        return self._gets < OVERFLOW * self._concurrency and self._gets_of[source] < share

    def _count(self, source: str, more: int) -> None:
        self._gets += more
        self._gets_of[source] += more
        if not self._gets_of[source]:
            del self._gets_of[source]
        if more > 0:
            self._begun += 1
            self._had.put(source, self._begun)
        self._metrics.gets_in_flight(self._gets)
        while self._waiting and self._gets < OVERFLOW * self._concurrency:
            first = min(self._waiting, key=lambda each: self._waiting[each][0])
            _, turn = self._waiting.pop(first)
            if not turn.done():
                self._count(first, 1)
                turn.set_result(None)

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
