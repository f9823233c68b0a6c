"""Answers the streams that peers open: bounded in number, in all and for each peer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Final

from tocsin.bounded import Quota
from tocsin.errors import TransportError, WireError
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import Event, ProtocolError
from tocsin.gossip.core.endpoint import Endpoint
from tocsin.gossip.driver_statistics import DriverStatistics
from tocsin.gossip.stream_reader import StreamReader, accounted_peer, write_all
from tocsin.gossip.transport.base import Stream
from tocsin.gossip.wire.messages import ErrorResponse, Message, User
from tocsin.gossip.wire.stream import StreamCodec, StreamDecoder

_log = logging.getLogger(__name__)

MAX_INBOUND_STREAMS: Final = 128
"""Answered at the same time; more are closed without an answer, as memberlist does (wire 2.7)."""
MAX_STREAMS_OF_PEER: Final = 64
"""Of them, those of one peer."""

_ANSWERED_LAYERS: Final = frozenset({"keyring", "label", "lzw"})
"""A first message that these cannot unpack is answered with an error; other errors just end the stream."""

Request = Callable[[bytes, Address], Awaitable[bytes | None]]


class StreamAnswers:
    """For one member. ``drain`` is called when the endpoint may have effects; ``emit`` gets protocol
    errors."""

    def __init__(
        self,
        endpoint: Endpoint,
        codec: StreamCodec,
        reader: StreamReader,
        statistics: DriverStatistics,
        *,
        timeout: float,
        on_request: Request | None,
        drain: Callable[[], None],
        emit: Callable[[Event], None],
    ) -> None:
        self._endpoint = endpoint
        self._codec = codec
        self._reader = reader
        self._statistics = statistics
        self._timeout = timeout
        self._on_request = on_request
        self._drain = drain
        self._emit = emit
        self._streams: Quota[Hashable] = Quota(MAX_STREAMS_OF_PEER, MAX_INBOUND_STREAMS)
        self._loop = asyncio.get_running_loop()

    @property
    def open(self) -> int:
        """Streams that are being answered."""
        return self._streams.total

    def admit(self, stream: Stream) -> bool:
        """Count a stream in, which :meth:`answer` counts out; false when a bound is reached."""
        return self._streams.acquire(accounted_peer(stream))

    async def answer(self, stream: Stream) -> None:
        """Read one message, answer it if it gets an answer, and close."""
        statistics = self._statistics
        try:
            # Nothing here holds the message any longer: the peer may take its time to read and to close.
            await write_all(stream, await self._read_and_answer(stream))
        except WireError as error:
            statistics.streams_refused += 1
            _log.debug("stream of %s refused: %s", stream.remote, error)
            self._emit(ProtocolError(error.layer, error.problem, stream.remote))
            await self._answer_error(stream, error)
        except (TimeoutError, TransportError) as error:
            statistics.streams_broken += 1
            _log.debug("stream of %s failed: %s", stream.remote, error or "took too long")
        except BaseException:
            stream.abort()
            raise
        finally:
            self._streams.release(accounted_peer(stream))
            await stream.close()

    async def _read_and_answer(self, stream: Stream) -> Iterable[bytes]:
        decoder = self._codec.decoder()
        async with self._reader.reading(stream, decoder, self._timeout) as message:
            if message is None:
                return ()
            self._statistics.streams_answered += 1
            return await self._answer_to(message, decoder, stream)

    async def _answer_to(self, message: Message, decoder: StreamDecoder, stream: Stream) -> Iterable[bytes]:
        key = decoder.opened_with
        if key is not None and isinstance(message, User) and self._on_request is not None:
            answer = await self._on_request(message.payload, stream.remote)
            if answer is not None:
                return self._codec.encode(User(answer), reply=True, key=key)
        work = self._endpoint.receive_stream_in_steps(message, stream.remote, self._loop.time(), stream.peer)
        writes = await self._reader.run_steps(accounted_peer(stream), work)
        self._drain()
        return writes

    async def _answer_error(self, stream: Stream, error: WireError) -> None:
        if error.layer not in _ANSWERED_LAYERS:
            return
        if error.layer == "label" and self._codec.keyring is not None:
            return  # A label seals too: the peer could not open the answer.
        try:
            for data in self._codec.encode(ErrorResponse(str(error)), reply=True):
                await stream.write(data)
        except TransportError:
            pass
