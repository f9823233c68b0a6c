"""``GET events``: server-sent events."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tocsin.models.events import Event, EventsQuery
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource
from tocsin.node.events.hub import Listener, TooManyStreamsError


class EventStream(Response):
    """An answer that goes on until the client leaves or the node ends it."""

    media_type = "text/event-stream"

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["X-Accel-Buffering"] = "no"
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._listener.close()
            for task in (sending, leaving):
                task.cancel()
            for task in (sending, leaving):
                with suppress(asyncio.CancelledError):
                    await task

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while chunk := await self._listener.next():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Events:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend

    async def __call__(self, call: Call[EventsQuery, None]) -> EventStream:
        identifier = call.headers.get("last-event-id", "") or call.query.last_event_id
        try:
            events = self._backend.tocsin.events
            return EventStream(events.listen(identifier, user=call.creator, address=call.address))
        except TooManyStreamsError:
            message = (
                "too many event streams are open, in all, of this user or from this address; "
                "try again later, or raise --web.max-event-streams"
            )
            raise RefusedError(503, message) from None


RESOURCE = Resource(
    path="/events",
    summary="What changes, as it changes",
    description="Server-sent events. `hello` comes first and carries an id to go on from. What has changed"
    " since the event named by `Last-Event-ID` comes next; `reset` instead, or later to whoever is too slow,"
    " says that something was missed and all is to be asked for anew. The others say what kind of thing has"
    " changed.",
    query=EventsQuery,
    answer=Event,
    media_type="text/event-stream",
    make=_Events,
)
