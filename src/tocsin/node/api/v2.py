"""The API v2: its nine operations, in front of them what go-openapi checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tocsin.alerting.matcher import ParserMode
from tocsin.alerting.quote import go_quote
from tocsin.errors import ClosedError, NotFoundError, StorageError, ValidationError
from tocsin.node.api import cors
from tocsin.node.api.alerts import AlertOperations
from tocsin.node.api.answers import coded_error, empty, text_error
from tocsin.node.api.backend import Backend
from tocsin.node.api.bodies import BodyError
from tocsin.node.api.body import BodyTooLargeError, read_body
from tocsin.node.api.general import GeneralOperations
from tocsin.node.api.limits import Limits
from tocsin.node.api.lists import LongAnswers
from tocsin.node.api.requests import accepts_json, check_content_type, is_uuid, unescape
from tocsin.node.api.silences import SilenceOperations
from tocsin.node.api.statistics import AnswerStatistics

PREFIX: Final = "/api/v2"
_SILENCE: Final = "/silence/"

Operation = Callable[[Request], Awaitable[Response]]
BodyOperation = Callable[[bytes, str], Awaitable[Response]]
"""Given the body, and who calls; empty: not known."""
SilenceOperation = Callable[[str], Awaitable[Response]]


class ApiV2:
    """Answers requests to paths below ``/api/v2``."""

    def __init__(
        self, backend: Backend, limits: Limits, mode: ParserMode, statistics: AnswerStatistics
    ) -> None:
        long_answers = LongAnswers(statistics)
        alerts = AlertOperations(backend, limits.alert, mode, long_answers)
        silences = SilenceOperations(backend, mode, long_answers)
        general = GeneralOperations(backend, mode)
        self._cross_origin = limits.browsers.cross_origin
        self._people = limits.people
        self._max_body_bytes = limits.max_body_bytes
        self._get: Mapping[str, Operation] = {
            "/alerts": alerts.get,
            "/alerts/groups": alerts.groups,
            "/receivers": general.receivers,
            "/silences": silences.get,
            "/status": general.status,
        }
        self._post: Mapping[str, BodyOperation] = {"/alerts": alerts.post, "/silences": silences.post}
        self._silence: Mapping[str, SilenceOperation] = {
            "DELETE": silences.expire,
            "GET": silences.get_one,
        }

    async def answer(self, request: Request, path: str) -> Response:
        """The answer to a request; ``path`` is escaped, as sent, without the route prefix."""
        found = cors.preflight(request.method, request.headers) if self._cross_origin else None
        if found is not None:
            return found
        try:
            answer = await self._answer(request, path)
        except BodyError as error:
            answer = coded_error(error.status, error.code, error.message)
        except BodyTooLargeError as error:
            answer = coded_error(413, 413, str(error))
            answer.headers["Connection"] = "close"
        except ValidationError as error:
            answer = text_error(400, str(error))
        except NotFoundError as error:
            answer = text_error(404, str(error))
        except (StorageError, ClosedError) as error:
            answer = text_error(503, str(error))
        if "Cache-Control" not in answer.headers:
            answer.headers["Cache-Control"] = "no-store"
        if self._cross_origin:
            cors.mark(request.method, request.headers, answer.headers)
        return answer

    def handler(self, path: str) -> str:
        """The name under which a path is counted: without ids, and one for all that do not exist."""
        name = path.removeprefix(PREFIX).removesuffix("/")
        if name in self._get:
            return PREFIX + name
        if name.startswith(_SILENCE):
            return f"{PREFIX}/silence/{{silenceID}}"
        return f"{PREFIX}/unknown"

    async def _answer(self, request: Request, path: str) -> Response:
        method = request.method
        name = path.removeprefix(PREFIX)
        if len(name) > 1:
            name = name.removesuffix("/")
        if name in self._get:
            if method == "GET":
                await self._check(request)
                return await self._get[name](request)
            if method == "POST" and name in self._post:
                return await self._post[name](await self._body(request), self._people.creator(request.scope))
            return _not_allowed(method, ["GET", "POST"] if name in self._post else ["GET"])
        identifier = name[len(_SILENCE) :]
        if name.startswith(_SILENCE) and identifier and "/" not in identifier:
            if method not in self._silence:
                return _not_allowed(method, list(self._silence))
            await self._check(request)
            identifier = unescape(identifier.encode())
            if not is_uuid(identifier):
                raise BodyError(601, f"silenceID in path must be of type uuid: {go_quote(identifier)}")
            return await self._silence[method](identifier)
        return coded_error(404, 404, f"path {path} was not found")

    async def _body(self, request: Request) -> bytes:
        """The body of a call that takes one.

        Its answer is not negotiated, as in go-openapi: no alert is lost since a client accepts only text.
        """
        body = await read_body(request, self._max_body_bytes)
        if body:
            check_content_type(request.headers.get("content-type"))
        return body

    async def _check(self, request: Request) -> None:
        """What go-openapi checks before a call that takes no body: the type of a body that came all the same,
        then whether JSON is accepted.
        """
        headers = request.headers
        if "transfer-encoding" in headers or headers.get("content-length", "0").strip("0"):
            check_content_type(headers.get("content-type"))
        if not accepts_json(request.headers.getlist("accept")):
            raise BodyError(406, "unsupported media type requested, only [application/json] are available")


def _not_allowed(method: str, allowed: list[str]) -> Response:
    text = ",".join(allowed)
    answer = coded_error(405, 405, f"method {method} is not allowed, but [{text}] are")
    answer.headers["Allow"] = text
    return answer if method != "HEAD" else _without_body(answer)


def _without_body(answer: Response) -> Response:
    bare = empty(answer.status_code)
    for name in ("Allow", "Content-Type"):
        bare.headers[name] = answer.headers[name]
    return bare
