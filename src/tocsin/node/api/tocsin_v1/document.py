"""``GET openapi.json``: the API as an OpenAPI document, made from the models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from tocsin import __version__
from tocsin.aio.later import Later
from tocsin.models.base import Model, Problem, Query
from tocsin.node.api.tocsin_v1 import PREFIX
from tocsin.node.api.tocsin_v1.resource import AnyResource, Call, Context, Resource, name_of

_REFERENCE: Final = "#/components/schemas/{name}"
_ERRORS: Final = (400, 403, 404, 413, 415, 503, 504)


def document(resources: Sequence[AnyResource]) -> dict[str, Any]:
    """OpenAPI 3.1, whose schemas are JSON Schema 2020-12."""
    answers = [each.answer for each in resources]
    bodies = [each.body for each in resources if each.body is not None]
    queries = list(dict.fromkeys(each.query for each in resources))
    shown, components = msgspec.json.schema_components([Problem, *answers, *bodies], ref_template=_REFERENCE)
    problem, *rest = shown
    schemas = dict(zip(map(id, [*answers, *bodies]), rest, strict=True))
    taken = {name_ for body in bodies for name_ in _names(body)}
    for name, component in components.items():
        if name not in taken and component.get("type") == "object" and "properties" in component:
            component["required"] = list(component["properties"])  # Nothing is left out of an answer.
    parameters = {query: _parameters(query) for query in queries}
    paths: dict[str, dict[str, Any]] = {}
    for each in resources:
        operation: dict[str, Any] = {
            "operationId": each.method.lower() + "".join(re.findall(r"\w+", each.path.title())),
            "summary": each.summary,
            "parameters": [
                *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                  for name in re.findall(r"{(\w+)}", each.path)),
                *parameters[each.query],
            ],
            "responses": {
                "200": _response("", each.media_type, schemas[id(each.answer)]),
                **{str(code): _response(name_of(code), "application/json", problem) for code in _ERRORS},
            },
        }  # fmt: skip
        if each.description:
            operation["description"] = each.description
        if each.body is not None:
            content = {"application/json": {"schema": schemas[id(each.body)]}}
            operation["requestBody"] = {"required": True, "content": content}
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tocsin", "version": __version__},
        "paths": paths,
        "components": {"schemas": components},
    }


def _response(description: str, media_type: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description or "What was asked for", "content": {media_type: {"schema": schema}}}


def _parameters(query: type[Query]) -> list[dict[str, Any]]:
    """The parameters of an operation: the fields of its query model with their schemas."""
    _, components = msgspec.json.schema_components([query], ref_template=_REFERENCE)
    found = []
    for name, schema in components.get(query.__name__, {}).get("properties", {}).items():
        rest = dict(schema)
        parameter = {"name": name, "in": "query", "required": "default" not in rest}
        if description := rest.pop("description", ""):
            parameter["description"] = description
        found.append({**parameter, "schema": rest})
    return found


def _names(model: type[Model]) -> set[str]:
    _, components = msgspec.json.schema_components([model], ref_template=_REFERENCE)
    return set(components)


class _Document:
    """Made when it is first asked for."""

    def __init__(self, context: Context) -> None:
        self._document = Later(partial(document, context.resources))  # 100 ms

    async def __call__(self, call: Call[Query, None]) -> dict[str, Any]:  # noqa: ARG002 - as all resources
        return await self._document.get()


RESOURCE = Resource(
    path="/openapi.json",
    summary="This API as an OpenAPI document",
    query=Query,
    answer=dict[str, Any],
    make=_Document,
)
