"""Answers that are JSON lists: a long one is encoded while the client reads it, and never held as a whole."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from time import monotonic
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tocsin.node.api.answers import json_answer, plain_error
from tocsin.node.api.statistics import AnswerStatistics
from tocsin.sources import source_of

LONG: Final = 1 << 20
"""Bytes past which an answer is long: a shorter one has a ``Content-Length``, a longer one is chunked."""
CHUNK: Final = 64 << 10
"""Bytes that are written at once, at least."""
AT_ONCE: Final = 16
"""Long answers under way at the same time."""
SAFE: Final = 10.0
"""Seconds after which a long answer may be cut in favour of another one for the same address, or for an
address with as many."""


class LongAnswers:
    """The long answers of one node."""

    def __init__(self, statistics: AnswerStatistics) -> None:
        self._under_way: dict[LongAnswer, float] = {}
        self._statistics = statistics

    async def of(self, request: Request, pieces: AsyncIterator[bytes]) -> Response:
        """The answer: ``[``, the encoded ``pieces``, ``]``."""
        first: list[bytes] = []
        size = 0
        async for piece in pieces:
            first.append(piece)
            size += len(piece)
            if size > LONG:
                break
        else:
            return json_answer(b"[%b]\n" % b"".join(first))
        now = monotonic()
        source = source_of(request.client.host) if request.client is not None else ""
        if len(self._under_way) >= AT_ONCE:
            least = self._least(source, now)
            if least is None:
                self._statistics.long_refused += 1
                return plain_error(503, "Too many long answers are being taken, try again later.")
            self._statistics.long_ended += 1
            self.gone(least)
            least.end()
        made = LongAnswer(self, source, first, pieces)
        self._under_way[made] = now
        self._statistics.long = len(self._under_way)
        return made

    def _least(self, source: str, now: float) -> LongAnswer | None:
        """The answer to cut for a new one of ``source``: the oldest of an address that has more of them, or
        the oldest of all, if it is older than :data:`SAFE`."""
        counts = Counter([each.source for each in self._under_way])
        most, count = counts.most_common(1)[0]
        if count > counts[source] + 1:
            return next(each for each in self._under_way if each.source == most)
        oldest, began = next(iter(self._under_way.items()))
        return oldest if now - began >= SAFE else None

    def gone(self, answer: LongAnswer) -> None:
        """It is over."""
        self._under_way.pop(answer, None)
        self._statistics.long = len(self._under_way)


class LongAnswer(Response):
    """An answer whose length nobody knows yet."""

    media_type = "application/json"

    def __init__(
        self, answers: LongAnswers, source: str, first: list[bytes], rest: AsyncIterator[bytes]
    ) -> None:
        super().__init__()
        self.source = source
        del self.headers["content-length"]
        self._answers = answers
        self._first = first
        self._rest = rest
        self._zip: zlib._Compress | None = None
        self._sending: asyncio.Task[None] | None = None
        self._ended = False

    def compress(self, level: int, window_bits: int) -> None:
        """Compress the answer from its beginning; arguments as of :func:`zlib.compressobj`."""
        self._zip = zlib.compressobj(level, zlib.DEFLATED, window_bits)

    def end(self) -> None:
        """Cut the answer, as another one needs its slot: the client sees that the end is missing."""
        self._ended = True
        if self._sending is not None:
            self._sending.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        leaving = asyncio.create_task(_left(receive))
        sending = self._sending = asyncio.create_task(self._send(send))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._answers.gone(self)
            for task in (sending, leaving):
                task.cancel()
            await asyncio.wait((sending, leaving))
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for chunk in self._chunks():
            if self._ended:
                return
            body = chunk if self._zip is None else self._zip.compress(chunk)
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
        end = b"" if self._zip is None else self._zip.flush()
        await send({"type": "http.response.body", "body": end, "more_body": False})

    async def _chunks(self) -> AsyncIterator[bytes]:
        gathered = [b"["]
        size = 0
        async for piece in self._pieces():
            gathered.append(piece)
            size += len(piece)
            if size > CHUNK:
                yield b"".join(gathered)
                gathered.clear()
                size = 0
        yield b"".join((*gathered, b"]\n"))

    async def _pieces(self) -> AsyncIterator[bytes]:
        first, self._first = self._first, []
        first.reverse()
        while first:  # Pieces are released as they are sent.
            yield first.pop()
        async for piece in self._rest:
            yield piece


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
