"""Our answers beside those of the real Alertmanager 0.33, request by request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

import httpx
import pytest

from tests.support.api_answers import CRASHED, recorded
from tests.support.api_backend import LoneNode
from tests.support.api_requests import Answer, Request, Script
from tests.support.api_scenes import SCENES
from tocsin.node.api import create_app

REQUESTS = [(scene, request.name) for scene, requests in SCENES.items() for request in requests()]


async def _play(scene: str) -> dict[str, Answer]:
    app = create_app(LoneNode())
    script = Script(datetime.now(UTC))
    answers: dict[str, Answer] = {}
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        http.headers.clear()
        for request in SCENES[scene]():
            answers[request.name] = await _ask(http, script, request)
    return answers


async def _ask(http: httpx.AsyncClient, script: Script, request: Request) -> Answer:
    body = None if request.body is None else script.fill(request.body).encode("utf-8", "surrogatepass")
    path = script.fill(request.path)
    response = await http.request(request.method, path, content=body, headers=dict(request.headers))
    return script.mark(response.status_code, response.headers, response.content.decode())


@cache
def _answers(scene: str) -> Mapping[str, Answer]:
    return asyncio.run(_play(scene))


@pytest.mark.parametrize(("scene", "name"), REQUESTS)
def test_an_answer_is_alertmanagers(scene: str, name: str) -> None:
    expected, answer = recorded()[scene][name], _answers(scene)[name]
    if expected == CRASHED:
        assert answer.status in (400, 422)  # an error where the real one has none to give
    else:
        assert answer == expected
