"""Answers without a length to HTTP/1.0 clients, which end with the connection instead of being chunked."""

from __future__ import annotations

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def until_closed(cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
    """``app``, for a request of HTTP/1.0, after whose answer the connection is closed anyway (RFC 9112, 6.3).

    uvicorn sends chunks to whoever asks, and takes any other answer without a length for one of no bytes.
    """

    async def answering(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        unsized = False

        async def sending(message: ASGISendEvent) -> None:
            nonlocal unsized
            if message["type"] == "http.response.start":
                unsized = not any(name.lower() == b"content-length" for name, _ in message.get("headers", []))
                if unsized:
                    cycle.chunked_encoding = False
            elif unsized and message["type"] == "http.response.body":
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, sending)

    return answering
