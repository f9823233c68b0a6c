"""The forms that Alertmanager's answers have."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tocsin.node.api.go_json import encode, encode_plain

_JSON = "application/json"


def json_answer(body: bytes) -> Response:
    """A value that is already encoded; Go's encoder ends it with a line feed."""
    return Response(body, media_type=_JSON)


def text_error(status: int, message: str) -> Response:
    """An error of a handler: a JSON string."""
    return Response(encode_plain(message) + b"\n", status, media_type=_JSON)


def coded_error(status: int, code: int, message: str) -> Response:
    """An error of go-openapi: before a handler was called."""
    return Response(encode({"code": code, "message": message}), status, media_type=_JSON)


def value_answer(value: Any) -> Response:
    """Any value as JSON."""
    return Response(encode_plain(value) + b"\n", media_type=_JSON)


def empty(status: int = 200) -> Response:
    """Nothing but a status."""
    return Response(b"", status)


def plain_error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """An error of Go's ``http.Error``."""
    return Response(
        message + "\n",
        status,
        headers={"X-Content-Type-Options": "nosniff", **(headers or {})},
        media_type="text/plain",
    )
