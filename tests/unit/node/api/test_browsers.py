"""What pages of other sites may do: everything by default, as with Alertmanager, or nothing."""

from __future__ import annotations

import asyncio

import pytest
from starlette.datastructures import Headers

from tests.support.api_backend import LoneNode
from tocsin.node.api import Limits, create_app
from tocsin.node.api.browsers import BrowserRules

STRICT = BrowserRules(cross_origin=False, hosts=frozenset({"am.example.org", "::1"}))


@pytest.mark.parametrize(
    ("method", "host", "origin", "refused"),
    [
        ("POST", "am.example.org:9093", None, False),  # no browser
        ("POST", "am.example.org:9093", "http://am.example.org:9093", False),
        ("POST", "am.example.org:9093", "https://evil.example", True),
        ("POST", "am.example.org:9093", "null", True),
        ("DELETE", "AM.example.org:9093", "http://am.example.org", True),
        ("GET", "am.example.org", "https://evil.example", False),  # it may not see the answer
        ("GET", "evil.example:9093", None, True),  # a name that leads here
        ("GET", "[::1]:9093", None, False),
        ("GET", "[::1", None, True),
        ("GET", "", None, True),
    ],
)
def test_who_may(method: str, host: str, origin: str | None, refused: bool) -> None:
    headers = Headers({"host": host} | ({} if origin is None else {"origin": origin}))
    assert bool(STRICT.problem(method, headers)) is refused
    assert not BrowserRules().problem(method, headers)


async def _status(app: object, method: str, path: str, **headers: str) -> tuple[int, dict[bytes, bytes]]:
    sent: list[dict[str, object]] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await app(scope, receive, send)  # type: ignore[operator]
    return sent[0]["status"], dict(sent[0]["headers"])  # type: ignore[return-value, call-overload]


@pytest.mark.parametrize("path", ["/-/reload", "/api/v2/silences", "/api/v2/alerts"])
def test_the_whole_interface_goes_by_it(path: str) -> None:
    app = create_app(LoneNode(), limits=Limits(browsers=STRICT))
    origin = {"host": "am.example.org", "origin": "https://evil.example"}
    status, _ = asyncio.run(_status(app, "POST", path, **origin))
    assert status == 403
    asked = {"access_control_request_method": "POST"}
    status, headers = asyncio.run(_status(app, "OPTIONS", path, **origin, **asked))
    assert b"access-control-allow-origin" not in headers
    open_app = create_app(LoneNode())
    status, headers = asyncio.run(_status(open_app, "GET", "/api/v2/silences", **origin))
    assert status == 200
    assert headers[b"access-control-allow-origin"] == b"*"
