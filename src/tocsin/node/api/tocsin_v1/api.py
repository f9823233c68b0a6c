"""What all calls share: routing to a resource, reading the request, the format of errors."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tocsin.alerting.matcher import ParserMode
from tocsin.dataclass import dataclass
from tocsin.errors import (
    ClosedError,
    ConfigError,
    ConflictError,
    NotFoundError,
    StorageError,
    ValidationError,
)
from tocsin.models.base import Problem
from tocsin.node.api import cors
from tocsin.node.api.backend import Backend
from tocsin.node.api.body import BodyTooLargeError
from tocsin.node.api.limits import Limits
from tocsin.node.api.requests import unescape
from tocsin.node.api.statistics import AnswerStatistics
from tocsin.node.api.tocsin_v1 import PREFIX
from tocsin.node.api.tocsin_v1.reading import QueryReader, read_model
from tocsin.node.api.tocsin_v1.registry import RESOURCES
from tocsin.node.api.tocsin_v1.resource import AnyResource, Call, Context, RefusedError, name_of

_log = logging.getLogger(__name__)

TIME_LIMIT: Final = 30.0
"""Seconds that an answer may take; streams are exempt."""
MAX_BODY_BYTES: Final = 1 << 20
_JSON: Final = "application/json"
STREAM: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class _Operation:
    resource: AnyResource
    reader: QueryReader[Any]
    answer: Callable[[Call[Any, Any]], Awaitable[Any]]


class TocsinV1:
    """Answers requests to paths below ``/api/tocsin/v1``."""

    def __init__(
        self, backend: Backend, limits: Limits, mode: ParserMode, statistics: AnswerStatistics
    ) -> None:
        context = Context(backend, mode, RESOURCES, limits.people.read_only, statistics)
        self._mode = mode
        self._cross_origin = limits.browsers.cross_origin
        self._people = limits.people
        self._max_body_bytes = min(limits.max_body_bytes, MAX_BODY_BYTES)
        self._time_limit = TIME_LIMIT
        self._paths: dict[str, dict[str, _Operation]] = {}
        for each in RESOURCES:
            operation = _Operation(each, QueryReader(each.query), each.make(context))
            self._paths.setdefault(each.path, {})[each.method] = operation
        self._patterns = [
            (re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), path)
            for path in self._paths
            if "{" in path
        ]

    async def answer(self, request: Request, path: str) -> Response:
        """The answer to a request; ``path`` is escaped, as sent, without the route prefix."""
        found = cors.preflight(request.method, request.headers) if self._cross_origin else None
        if found is not None:
            return found
        answer = await self._answer(request, path)
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers["X-Content-Type-Options"] = "nosniff"
        if self._cross_origin:
            cors.mark(request.method, request.headers, answer.headers)
        return answer

    def handler(self, path: str) -> str:
        """The name under which a path is counted: without names in it, and one for all that do not exist."""
        found = self._find(path)
        return PREFIX + (found[0] if found is not None else "/unknown")

    def streams(self, path: str) -> bool:
        """Whether the answer goes on until the client leaves."""
        found = self._find(path)
        return found is not None and any(
            operation.resource.media_type == STREAM for operation in self._paths[found[0]].values()
        )

    def refusal(self, plain: Response) -> Response:
        """An answer of plain text in the form that errors have here."""
        return problem(plain.status_code, bytes(plain.body).decode().strip())

    def _find(self, path: str) -> tuple[str, Mapping[str, str]] | None:
        name = path.removeprefix(PREFIX).removesuffix("/")
        if name in self._paths and "{" not in name:
            return name, {}
        for pattern, template in self._patterns:
            if match := pattern.fullmatch(name):
                return template, {key: unescape(part.encode()) for key, part in match.groupdict().items()}
        return None

    async def _answer(self, request: Request, path: str) -> Response:
        try:
            found = self._find(path)
            if found is None:
                return problem(404, f"{PREFIX} has no {path.removeprefix(PREFIX)}", "path")
            operations = self._paths[found[0]]
            if request.method not in operations:
                allowed = ", ".join(sorted(operations))
                answer = problem(405, f"{request.method} is not allowed here, but {allowed}", "method")
                answer.headers["Allow"] = allowed
                return answer
            return await self._performed(request, operations[request.method], found[1])
        except ClientDisconnect:
            raise
        except RefusedError as error:
            return problem(error.status, error.message, error.place)
        except BodyTooLargeError as error:
            answer = problem(413, str(error), "body")
            answer.headers["Connection"] = "close"
            return answer
        except (ValidationError, ConfigError) as error:
            return problem(400, str(error))
        except NotFoundError as error:
            return problem(404, str(error))
        except ConflictError as error:
            return problem(409, str(error))
        except (StorageError, ClosedError) as error:
            return problem(503, str(error))
        except Exception:  # a bug of ours: an error for the client, and the traceback in the log
            _log.exception("Failed to answer a request", extra={"path": path})
            return problem(500, "this is a bug: the node's log has the traceback")

    async def _performed(self, request: Request, operation: _Operation, parts: Mapping[str, str]) -> Response:
        resource = operation.resource
        query = operation.reader.read(request.scope["query_string"])
        body = None
        if resource.body is not None:
            body = await read_model(request, resource.body, self._max_body_bytes)
        creator = self._people.creator(request.scope)
        address = request.client.host if request.client is not None else ""
        call = Call(query, body, parts, request.headers, self._mode, creator, address)
        if resource.media_type != _JSON:
            stream: Response = await operation.answer(call)
            return stream
        try:
            async with asyncio.timeout(self._time_limit) as limit:
                value = await operation.answer(call)
        except TimeoutError:
            if not limit.expired():
                raise
            return problem(504, f"it took more than {self._time_limit:g} seconds: ask for less")
        return Response(msgspec.json.encode(value), media_type=_JSON)


def problem(status: int, message: str, place: str = "") -> Response:
    """The one form of all errors."""
    value = Problem(status=status, error=name_of(status), message=message, place=place)
    return Response(msgspec.json.encode(value), status, media_type=_JSON)
