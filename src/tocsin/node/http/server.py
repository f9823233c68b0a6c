"""The HTTP server: uvicorn in our event loop, with our own accept loop and bounds."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from tocsin.node.http.acceptor import Acceptor
from tocsin.node.http.bounds import HTTPBounds, HTTPStatistics
from tocsin.node.http.connections import Connections, TrackedConnection
from tocsin.node.http.listeners import bind, inherited
from tocsin.node.http.protocol import BoundedProtocol
from tocsin.node.http.roundrobin import RoundRobin

TICK: Final = 1.0
"""Seconds between updates of the answers' date."""
STOP_GRACE: Final = 5
"""Seconds that requests under way get at a stop."""


class _Server(uvicorn.Server):
    """uvicorn's server without signal handling, accept loop (see :class:`Acceptor`) and frequent wake-ups."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop serving."""
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """Update the date of answers once a second; uvicorn's own loop wakes the process ten times a
        second."""
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
        systemd: bool = False,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        check_client: Callable[[ssl.SSLObject], None] | None = None,
        bounds: HTTPBounds | None = None,
        statistics: HTTPStatistics | None = None,
    ) -> None:
        """``systemd``: serve on the sockets that systemd passed, and not on ``addresses``.

        ``tls`` is asked before each handshake, None: plain HTTP; ``check_client`` is called after it, and
        refuses with :class:`~tocsin.errors.PeerRefusedError`.
        """
        self._addresses = addresses
        self._systemd = systemd
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
        self._reception: Acceptor | None = None
        self._acceptors: list[asyncio.Task[None]] = []

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The bound addresses; known after :meth:`start`."""
        return [one.getsockname()[:2] for one in self._sockets]

    async def start(self) -> None:
        """Bind and serve; :class:`ConfigError` for an address that cannot be bound."""
        try:
            if self._systemd:
                self._sockets.extend(inherited())
            else:
                for address in self._addresses:
                    self._sockets.append(bind(address))
        except BaseException:
            self._close_sockets()
            raise
        loop = asyncio.get_running_loop()
        round_robin = RoundRobin(loop)
        connections = Connections(self.bounds, self.statistics, loop.time)

        def protocol(tracked: TrackedConnection) -> BoundedProtocol:
            return BoundedProtocol(
                config=self._config,
                server_state=self._server.server_state,
                app_state={},
                bounds=self.bounds,
                statistics=self.statistics,
                connections=connections,
                tracked=tracked,
                round_robin=round_robin,
                check_client=self._check_client,
            )

        self._reception = Acceptor(
            protocol, connections, bounds=self.bounds, statistics=self.statistics, context=self._tls
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
