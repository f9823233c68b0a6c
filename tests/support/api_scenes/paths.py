"""Paths, methods, origins and what is accepted."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.api_requests import UUID, Request, get


def paths() -> Iterator[Request]:
    operations = ("status", "receivers", "silences", "alerts", "alerts/groups")
    for operation in operations:
        path = f"/api/v2/{operation}"
        if operation != "status":
            yield get(path)
            yield get(path + "/", f"GET {path} with a slash")
        yield Request(f"HEAD {path}", "HEAD", path)
        yield Request(f"OPTIONS {path}", "OPTIONS", path)
        yield Request(f"PUT {path}", "PUT", path)
        yield Request(f"DELETE {path}", "DELETE", path)
        yield Request(f"PATCH {path}", "PATCH", path)
        if operation not in ("silences", "alerts"):
            yield Request(f"POST {path}", "POST", path)
    for method in ("POST", "PUT", "HEAD", "OPTIONS", "PATCH"):
        yield Request(f"{method} silence", method, f"/api/v2/silence/{UUID}")
    for path in (
        "/api/v2",
        "/api/v2/",
        "/api/v2/nothing",
        "/api/v2/silence",
        "/api/v2/silence/",
        "/api/v2/alerts/groups/x",
        "/api/v2/Alerts",
        "/api/v3/alerts",
        "/api/v1/alerts",
        "/api/v1/status",
        "/api",
        "/nothing",
        "/-/healthy",
        "/-/ready",
        "/-/reload",
        "/-/nothing",
        "/metrics/x",
    ):
        yield get(path)
    for method, path in (
        ("POST", "/nothing"),
        ("POST", "/-/healthy"),
        ("HEAD", "/-/healthy"),
        ("HEAD", "/-/ready"),
        ("PUT", "/-/ready"),
        ("DELETE", "/-/reload"),
        ("POST", "/-/reload"),
        ("PUT", "/-/reload"),
        ("POST", "/metrics"),
        ("POST", "/"),
        ("POST", "/api/v1/alerts"),
        ("OPTIONS", "/-/healthy"),
    ):
        yield Request(f"{method} {path} alone", method, path)
    origin = {"Origin": "http://grafana.example"}
    yield Request("GET with an origin", "GET", "/api/v2/alerts", headers=origin)
    yield Request(
        "POST with an origin", "POST", "/api/v2/alerts", "[]", {**origin, "Content-Type": "application/json"}
    )
    yield Request("DELETE with an origin", "DELETE", f"/api/v2/silence/{UUID}", headers=origin)
    yield Request("healthy with an origin", "GET", "/-/healthy", headers=origin)
    for wanted, asked in (
        ("GET", ""),
        ("POST", "content-type"),
        ("POST", "Content-Type"),
        ("POST", "accept, content-type"),
        ("POST", "accept,content-type"),
        ("POST", "authorization"),
        ("HEAD", ""),
        ("DELETE", ""),
        ("PUT", ""),
        ("", ""),
    ):
        headers = dict(origin)
        if wanted:
            headers["Access-Control-Request-Method"] = wanted
        if asked:
            headers["Access-Control-Request-Headers"] = asked
        yield Request(f"preflight {wanted} {asked}", "OPTIONS", "/api/v2/silences", headers=headers)
    yield Request(
        "preflight without origin",
        "OPTIONS",
        "/api/v2/silences",
        headers={"Access-Control-Request-Method": "GET"},
    )
    yield Request(
        "preflight of an unknown path",
        "OPTIONS",
        "/api/v2/nothing",
        headers={**origin, "Access-Control-Request-Method": "GET"},
    )
    for accept in (
        "application/json",
        "*/*",
        "text/html",
        "text/html, application/json;q=0.1",
        "application/*",
        "",
    ):
        yield get("/api/v2/receivers", f"accept {accept!r}", Accept=accept)
    yield get("/api/v2/nothing", "accept html of nothing", Accept="text/html")
