"""The streams that a member opens: each with one outcome, a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from tocsin.errors import ClosedError, TocsinError
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import Event, ExchangeFinished, ExchangeKind, OpenStream, StreamOpened
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.stream_reader import ASKED, Deadline, Limit, StreamReader, accounted_peer, write_all
from tocsin.gossip.transport.base import Stream, Transport
from tocsin.gossip.wire.messages import Message
from tocsin.gossip.wire.stream import StreamCodec

MAX_OUTBOUND_STREAMS: Final = 128
"""Open at the same time; more wait, each within its deadline."""
NO_ANSWER: Final = (
    "the peer closed the stream without an answer: it may have another label or keyring, or be at a bound"
)
_NOWHERE: Final = Address("0.0.0.0", 0)


class OutboundStreams:
    """For one member. ``drain`` is called when the endpoint may have effects; ``emit`` gets events."""

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        codec: StreamCodec,
        reader: StreamReader,
        *,
        drain: Callable[[], None],
        emit: Callable[[Event], None],
    ) -> None:
        self._endpoint = endpoint
        self._transport = transport
        self._codec = codec
        self._reader = reader
        self._drain = drain
        self._emit = emit
        self._free = asyncio.Semaphore(MAX_OUTBOUND_STREAMS)
        self._waiting: dict[int, asyncio.Future[ExchangeFinished]] = {}
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def wait_for(self, exchange: int) -> asyncio.Future[ExchangeFinished]:
        """The outcome of an exchange that the endpoint has just begun."""
        outcome: asyncio.Future[ExchangeFinished] = self._loop.create_future()
        self._waiting[exchange] = outcome
        return outcome

    def join(self, address: Address) -> asyncio.Future[ExchangeFinished]:
        """Begin to exchange states with the node there; :class:`~tocsin.errors.ClosedError` once closed."""
        if self._closed:
            raise ClosedError("this member was closed")
        outcome = self.wait_for(self._endpoint.join(address, self._loop.time()))
        self._drain()
        return outcome

    def finished(self, event: ExchangeFinished) -> None:
        """Set the outcome for its waiters."""
        outcome = self._waiting.pop(event.exchange, None)
        if outcome is not None and not outcome.done():
            outcome.set_result(event)

    def close(self) -> None:
        """Whatever somebody waits for has failed."""
        self._closed = True
        for exchange, outcome in self._waiting.items():
            if not outcome.done():
                outcome.set_result(ExchangeFinished(exchange, ExchangeKind.USER, _NOWHERE, "closed"))
        self._waiting.clear()

    async def exchange(self, action: OpenStream) -> None:
        """Do what the endpoint asks for, and report to it."""
        stream: Stream | None = None
        message: Message | None = None
        error = ""
        try:
            async with asyncio.timeout_at(action.deadline) as limit, self._free:
                deadline = self._deadline(action, limit)
                remaining = action.deadline - self._loop.time()
                stream = await self._transport.open_stream(action.destination, remaining, action.node)
                if action.kind is ExchangeKind.JOIN:
                    self._emit(StreamOpened(action.destination))
                await write_all(stream, action.writes, deadline)
                if action.expects_reply:
                    message = await self._reader.read(
                        stream, self._codec.decoder(reply=True), weight=ASKED, deadline=deadline
                    )
                    if message is None:
                        error = NO_ANSWER
        except TimeoutError:
            error = "no outcome by the deadline"
        except TocsinError as failure:
            error = str(failure)
        except BaseException:
            if stream is not None:
                stream.abort()
            raise
        if action.expects_reply:
            await self._report(action, message, error, stream)
        if stream is not None:
            if error:
                stream.abort()
            else:
                # Without a reply to wait for, only the orderly close shows that the message arrived.
                await stream.close()
        if not action.expects_reply:
            await self._report(action, message, error, stream)

    def _deadline(self, action: OpenStream, limit: Limit) -> Deadline | None:
        """What moves the deadline of an exchange of states on, as they may be large; None for others."""
        if action.kind not in (ExchangeKind.JOIN, ExchangeKind.PUSH_PULL):
            return None

        def moved(until: float) -> None:
            self._endpoint.stream_progressed(action.exchange, until)

        return Deadline(limit, self._endpoint.config.stream_timeout, on_moved=moved)

    async def _report(
        self, action: OpenStream, message: Message | None, error: str, stream: Stream | None
    ) -> None:
        now = self._loop.time()
        if error:
            self._endpoint.stream_failed(action.exchange, error, now)
        else:
            peer = stream.peer if stream is not None else None
            work = self._endpoint.stream_replied_in_steps(action.exchange, message, now, peer)
            peer_charged = accounted_peer(stream) if stream is not None else None
            await self._reader.run_steps(peer_charged, work, ASKED)
        self._drain()
