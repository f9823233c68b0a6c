"""uvicorn's HTTP/1.1 protocol, with the bounds that it lacks."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Any, Final

import httptools
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tocsin.errors import PeerRefusedError
from tocsin.node.api.people import subject_of
from tocsin.node.http.bounds import HTTPBounds, HTTPStatistics
from tocsin.node.http.coalescing import CoalescingTransport
from tocsin.node.http.connections import Connections, TrackedConnection
from tocsin.node.http.roundrobin import RoundRobin
from tocsin.node.http.unsized import until_closed

_ANSWERS: Final = {
    "malformed": (b"400 Bad Request", b"400 Bad Request"),
    "host": (b"400 Bad Request", b"400 Bad Request: missing required Host header"),
    "expectation": (b"417 Expectation Failed", b"417 Expectation Failed"),
    "body_pieces": (b"400 Bad Request", b"400 Bad Request: the body comes in too small pieces"),
    "version": (
        b"505 HTTP Version Not Supported",
        b"505 HTTP Version Not Supported: unsupported protocol version",
    ),
    "header_bytes": (b"431 Request Header Fields Too Large", b"431 Request Header Fields Too Large"),
    "header_count": (b"431 Request Header Fields Too Large", b"431 Request Header Fields Too Large"),
    "bodies_bytes": (b"503 Service Unavailable", b"Too many request bodies under way, try again later."),
    "headers": (b"408 Request Timeout", b"The request's headers took too long."),
    "body": (b"408 Request Timeout", b"The request's body came too slowly."),
}

_REASONS: Final = {"host": "malformed", "expectation": "malformed", "version": "malformed"}
"""The reason under which an error answer is counted, if it is not its own name."""
_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9a-fA-F]{2})")
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")


class _RefusedError(Exception):
    """Raised within the parser: the request is refused."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BoundedProtocol(HttpToolsProtocol):
    """One connection. One timer serves all its deadlines: it is moved when it fires, not at every read."""

    def __init__(
        self,
        *arguments: Any,
        bounds: HTTPBounds,
        statistics: HTTPStatistics,
        connections: Connections,
        tracked: TrackedConnection,
        round_robin: RoundRobin,
        check_client: Callable[[ssl.SSLObject], None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._bounds = bounds
        self._statistics = statistics
        self._connections = connections
        self._tracked = tracked
        self._round_robin = round_robin
        self._check_client = check_client
        self._refused = ""
        self._ending = False
        self._client_name = ""
        self._in_message = False
        self._in_headers = False
        self._header_bytes = 0
        self._frame_bytes = 0
        self._pieces = 0
        self._first_piece = True
        self._content = 0
        self._body_held = 0
        self._window_bytes = 0
        self._unread = 0
        self._reason = ""
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        self._answer_left = 0

    # -- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the transport, after the handshake if there is one."""
        super().connection_made(transport)
        self._tracked.end = self._evict
        self._tracked.unsent = transport.get_write_buffer_size
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._client_name = subject_of(tls.getpeercert())
        if tls is not None and self._check_client is not None:
            try:
                self._check_client(tls)
            except PeerRefusedError:
                self._statistics.connections_closed["client_certificate"] += 1
                self._ending = True
                transport.abort()
                return
        self._coalescing = CoalescingTransport(transport, self.loop)
        self.transport = self._coalescing  # type: ignore[assignment]
        self._expect("first_byte", self._bounds.first_byte)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport."""
        self._ending = True
        for timer in (self._timer, self._answer_timer, self._linger_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._answer_timer = self._linger_timer = None
        self._unset_keepalive_if_required()
        self._release_body()
        self._connections.gone(self._tracked)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        if self._ending:
            return
        self._unset_keepalive_if_required()
        if not self._in_message:
            self._in_message = True
            self._in_headers = True
            self._header_bytes = 0
            self._expect("headers", self._bounds.headers)
            data = _escaped(data)
        self._frame_bytes += len(data)
        self._first_piece = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # There is no protocol to upgrade to: the request is answered as any other, and is the last.
            if self.cycle is not None:
                self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(self._refused or "malformed")
            return
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > self._bounds.header_bytes:
                self._refuse("header_bytes")
        elif self._in_message and self._frame_bytes > self._bounds.header_bytes:
            # Of trailers, which the parser keeps until one is whole.
            self._refuse("unread_body" if self.cycle.response_complete else "header_bytes")

    # -- the parser's calls

    def on_message_begin(self) -> None:
        """Called by the parser."""
        if not self._in_message:  # The second or later in one read.
            self._in_message = True
            self._expect("headers", self._bounds.headers)
        self._in_headers = True
        self._header_bytes = 0
        super().on_message_begin()
        if self._client_name:
            self.scope["extensions"] = {"tls": {"client_cert_name": self._client_name}}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, for trailers too. Those are no headers, as with Go's server: what a header
        says was checked before they came."""
        if not self._in_headers:
            return
        if len(self.headers) >= self._bounds.header_count:
            self._stop("header_count")
        if len(name) == 6 and name.lower() == b"expect" and value.lower() != b"100-continue":
            self._stop("expectation")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        if len(self.pipeline) >= self._bounds.pipelined:
            self._stop("pipelined")
        self._check_line()
        super().on_headers_complete()
        self._in_headers = False
        self._frame_bytes = 0
        self._pieces = self._content = 0
        self._window_bytes = 0
        self._unread = 0
        self._expect("body", self._bounds.body_window)

    def _check_line(self) -> None:
        """Checks of Go's server that the parser lacks."""
        version = self.parser.get_http_version()
        if not version.startswith("1."):
            self._stop("version")
        if version != "1.0" and not any(name == b"host" for name, _ in self.headers):
            self._stop("host")
        if b"%" in self.url and _BROKEN_ESCAPE.search(self.url.partition(b"?")[0]):
            self._stop("malformed")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Called for each request that is next on this connection."""

        def begin() -> None:
            old = cycle.scope["http_version"] == "1.0"
            whole = until_closed(cycle, app) if old else app
            super(BoundedProtocol, self)._start_asgi_task(cycle, _until_stop(cycle, whole))

        self._round_robin.take(self._tracked.source, begin)

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        size = len(body)
        self._frame_bytes = 0
        self._pieces += not self._first_piece
        self._first_piece = False
        self._content += size
        if self._pieces > self._bounds.body_pieces + self._content // 64:
            self._stop("unread_body" if self.cycle.response_complete else "body_pieces")
        self._window_bytes += size
        if self.cycle.response_complete:
            self._unread += size
            if self._unread > self._bounds.unread_bytes:
                self._stop("unread_body")
            return
        self._body_held += size
        self._statistics.bodies_bytes += size
        if self._statistics.bodies_bytes > self._bounds.bodies_bytes:
            self._stop("bodies_bytes")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._in_message = False
        self._expect("", 0)
        if self.cycle.response_complete:
            self._connections.waits(self._tracked)
        else:
            self._connections.works(self._tracked)
        super().on_message_complete()

    def _stop(self, reason: str) -> None:
        """End the parsing; it raises its own error for it, which ends in :meth:`_refuse`."""
        self._refused = reason
        raise _RefusedError(reason)

    def on_response_complete(self) -> None:
        """Called when an answer was written."""
        self._coalescing.flush()
        self._release_body()
        if not self.pipeline:
            self._connections.waits(self._tracked)
        super().on_response_complete()

    def _release_body(self) -> None:
        self._statistics.bodies_bytes -= self._body_held
        self._body_held = 0

    # -- endings

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's
        """Called by uvicorn to refuse a request."""
        self._refuse("malformed")

    def timeout_keep_alive_handler(self) -> None:
        """No request came for a long while."""
        self._end("keep_alive")

    def _refuse(self, reason: str) -> None:
        """Answer with the error, unless an answer is under way, and close."""
        if self._ending:
            return
        if reason in self._statistics.connections_closed:
            self._end(reason)
            return
        self._statistics.requests_refused[_REASONS.get(reason, reason)] += 1
        self._say(reason)
        self._close()

    def _end(self, reason: str) -> None:
        if not self._ending:
            self._statistics.connections_closed[reason] += 1
            if reason in _ANSWERS:
                self._say(reason)
            self._close()

    def _say(self, reason: str) -> None:
        """Answer with an error, where it cannot be taken for another request's answer."""
        cycle = self.cycle
        pending = cycle is not None and not cycle.response_complete
        if (
            reason not in _ANSWERS
            or self.pipeline
            or (pending and (self._in_headers or cycle.response_started))
        ):
            return
        status, words = _ANSWERS[reason]
        self.transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%s\n" % (status, len(words) + 1, words)
        )

    def _close(self) -> None:
        self._ending = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # Its handler must not write after the error.
            cycle.message_event.set()
        self.transport.close()
        self._linger_timer = self.loop.call_later(self._bounds.linger, self._cut)

    def _cut(self) -> None:
        self._linger_timer = None
        self._statistics.connections_closed["linger"] += 1
        self.transport.abort()

    def _evict(self, reason: str) -> None:
        """Another connection needs this slot."""
        if not self._ending or self._linger_timer is not None:
            self._statistics.connections_closed[reason] += 1
        self._ending = True
        self.transport.abort()

    # -- deadlines

    def _expect(self, reason: str, seconds: float) -> None:
        """``reason`` names what must happen within ``seconds``; empty: nothing."""
        self._reason = reason
        if not reason:
            return
        self._due = self.loop.time() + seconds
        if self._timer is None or self._timer.when() > self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(self._due, self._deadline)

    def _deadline(self) -> None:
        self._timer = None
        if not self._reason or self._ending:
            return
        if self.loop.time() < self._due:
            self._timer = self.loop.call_at(self._due, self._deadline)
            return
        enough = self._reason == "body" and self._window_bytes >= self._bounds.body_window_bytes
        if enough or self.flow.read_paused:  # Paused by us: not the client's delay.
            self._window_bytes = 0
            self._expect(self._reason, self._bounds.body_window)
            return
        self._end(self._reason)

    # -- clients that do not take their answers

    def pause_writing(self) -> None:
        """Called by the transport: the client is behind with its answer."""
        super().pause_writing()
        self._answer_left = self.transport.get_write_buffer_size()
        if self._answer_timer is None:
            self._answer_timer = self.loop.call_later(self._bounds.answer_window, self._answer_deadline)
        self._connections.check_unsent()

    def resume_writing(self) -> None:
        """Called by the transport."""
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def _answer_deadline(self) -> None:
        self._answer_timer = None
        left = self.transport.get_write_buffer_size()
        if self._answer_left - left < self._bounds.answer_window_bytes:
            self._evict("answer")
            return
        self._answer_left = left
        self._answer_timer = self.loop.call_later(self._bounds.answer_window, self._answer_deadline)


def _escaped(data: bytes) -> bytes:
    """A request whose first line holds bytes above ASCII, as curl sends a URL that was typed so: escaped,
    since the parser refuses them and Go's does not."""
    end = data.find(b"\n")
    line = data[: end + 1]
    if line.isascii():
        return data
    return _NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line) + data[end + 1 :]


def _until_stop(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """``app``, whose answer may be cut when the node stops: that is not logged as an error, and the client
    sees it. A request that was refused by the end of the read that began it is not answered again."""

    async def answering(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if cycle.disconnected:
            return
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            cycle.disconnected = True
            cycle.transport.abort()

    return answering
