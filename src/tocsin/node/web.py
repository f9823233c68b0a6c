"""Makes and runs the HTTP interface by the ``--web.*`` flags."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from tocsin.errors import ConfigError
from tocsin.node.api import Backend, Limits, create_app
from tocsin.node.api.browsers import BrowserRules
from tocsin.node.api.people import PeopleRules
from tocsin.node.api.postable_alerts import AlertLimits
from tocsin.node.api.statistics import GAUGES as ANSWER_GAUGES
from tocsin.node.api.statistics import AnswerStatistics
from tocsin.node.api.v2 import PREFIX
from tocsin.node.config.flags import NodeFlags
from tocsin.node.http import bounds
from tocsin.node.http.gate import WebGate
from tocsin.node.http.security import GAUGES, WebSecurity
from tocsin.node.http.server import WebServer
from tocsin.node.log import Logger
from tocsin.node.metrics import Metrics, Timer


def external_url_of(flags: NodeFlags) -> str:
    """``--web.external-url``, or ``http://HOSTNAME:PORT`` of the first listener; no trailing slash."""
    url = flags.web_external_url
    if not url:
        port = flags.web_listen_address[0].rpartition(":")[2]
        return f"http://{socket.gethostname()}" + (f":{port}" if port else "")
    if "://" not in url:
        url = f"http://{url}"
    if not urlsplit(url).hostname:
        raise ConfigError("--web.external-url", f"{url!r} names no host", "write https://host[:port][/path]")
    return url.rstrip("/")


def route_prefix_of(flags: NodeFlags) -> str:
    """``--web.route-prefix``, or the path of the external URL; ``/`` at the least."""
    prefix = flags.web_route_prefix or urlsplit(external_url_of(flags)).path
    return "/" + prefix.strip("/")


class Web:
    """The API, the pages and the metrics of one node."""

    def __init__(
        self,
        flags: NodeFlags,
        backend: Backend,
        metrics: Metrics,
        around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    ) -> None:
        """``around`` wraps the application, for every request."""
        self._log = Logger("tocsin.web", component="web")
        self._requests = RequestMetrics(metrics)
        answers = AnswerStatistics()
        app = create_app(
            backend,
            route_prefix=route_prefix_of(flags),
            limits=Limits(
                get_concurrency=flags.web_get_concurrency,
                timeout=flags.web_timeout,
                browsers=BrowserRules(
                    flags.web_cross_origin == "any",
                    frozenset(host.strip("[]").lower() for host in flags.web_allowed_host),
                ),
                people=PeopleRules(
                    flags.web_creator_from, flags.web_read_only, urlsplit(external_url_of(flags)).netloc
                ),
                alert=AlertLimits(flags.alerts_max_labels, flags.alerts_max_size_bytes),
            ),
            metrics=self._requests,
            mode=flags.matcher_mode,
            statistics=answers,
        )
        app = around(app)
        metrics.watch_statistics("web_answers", lambda: answers, gauges=ANSWER_GAUGES)
        statistics = bounds.HTTPStatistics()
        metrics.watch_statistics("web", lambda: statistics, gauges=bounds.GAUGES)
        self._security: WebSecurity | None = None
        self._gate: WebGate | None = None
        self._watching: asyncio.Task[None] | None = None
        if not flags.web_config_file:
            self._server = WebServer(
                app, flags.web_listen_address, systemd=flags.web_systemd_socket, statistics=statistics
            )
            return
        security = self._security = WebSecurity(flags.web_config_file)
        metrics.watch_statistics("web_config", lambda: security.statistics, gauges=GAUGES)
        self._gate = WebGate(app, lambda: security.state.config, statistics)
        self._server = WebServer(
            self._gate,
            flags.web_listen_address,
            systemd=flags.web_systemd_socket,
            tls=security.context,
            check_client=security.check_client,
            statistics=statistics,
        )

    async def start(self) -> None:
        """Answer requests; :class:`ConfigError` for an address that cannot be bound."""
        await self._server.start()
        tls = self._security is not None and self._security.context() is not None
        for host, port in self._server.addresses:
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            self._log.info("Listening on", address=address, tls=tls)
        if self._security is not None:
            self._watching = asyncio.create_task(self._security.watch())

    async def stop(self) -> None:
        """Finish the requests under way, bounded in time."""
        if self._watching is not None:
            self._watching.cancel()
        await self._server.stop()
        if self._gate is not None:
            self._gate.close()


class RequestMetrics:
    """Feeds the events of the HTTP interface into the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._gets = 0
        self._refused = 0
        # Looking up a timer by its labels costs as much as a small answer, so the few timers are remembered.
        self._timers: dict[tuple[str, str, int], tuple[Timer, Timer | None]] = {}
        metrics.watch("http_requests_in_flight", lambda: {"get": self._gets})
        metrics.watch("http_concurrency_limit_exceeded_total", lambda: {"get": self._refused})

    def request_done(
        self, *, handler: str, method: str, status: int, seconds: float, response_bytes: int
    ) -> None:
        """A request was answered."""
        timers = self._timers.get((handler, method, status))
        if timers is None:
            timers = self._timers[handler, method, status] = (
                self._metrics.timer("http_request_duration_seconds", handler, method, str(status)),
                # As Alertmanager, which measures only the time of its API's own handlers, not the size.
                None
                if handler.startswith(PREFIX)
                else self._metrics.timer("http_response_size_bytes", handler, method),
            )
        timers[0].observe(seconds)
        if timers[1] is not None:
            timers[1].observe(response_bytes)

    def gets_in_flight(self, count: int) -> None:
        """``count`` GETs are being answered."""
        self._gets = count

    def concurrency_limit_exceeded(self) -> None:
        """A GET was refused as too many were being answered."""
        self._refused += 1
