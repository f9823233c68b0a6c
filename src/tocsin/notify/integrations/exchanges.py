"""One request and its answer over a client's connections: the part of the client that needs httpcore."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

import httpcore

from tocsin.config.httpclient import HTTPClientConfig
from tocsin.notify.integrations.answer import AnswerBounds
from tocsin.notify.integrations.base import Answer, NotifyError
from tocsin.notify.integrations.causes import cause, system_said
from tocsin.notify.integrations.connections import Connections
from tocsin.notify.integrations.redirects import Header, Step
from tocsin.notify.integrations.statistics import ClientStatistics
from tocsin.notify.integrations.stream import HANDSHAKE_TIMEOUT, HandshakeError
from tocsin.notify.integrations.tlscontext import TLSContexts

_PIECES_AT_ONCE: Final = 64
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
_NAME: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")


class Exchanges:
    """The exchanges of one client. Each is bounded in what it reads, and retires its connections when it
    fails."""

    def __init__(
        self,
        config: HTTPClientConfig,
        contexts: TLSContexts,
        statistics: ClientStatistics,
        bounds: AnswerBounds,
    ) -> None:
        self._connections = Connections(config, contexts, statistics=statistics, max_body=bounds.bytes)
        self._statistics = statistics
        self._bounds = bounds

    async def close(self) -> None:
        """Close kept connections."""
        await self._connections.close()

    async def exchange(self, step: Step, sent: Sequence[Header]) -> Answer:
        """The answer to ``step``; :class:`NotifyError` when there is none."""
        try:
            return await self._exchange(step, sent)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
            raise NotifyError(_cause(error), retry=True) from None
        except (httpcore.TimeoutException, httpcore.UnsupportedProtocol) as error:
            raise NotifyError(type(error).__name__, retry=True) from None

    async def _exchange(self, step: Step, sent: Sequence[Header]) -> Answer:
        target = step.target
        request = httpcore.Request(
            step.method,
            httpcore.URL(
                scheme=target.scheme, host=target.host, port=target.explicit_port, target=target.path
            ),
            content=step.body,
        )
        # Not as an argument, whose type httpcore looks at for longer than it takes to encode them.
        request.headers = [_header("Host", target.authority), *(_header(*pair) for pair in sent)]
        async with self._connections.use(target) as pool:
            if self._connections.closed:
                raise NotifyError("the configuration was replaced meanwhile", retry=True)
            try:
                async with pool.connections.request(request) as response:
                    body, whole = await self._beginning(response)
                    if not whole:
                        pool.retire()
                    return Answer(response.status, _headers_of(response), body)
            except httpcore.ConnectError as error:
                # Otherwise the error would blame the receiver.
                if pool.proxied and not isinstance(error, HandshakeError):
                    raise NotifyError(f"proxyconnect: {_cause(error)}", retry=True) from None
                raise

    async def _beginning(self, response: httpcore.Response) -> tuple[bytes, bool]:
        """An answer, cut at the bounds, and whether it is complete: then its connection is reused."""
        read = bytearray()
        pieces = 0
        bounds = self._statistics.bounds_reached
        try:
            async with asyncio.timeout(self._bounds.seconds):
                async for piece in response.aiter_stream():
                    read += piece
                    if len(read) > self._bounds.bytes:
                        bounds["answer_bytes"] += 1
                        return bytes(read[: self._bounds.bytes]), False
                    pieces += 1
                    if pieces > self._bounds.pieces:
                        bounds["answer_pieces"] += 1
                        return bytes(read), False
                    if not pieces % _PIECES_AT_ONCE:
                        await asyncio.sleep(0)  # All pieces may have come at once.
        except (httpcore.NetworkError, httpcore.ProtocolError):
            return bytes(read), False  # The status is known, and it decides.
        except TimeoutError:
            bounds["answer_time"] += 1
            return bytes(read), False
        return bytes(read), True


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    if _UNPRINTABLE.search(value) or _UNPRINTABLE.search(name):
        raise ValueError(f"the value of the header {name!r} holds control characters")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header")
    return name.encode(), value.strip(" \t").encode()


def _headers_of(response: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


def _cause(error: BaseException) -> str:
    """The operating system's error, or a text for httpcore's."""
    if str(error) == HANDSHAKE_TIMEOUT:
        return HANDSHAKE_TIMEOUT
    said = system_said(error, connecting=isinstance(error, httpcore.ConnectError))
    if not said and isinstance(error, httpcore.ReadError | httpcore.WriteError):
        return str(error) or "connection reset by peer"
    if not said and isinstance(error, httpcore.RemoteProtocolError):
        if "disconnected" in str(error):
            return "EOF: the connection was closed before an answer was whole"
        return f"malformed answer: {error}"
    return said or cause(error)
