"""A request's query and body, read into their models."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Generic, Literal, TypeVar, get_args, get_origin

import msgspec
from starlette.requests import Request

from tocsin.models.base import Query
from tocsin.node.api.body import read_body
from tocsin.node.api.requests import unescape
from tocsin.node.api.tocsin_v1.resource import RefusedError

Q = TypeVar("Q", bound=Query)

_AT: Final = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")
MAX_PARAMETERS: Final = 256


class QueryReader(Generic[Q]):
    """Reads one model of parameters."""

    def __init__(self, model: type[Q]) -> None:
        self._model = model
        fields = msgspec.structs.fields(model)
        self._names = [field.encode_name for field in fields]
        self._many = {field.encode_name for field in fields if _is_list(field.type)}
        self._words = {field.encode_name: _words(field.type) for field in fields}

    def read(self, query_string: bytes) -> Q:
        """Raises RefusedError for a parameter that is unknown, given too often, or does not fit."""
        found: dict[str, Any] = {}
        if query_string.count(b"&") >= MAX_PARAMETERS:
            raise RefusedError(400, f"more than {MAX_PARAMETERS} parameters", "query")
        for pair in filter(None, query_string.split(b"&")):
            raw_name, _, raw_value = pair.replace(b"+", b" ").partition(b"=")
            name, value = unescape(raw_name), unescape(raw_value)
            if name in self._many:
                found.setdefault(name, []).append(value)
            elif name not in self._names:
                known = ", ".join(self._names) or "none"
                raise RefusedError(400, f"there is no such parameter; known are: {known}", f"query {name}")
            elif name in found:
                raise RefusedError(400, "the parameter is given twice", f"query {name}")
            else:
                found[name] = value
        try:
            return msgspec.convert(found, self._model, strict=False)
        except msgspec.ValidationError as error:
            problem = refused(error, "query")
            words = self._words.get(problem.place.removeprefix("query "))
            if words:
                problem = RefusedError(400, f"give one of: {', '.join(words)}", problem.place)
            raise problem from None


def _is_list(type_: Any) -> bool:
    while get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    return get_origin(type_) is tuple


def _words(type_: Any) -> list[str]:
    while get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    return [word for word in get_args(type_) if word] if get_origin(type_) is Literal else []


async def read_model(request: Request, model: Any, limit: int) -> Any:
    """The body. Raises RefusedError, or BodyTooLargeError."""
    body = await read_body(request, limit)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RefusedError(
            415, "the body must be JSON, with Content-Type: application/json", "header Content-Type"
        )
    try:
        return msgspec.json.decode(body, type=model)
    except msgspec.ValidationError as error:
        raise refused(error, "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(400, str(error), "body") from None


def refused(error: msgspec.ValidationError, where: str) -> RefusedError:
    """The error for what msgspec refuses, reworded where msgspec names types of Python."""
    message = str(error)
    found = _AT.search(message)
    place = where
    if found is not None:
        message = message[: found.start()]
        place = f"{where} {found['place']}".strip()
    return RefusedError(400, message.replace("`", ""), place)
