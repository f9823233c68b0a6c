"""The HTTP application of the node."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin.aio.later import Later
from tocsin.alerting.matcher import ParserMode
from tocsin.errors import TocsinError
from tocsin.node.api.answers import empty, plain_error, value_answer
from tocsin.node.api.backend import Backend
from tocsin.node.api.limits import Gate, HTTPMetrics, Limits, NoMetrics
from tocsin.node.api.requests import clean_path
from tocsin.node.api.statistics import AnswerStatistics
from tocsin.node.api.steps import run_steps
from tocsin.node.api.tocsin_v1 import PREFIX as V1_PREFIX
from tocsin.node.api.v2 import PREFIX, ApiV2
from tocsin.node.api.zipping import Zipping, takes_gzip
from tocsin.node.pages import PREFIX as STATIC

if TYPE_CHECKING:
    from tocsin.node.api.tocsin_v1.api import TocsinV1
    from tocsin.node.pages.shell import Pages

_log = logging.getLogger(__name__)

_DEPRECATED: Final = {
    "status": "deprecated",
    "error": "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0"
    " - please use the equivalent route in the v2 API",
}

_OLD: Final[Mapping[str, tuple[str, ...]]] = {
    "/api/v1/status": ("GET",),
    "/api/v1/receivers": ("GET",),
    "/api/v1/alerts": ("GET", "POST"),
    "/api/v1/silences": ("GET", "POST"),
}
"""The paths of the removed API v1 with their methods, which get an answer that says so."""
_OLD_SILENCE: Final = ("GET", "DELETE")
_OLD_SILENCE_PATH: Final = re.compile("/api/v1/silence/[^/]+")

LOOK_UP_SECONDS: Final = 0.5
"""Seconds that metrics wait at most for lookups of silences."""

Answer = Callable[[Request], Awaitable[Response]]


def create_app(
    backend: Backend,
    *,
    route_prefix: str = "/",
    limits: Limits | None = None,
    metrics: HTTPMetrics | None = None,
    mode: ParserMode = ParserMode.FALLBACK,
    statistics: AnswerStatistics | None = None,
) -> ASGIApp:
    """The application that answers for ``backend``.

    ``route_prefix`` (``--web.route-prefix``) stands before every path. ``mode`` says how matchers and label
    names are to be read.
    """
    limits = limits or Limits()
    counted = statistics or AnswerStatistics()
    site = Site(backend, route_prefix=route_prefix, limits=limits, mode=mode, statistics=counted)
    return Gate(site, limits, metrics or NoMetrics())


class Site:
    """Routes requests by path."""

    def __init__(
        self,
        backend: Backend,
        *,
        route_prefix: str,
        limits: Limits,
        mode: ParserMode,
        statistics: AnswerStatistics,
    ) -> None:
        self._backend = backend
        self._prefix = "/" + route_prefix.strip("/") if route_prefix.strip("/") else ""
        self._v2 = ApiV2(backend, limits, mode, statistics)
        self._v1 = Later(lambda: _tocsin_v1(backend, limits, mode, statistics))
        self._zipping = Zipping(statistics)
        self._browsers = limits.browsers
        self._people = limits.people
        self._document = Later(lambda: _pages_of(backend))
        reading = ("GET", "HEAD")
        self._pages: Mapping[str, tuple[tuple[str, ...], Answer]] = {
            "/": (("GET",), self._page),
            "/metrics": (("GET",), self._metrics),
            "/-/healthy": (reading, self._healthy),
            "/-/ready": (reading, self._ready),
            "/-/reload": (("POST",), self._reload),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            found = self._browsers.problem(request.method, request.headers)
            if found:
                answer = self.refusal(scope["path"], plain_error(403, found))
            else:
                answer = await self._answer(request)
        except ClientDisconnect:
            return
        except Exception:  # a bug of ours: an error for the client, and the traceback in the log
            _log.exception("Failed to answer a request", extra={"path": scope["path"]})
            answer = plain_error(500, "Internal Server Error")
        await answer(scope, receive, send)

    async def prepare(self, path: str) -> None:
        """Load the modules that answer ``path``."""
        if path.removeprefix(self._prefix).startswith(V1_PREFIX):
            await self._v1.get()

    def handler(self, path: str) -> str:
        """The name under which requests to ``path`` are counted."""
        path = path.removeprefix(self._prefix)
        if path.startswith(PREFIX):
            return self._v2.handler(path)
        if path.startswith(V1_PREFIX):
            return self._v1.made.handler(path)
        if path.startswith(STATIC):
            return STATIC
        return path if path in self._pages else "/unknown"

    def streams(self, path: str) -> bool:
        """Whether an answer goes on until the client leaves."""
        path = path.removeprefix(self._prefix)
        return path.startswith(V1_PREFIX) and self._v1.made.streams(path)

    def refusal(self, path: str, plain: Response) -> Response:
        """An answer of plain text in the form that errors have at ``path``."""
        if not path.removeprefix(self._prefix).startswith(V1_PREFIX):
            return plain
        return self._v1.made.refusal(plain)

    async def _answer(self, request: Request) -> Response:
        raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        path = clean_path(raw.partition(b"?")[0].decode("utf-8", "replace"))
        prefix = self._prefix
        if prefix and path in ("/", prefix):
            return _redirect(302 if path == "/" else 301, prefix + "/" if path == prefix else prefix)
        if not path.startswith(prefix + "/"):
            return plain_error(404, "404 page not found")
        await self.prepare(path)  # the original path, if it had to be cleaned
        path = path[len(prefix) :]
        refused = self._people.problem(request.method, path, request.scope)
        if refused:
            return self.refusal(prefix + path, plain_error(403, refused))
        if path.startswith(PREFIX + "/"):
            return await self._zipping.of(request, await self._v2.answer(request, path))
        if path.startswith(V1_PREFIX + "/"):
            return await self._zipping.of(request, await self._v1.made.answer(request, path))
        if path == PREFIX:
            return _redirect(301, prefix + PREFIX + "/")
        old = _OLD_SILENCE if _OLD_SILENCE_PATH.fullmatch(path) else _OLD.get(path)
        if old is not None:
            return _refused(request.method, old) or _deprecated()
        if path.startswith(STATIC):
            file = (await self._document.get()).file(request, path, zipped=takes_gzip(request))
            if file is not None:
                return file
        found = self._pages.get(path) or self._pages.get(path.rstrip("/").lower())
        if found is None:
            return plain_error(404, "404 page not found")
        methods, answerer = found
        return _refused(request.method, methods) or await answerer(request)

    async def _page(self, request: Request) -> Response:
        document, people = await self._document.get(), self._people
        return document.document(read_only=people.read_only, creator=people.creator(request.scope))

    async def _metrics(self, request: Request) -> Response:
        with suppress(TimeoutError):  # alerts that were not looked up by then count as unprocessed
            async with asyncio.timeout(LOOK_UP_SECONDS):
                alerts = self._backend.alerts.all()
                await self._backend.look_ups.find_all([alert.labels for alert in alerts])
        body, content_type = await run_steps(self._backend.metrics(request.headers.get("accept", "")))
        headers = {"Content-Type": content_type}
        if takes_gzip(request):
            body = await self._zipping.compressed(body)
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    async def _healthy(self, request: Request) -> Response:
        return _state(request, self._backend.healthy)

    async def _ready(self, request: Request) -> Response:
        return _state(request, self._backend.ready)

    async def _reload(self, request: Request) -> Response:  # noqa: ARG002 - as all pages
        try:
            await self._backend.reload()
        except TocsinError as error:
            return plain_error(500, f"failed to reload config: {error}")
        return empty()


def _tocsin_v1(backend: Backend, limits: Limits, mode: ParserMode, statistics: AnswerStatistics) -> TocsinV1:
    from tocsin.node.api.tocsin_v1.api import TocsinV1  # It is large, and many nodes are never asked.

    return TocsinV1(backend, limits, mode, statistics)


def _pages_of(backend: Backend) -> Pages:
    from tocsin.node.pages.shell import Pages

    return Pages(backend)


def _deprecated() -> Response:
    answer = value_answer(_DEPRECATED)
    answer.status_code = 410
    return answer


def _refused(method: str, allowed: Sequence[str]) -> Response | None:
    """The answer to a method that a path does not take; None if it does."""
    if method in allowed:
        return None
    allow = {"Allow": ", ".join(sorted((*allowed, "OPTIONS")))}
    if method == "OPTIONS":
        return Response(status_code=200, headers=allow)
    return plain_error(405, "Method Not Allowed", allow)


def _state(request: Request, good: bool) -> Response:
    if not good:
        return plain_error(503, "Service Unavailable")
    return empty() if request.method == "HEAD" else Response("OK", media_type="text/plain")


def _redirect(status: int, location: str) -> Response:
    text = "Found" if status == 302 else "Moved Permanently"
    body = f'<a href="{location}">{text}</a>.\n\n'
    return Response(body, status, headers={"Location": location}, media_type="text/html")
