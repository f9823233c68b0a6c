"""HTTP/1.1 over one connection: httptools parses what nearly all servers send, h11 what httptools refuses.

httpcore's own connection has h11 read every answer, which takes a third of a notification's time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final, Protocol

import h11
import httpcore
import httptools

from tocsin.notify.integrations.stream import READ_BYTES, DirectStream

_SWITCHED: Final = 101
_DISCONNECTED: Final = "Server disconnected without sending a response."
_MAX_LOOSE_HEAD: Final = 24 * 1024
"""h11 holds the event loop for some milliseconds with each 8 KB."""


class _Answer(Protocol):
    """Reads one answer."""

    status: int
    """0: not known yet."""
    headers: list[tuple[bytes, bytes]]
    pieces: list[bytes]
    """Pieces of the body that were not read yet."""
    whole: bool
    kept: bool
    """Once the answer is complete: whether the connection may be reused."""

    def feed(self, data: bytes) -> None:
        """Parse received bytes; empty: the connection has ended. ``httpcore.RemoteProtocolError`` if it ends
        or breaks before the status; after that, a body that is cut or malformed just ends there."""

    def done(self) -> None:
        """Nothing more is fed."""


class _QuickAnswer:
    """By httptools, which calls the methods that begin with ``on_``."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.whole = False
        self.kept = True
        self.raw = b""
        """The bytes received before the status was known, for h11."""
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        if not self.status:
            self.raw += data
        try:
            if data:
                self._parser.feed_data(data)
                return
            problem = _DISCONNECTED
        except httptools.HttpParserUpgrade:
            problem = ""
        except httptools.HttpParserError as error:
            problem = str(error)
        self._ended(problem)

    def _ended(self, problem: str) -> None:
        """Stop reading. Once the status is known, the body ends here at the latest."""
        if not self.status:
            raise httpcore.RemoteProtocolError(problem)
        self.whole, self.kept = True, False

    def done(self) -> None:
        del self._parser  # It holds the methods of this object: a cycle.

    def on_message_begin(self) -> None:
        if self.whole:
            self.kept = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # Later ones are trailers, which Go keeps apart.
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.whole:
            self.kept = False
        elif 100 <= status < 200 and status != _SWITCHED:  # An interim answer: another one follows.
            self.headers.clear()
        else:
            self.status = status

    def on_body(self, body: bytes) -> None:
        if not self.whole:
            self.pieces.append(body)

    def on_message_complete(self) -> None:
        if self.status and not self.whole:
            self.whole = True
            self.kept = self.kept and self._parser.should_keep_alive()


class _PatientAnswer:
    """By h11: a folded header, a length that is said twice, lines that end without CR. Its connection is not
    used again."""

    def __init__(self, method: bytes) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.whole = False
        self.kept = False
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_LOOSE_HEAD)
        self._connection.send(h11.Request(method=method, target="/", headers=[("Host", "there")]))
        self._connection.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> None:
        try:
            if not data and not self.status:
                raise httpcore.RemoteProtocolError(_DISCONNECTED)
            self._connection.receive_data(data)
            while not self.whole:
                event = self._connection.next_event()
                if event is h11.NEED_DATA:
                    return
                self._take(event)
        except h11.RemoteProtocolError as error:
            if not self.status:
                raise httpcore.RemoteProtocolError(str(error)) from None
            self.whole = True

    def done(self) -> None:
        pass

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Response) or (
            isinstance(event, h11.InformationalResponse) and event.status_code == _SWITCHED
        ):
            self.status = event.status_code
            self.headers = list(event.headers.raw_items())
            self.whole = event.status_code == _SWITCHED
        elif isinstance(event, h11.Data):
            self.pieces.append(bytes(event.data))
        elif not isinstance(event, h11.InformationalResponse):  # EndOfMessage, PAUSED, ConnectionClosed
            self.whole = True


class HTTP1Connection(httpcore.AsyncConnectionInterface):
    """One request after another, over a stream."""

    def __init__(self, origin: httpcore.Origin, stream: DirectStream, keepalive_expiry: float) -> None:
        self._origin = origin
        self._stream = stream
        self._keepalive_expiry = keepalive_expiry
        self._expire_at = float("inf")
        self._answer: _Answer | None = None
        self._closed = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """The answer, whose body is still to be read. httpcore's errors."""
        if self._answer is not None or self._closed:
            raise httpcore.ConnectionNotAvailable
        answer: _Answer = _QuickAnswer()
        self._answer = answer
        try:
            body = b"".join([piece async for piece in request.stream])  # type: ignore[union-attr]
            try:
                await self._stream.write(_head(request) + body)
            except httpcore.WriteError:
                pass  # The server may have answered already: read the answer.
            while not answer.status:
                data = await self._stream.read(READ_BYTES)
                try:
                    answer.feed(data)
                except httpcore.RemoteProtocolError:
                    if not isinstance(answer, _QuickAnswer) or not data:
                        raise
                    raw, answer = answer.raw, _PatientAnswer(request.method)
                    self._answer = answer
                    for start in range(0, len(raw), READ_BYTES):
                        answer.feed(raw[start : start + READ_BYTES])
                        await asyncio.sleep(0)
                if isinstance(answer, _PatientAnswer):
                    await asyncio.sleep(0)
            if request.method == b"HEAD":
                answer.whole, answer.kept = True, False
        except BaseException:
            self.close()
            raise
        response = httpcore.Response(
            answer.status, content=_Body(self, answer), extensions={"network_stream": self._stream}
        )
        response.headers = answer.headers  # Not as an argument: see Exchanges.
        return response

    async def pieces(self, answer: _Answer) -> AsyncIterator[bytes]:
        """The body, piece by piece as it comes."""
        while True:
            taken, answer.pieces[:] = list(answer.pieces), ()
            for piece in taken:
                yield piece
            if answer.whole and not answer.pieces:
                return
            answer.feed(await self._stream.read(READ_BYTES))
            if isinstance(answer, _PatientAnswer):
                await asyncio.sleep(0)

    def over(self, answer: _Answer) -> None:
        """The answer is not read any further: keep the connection for reuse, or close it."""
        if self._answer is not answer:
            return
        self._answer = None
        answer.done()
        if answer.whole and answer.kept and not self._stream.touched and not self._stream.has_unsent:
            self._expire_at = time.monotonic() + self._keepalive_expiry
        else:
            self.close()

    def close(self) -> None:
        """Close it, whatever is under way on it."""
        self._closed = True
        self._stream.abort()

    async def aclose(self) -> None:
        """As :meth:`close`."""
        self.close()

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        """Whether this connection leads to ``origin``."""
        return origin == self._origin

    def is_available(self) -> bool:
        """Whether it can take a request now."""
        return self._answer is None and not self._closed

    def has_expired(self) -> bool:
        """Whether it should be closed: it was idle too long, or the server has closed it."""
        return self._answer is None and (time.monotonic() > self._expire_at or self._stream.was_left)

    def is_idle(self) -> bool:
        """Whether nothing is under way on it."""
        return self._answer is None and not self._closed

    def is_closed(self) -> bool:
        """Whether it is closed."""
        return self._closed

    def info(self) -> str:
        """A description, for logs."""
        return f"{self._origin}, HTTP/1.1, {'closed' if self._closed else 'open'}"


class _Body:
    """The body of an answer as httpcore wants it."""

    def __init__(self, connection: HTTP1Connection, answer: _Answer) -> None:
        self._connection = connection
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection.pieces(self._answer)

    async def aclose(self) -> None:
        self._connection.over(self._answer)


def _head(request: httpcore.Request) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (request.method, request.url.target)]
    lines += [b"%b: %b" % pair for pair in request.headers]
    lines += (b"", b"")
    return b"\r\n".join(lines)
