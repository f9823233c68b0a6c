"""The operations on silences."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from tocsin.alerting.matcher import ParserMode
from tocsin.alerting.silence import Silence, SilenceState
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.errors import NotFoundError
from tocsin.node.api.answers import empty, json_answer, value_answer
from tocsin.node.api.backend import Backend
from tocsin.node.api.lists import LongAnswers
from tocsin.node.api.postable_silence import reading_silence
from tocsin.node.api.requests import Query
from tocsin.node.api.scheduler import pause
from tocsin.node.api.silence_views import SilenceViews
from tocsin.node.api.steps import pauses_after, run_steps

SHOW_SLICE: Final = 512
"""Silences that are shown before other work of the event loop runs."""
IN_THREAD: Final = 4096
IN_THREAD_BYTES: Final = 1 << 20
"""From so many silences on, or such large ones, they are filtered and sorted in a thread."""


class SilenceOperations:
    """GET and POST silences, GET and DELETE silence."""

    def __init__(self, backend: Backend, mode: ParserMode, long_answers: LongAnswers) -> None:
        self._mode = mode
        self._long_answers = long_answers
        self._backend = backend
        self._views = SilenceViews()

    async def get(self, request: Request) -> Response:
        """The silences: active ones, then pending ones, then expired ones. Raises ValidationError.

        ``active``, ``pending`` and ``expired`` leave out those in a state (0.34).
        """
        query = Query(request.scope["query_string"], self._mode)
        matchers = await run_steps(query.matchers())
        states = [state for state in SilenceState if query.flag(state.value)]
        now = self._backend.now()
        silences = self._backend.silences
        if len(silences) < IN_THREAD and silences.total_bytes < IN_THREAD_BYTES:
            found = silences.query(now, matchers=matchers, states=states)
        else:  # it reads a copy, so silences may change meanwhile
            found = await asyncio.to_thread(silences.query, now, matchers=matchers, states=states)
        return await self._long_answers.of(request, self._shown(found, now))

    async def _shown(self, found: Sequence[Silence], now: Nanoseconds) -> AsyncIterator[bytes]:
        comma = b""
        pauses = pauses_after(SHOW_SLICE)
        for silence in found:
            if next(pauses):
                await pause()
            yield comma + self._views.encode(silence, now)
            comma = b","

    async def post(self, body: bytes, creator: str) -> Response:
        """Create or change a silence, in the name of ``creator`` if the node knows who calls.

        Raises BodyError, ValidationError or NotFoundError.
        """
        backend = self._backend
        silence = await run_steps(reading_silence(body, backend.now(), self._mode))
        if creator:
            silence = replace(silence, created_by=creator)
        identifier = await backend.set_silence(silence)
        return value_answer({"silenceID": identifier})

    async def get_one(self, identifier: str) -> Response:
        """One silence."""
        silence = self._backend.silences.get(identifier)
        if silence is None:
            return empty(404)
        return json_answer(self._views.encode(silence, self._backend.now()) + b"\n")

    async def expire(self, identifier: str) -> Response:
        """End a silence."""
        try:
            await self._backend.expire_silence(identifier)
        except NotFoundError:
            return empty(404)
        return empty()
