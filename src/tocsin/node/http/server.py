"""The HTTP server: uvicorn inside our event loop, with an acceptance and bounds of our own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from tocsin.errors import ConfigError
from tocsin.node.config.commandline import split_host_port
from tocsin.node.http.bounds import HTTPBounds, HTTPStatistics
from tocsin.node.http.protocol import BoundedProtocol
from tocsin.node.http.reception import Reception
from tocsin.node.http.turns import Turns
from tocsin.node.http.visitors import Visitor, Visitors

_FLAG: Final = "--web.listen-address"
BACKLOG: Final = 1024
TICK: Final = 1.0
"""Seconds between updates of the answers' date."""
STOP_GRACE: Final = 5
"""Seconds that requests under way get at a stop."""


class _Server(uvicorn.Server):
    """Leaves signals to the daemon, acceptance to :class:`Reception`, and the processor alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Serve no more."""
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """uvicorn's own wakes the process ten times a second, though the answers' date changes only once."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's
        """Accepts nothing."""
        self.servers = []
        self.started = True


class WebServer:
    """Serves one application on several addresses."""

    def __init__(
        self,
        app: ASGIApp,
        addresses: Sequence[str],
        *,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        check_client: Callable[[ssl.SSLObject], None] | None = None,
        bounds: HTTPBounds | None = None,
        statistics: HTTPStatistics | None = None,
    ) -> None:
        """``tls`` is asked before each handshake, None: plain HTTP; ``check_client`` is called after it, and
        refuses with :class:`~tocsin.errors.PeerRefusedError`.
        """
        self._addresses = addresses
        self.bounds = bounds or HTTPBounds()
        self.statistics = statistics or HTTPStatistics()
        self._config = uvicorn.Config(
            app,
            loop="none",
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=self.bounds.keep_alive,  # type: ignore[arg-type]  # only handed to call_later
            timeout_graceful_shutdown=STOP_GRACE,
        )
        self._config.load()
        self._server = _Server(self._config)
        self._tls = tls
        self._check_client = check_client
        self._sockets: list[socket.socket] = []
        self._task: asyncio.Task[None] | None = None
        self._reception: Reception | None = None
        self._acceptors: list[asyncio.Task[None]] = []

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The bound addresses; known after :meth:`start`."""
        return [one.getsockname()[:2] for one in self._sockets]

    async def start(self) -> None:
        """Bind and serve; :class:`ConfigError` for an address that cannot be bound."""
        try:
            for address in self._addresses:
                self._sockets.append(_bind(address))
        except BaseException:
            self._close_sockets()
            raise
        loop = asyncio.get_running_loop()
        turns = Turns(loop)
        visitors = Visitors(self.bounds, self.statistics, loop.time)

        def protocol(visitor: Visitor) -> BoundedProtocol:
            return BoundedProtocol(
                config=self._config,
                server_state=self._server.server_state,
                app_state={},
                bounds=self.bounds,
                statistics=self.statistics,
                visitors=visitors,
                visitor=visitor,
                turns=turns,
                check_client=self._check_client,
            )

        self._reception = Reception(
            protocol, visitors, bounds=self.bounds, statistics=self.statistics, context=self._tls
        )
        self._task = asyncio.create_task(self._server.serve(self._sockets))
        self._acceptors = [
            asyncio.create_task(self._reception.accept_from(listener)) for listener in self._sockets
        ]

    async def stop(self) -> None:
        """Finish the requests under way, bounded in time."""
        for acceptor in self._acceptors:
            acceptor.cancel()
        await asyncio.gather(*self._acceptors, return_exceptions=True)
        if self._reception is not None:
            await self._reception.close()
        if self._task is not None:
            self._server.stop()
            await self._task
        self._close_sockets()

    def _close_sockets(self) -> None:
        for one in self._sockets:
            one.close()


def _bind(address: str) -> socket.socket:
    host, port = split_host_port(_FLAG, address)
    wildcard = not host
    try:
        [family, kind, protocol, _, place] = socket.getaddrinfo(
            host or "::", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ConfigError(_FLAG, f"{address}: {error.strerror or error}") from None
    try:
        try:
            return _listener(family, kind, protocol, place, dual=wildcard)
        except OSError:
            if not wildcard or family != socket.AF_INET6:
                raise
            return _listener(socket.AF_INET, kind, protocol, ("0.0.0.0", port), dual=False)  # no IPv6 here
    except OSError as error:
        mend = "another program listens there" if error.errno == errno.EADDRINUSE else ""
        raise ConfigError(_FLAG, f"cannot listen on {address}: {error.strerror or error}", mend) from None


def _listener(
    family: int, kind: int, protocol: int, place: tuple[object, ...], *, dual: bool
) -> socket.socket:
    one = socket.socket(family, kind, protocol)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        one.bind(place)
        one.listen(BACKLOG)
        one.setblocking(False)
    except BaseException:
        one.close()
        raise
    return one
