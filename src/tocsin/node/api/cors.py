"""Cross-origin requests: every origin may read and post, as in Alertmanager."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

_METHODS: Final = frozenset(("GET", "HEAD", "POST"))
_HEADERS: Final = ("accept", "content-type", "x-requested-with")
_PREFLIGHT_VARY: Final = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def preflight(method: str, headers: Headers) -> Response | None:
    """The answer to a preflight request; None for any other request."""
    wanted = headers.get("access-control-request-method", "")
    if method != "OPTIONS" or not wanted:
        return None
    answer = Response(status_code=204, headers={"Vary": _PREFLIGHT_VARY})
    asked = headers.get("access-control-request-headers")
    if headers.get("origin") and wanted in _METHODS and _are_allowed(asked):
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["Access-Control-Allow-Methods"] = wanted
        if asked:
            answer.headers["Access-Control-Allow-Headers"] = asked
    return answer


def mark(method: str, headers: Headers, answer: MutableHeaders) -> None:
    """Add the CORS headers to an answer."""
    answer["Vary"] = "Origin"
    if headers.get("origin") and (method in _METHODS or method == "OPTIONS"):
        answer["Access-Control-Allow-Origin"] = "*"


def _are_allowed(asked: str | None) -> bool:
    """Whether all headers asked for are allowed: browsers send them in lower case, sorted, once each."""
    position = -1
    for name in (asked or "").split(","):
        name = name.strip(" \t")
        if not name:
            continue
        if name not in _HEADERS or _HEADERS.index(name) <= position:
            return False
        position = _HEADERS.index(name)
    return True
