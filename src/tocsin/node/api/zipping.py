"""Compresses answers for clients that accept gzip, on a thread."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tocsin.node.api.lists import LongAnswer
from tocsin.node.api.requests import accepts_gzip
from tocsin.node.api.statistics import AnswerStatistics

LEVEL: Final = 1
"""zlib's level. JSON and metrics shrink to a tenth; higher levels are not worth the processor time."""
FROM_BYTES: Final = 32 * 1024
"""Bytes from which on an answer of the API is compressed: a smaller one costs less than the thread."""
AT_ONCE: Final = 2
"""Answers that are compressed at the same time, each on a thread; more wait. Of GETs there are no more than
``--web.get-concurrency`` at once."""
_GZIP: Final = 31
"""The window bits with which zlib writes gzip's format."""


def takes_gzip(request: Request) -> bool:
    """Whether the client accepts gzip by name: Alertmanager compresses only its metrics, so it is not
    assumed."""
    return accepts_gzip(request.headers.get("accept-encoding", ""))


class Zipping:
    """The compression of one node's answers."""

    def __init__(self, statistics: AnswerStatistics) -> None:
        self._statistics = statistics
        self._threads = asyncio.Semaphore(AT_ONCE)

    async def compressed(self, body: bytes) -> bytes:
        """In gzip's format."""
        # The client may be gone before the thread has ended: it holds its slot until then.
        return await asyncio.shield(asyncio.create_task(self._compress(body)))

    async def _compress(self, body: bytes) -> bytes:
        self._statistics.compressing += 1
        try:
            async with self._threads:
                return await asyncio.to_thread(zlib.compress, body, LEVEL, _GZIP)
        finally:
            self._statistics.compressing -= 1

    async def of(self, request: Request, answer: Response) -> Response:
        """The answer, compressed if it is large and the client accepts gzip."""
        if not takes_gzip(request):
            return answer
        if isinstance(answer, LongAnswer):  # piece by piece: each is quick
            answer.compress(LEVEL, _GZIP)
        elif len(answer.body) < FROM_BYTES:
            return answer
        else:
            answer.body = await self.compressed(bytes(answer.body))
            answer.headers["Content-Length"] = str(len(answer.body))
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers.add_vary_header("Accept-Encoding")
        return answer
