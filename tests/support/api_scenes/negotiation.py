"""What is asked for and what is sent: types of bodies and answers, bytes that are not UTF-8."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.api_requests import UUID, Request

_ALERTS = '[{"labels":{"alertname":"Accepted"},"startsAt":"@-1h@","endsAt":"@-1m@"}]'
_JSON = "application/json"
_TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/JSON",
    "nonsense",
    "a/",
    "text/json",
)


def negotiation() -> Iterator[Request]:
    for accept in (
        "text/plain",
        "*/*",
        "",
        "garbage",
        "application/json;q=0",
        "text/*",
        "application/openmetrics-text",
    ):
        headers = {"Accept": accept}
        sent = {"Accept": accept, "Content-Type": _JSON}
        yield Request(f"POST alerts, accept {accept}", "POST", "/api/v2/alerts", _ALERTS, sent)
        yield Request(f"POST silences, accept {accept}", "POST", "/api/v2/silences", "{}", sent)
        yield Request(f"GET receivers, accept {accept}", "GET", "/api/v2/receivers", headers=headers)
        yield Request(f"GET silence, accept {accept}", "GET", f"/api/v2/silence/{UUID}", headers=headers)
        yield Request(
            f"DELETE silence, accept {accept}", "DELETE", f"/api/v2/silence/{UUID}", headers=headers
        )
    for kind in _TYPES:
        headers = {"Content-Type": kind}
        yield Request(f"GET receivers, body of {kind}", "GET", "/api/v2/receivers", "x", headers)
        yield Request(f"GET silences, no body of {kind}", "GET", "/api/v2/silences", headers=headers)
        yield Request(f"DELETE silence, body of {kind}", "DELETE", f"/api/v2/silence/{UUID}", "{}", headers)
        yield Request(
            f"DELETE silence, no body of {kind}", "DELETE", f"/api/v2/silence/{UUID}", headers=headers
        )
    yield Request("GET receivers, body without a type", "GET", "/api/v2/receivers", "x")
    for query in (
        "receiver=%ff",
        "receiver=a%ff.*",
        "receiver=%C3%28",
        "filter=a%3D%ff",
        "receiver_matchers=%ff",
    ):
        yield Request(f"alerts by {query}", "GET", f"/api/v2/alerts?{query}")
    for path in ("/api/v1/", "/api/v1/alerts/groups"):
        for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT"):
            yield Request(f"{method} {path}", method, path)
