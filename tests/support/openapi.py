"""Holds answers against the OpenAPI document that the node serves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import httpx
import jsonschema
from jsonschema import Draft202012Validator

from tests.support.api_backend import LoneNode
from tocsin.node.api import create_app

PREFIX = "/api/tocsin/v1"


class Document:
    """An OpenAPI 3.1 document, whose schemas are JSON Schema 2020-12."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        for schema in document["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)

    def operation(self, method: str, path: str) -> Mapping[str, Any]:
        """The one that a request is meant for; parts in braces match anything."""
        parts = path.split("/")
        for template, operations in self.document["paths"].items():
            wanted = template.split("/")
            if len(wanted) == len(parts) and all(
                one.startswith("{") or one == other for one, other in zip(wanted, parts, strict=True)
            ):
                found: Mapping[str, Any] = operations[method.lower()]
                return found
        raise KeyError(path)

    def check(self, answer: httpx.Response) -> Any:
        """The answer's value, once it is what the document says of it."""
        request = answer.request
        path = request.url.path[request.url.path.index(PREFIX) :]
        value = answer.json()
        try:
            operation = self.operation(request.method, path)
        except KeyError:  # Nothing is there, and the answer says so in the form of all errors.
            assert answer.status_code in (404, 405), path
            operation = self.operation("GET", f"{PREFIX}/status")
        responses = operation["responses"]
        described = responses.get(str(answer.status_code)) or responses["400"]
        schema = described["content"]["application/json"]["schema"]
        assert answer.headers["content-type"] == "application/json"
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert answer.status_code != 200 or set(request.url.params) <= names
        validator = Draft202012Validator({**schema, "components": self.document["components"]})
        try:
            validator.validate(value)
        except jsonschema.ValidationError as error:
            raise AssertionError(f"{path}: {error.message} in {json.dumps(value)[:500]}") from None
        return value


Story = Callable[[httpx.AsyncClient, LoneNode], Awaitable[None]]


def play(story: Story, node: LoneNode | None = None, **options: Any) -> None:
    """Run a story with the application of a lone node."""

    async def run() -> None:
        backend = node or LoneNode()
        transport = httpx.ASGITransport(app=create_app(backend, **options))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            await story(http, backend)

    asyncio.run(run())


async def check(http: httpx.AsyncClient, answer: httpx.Response) -> Any:
    """The value of an answer of the node behind ``http``, held against that node's own document."""
    prefix = answer.request.url.path.partition(PREFIX)[0]
    return _document((await http.get(f"{prefix}{PREFIX}/openapi.json")).content).check(answer)


@lru_cache(maxsize=4)
def _document(text: bytes) -> Document:
    return Document(json.loads(text))
