"""Reading a request's body, within a bound."""

from __future__ import annotations

from starlette.requests import Request

from tocsin.errors import UserError


class BodyTooLargeError(UserError):
    """The body is past the limit; it was not read any further."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises BodyTooLargeError as soon as more than ``limit`` bytes are announced or come."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise BodyTooLargeError(f"http: request body too large: the limit is {limit} bytes")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(f"http: request body too large: the limit is {limit} bytes")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
