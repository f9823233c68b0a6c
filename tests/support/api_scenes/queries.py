"""Query parameters, good and bad."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.api_requests import Request, get


def queries() -> Iterator[Request]:
    for path in ("/api/v2/alerts", "/api/v2/alerts/groups"):
        for name in ("active", "silenced", "inhibited", "unprocessed", "muted"):
            for value in (
                "true",
                "false",
                "True",
                "1",
                "0",
                "yes",
                "on",
                "t",
                "f",
                "checked",
                "enabled",
                "ok",
                "y",
                "no",
                "x",
                "",
            ):
                yield get(f"{path}?{name}={value}")
        yield get(f"{path}?active=false&active=x")
        yield get(f"{path}?active=x&active=true")
        yield get(f"{path}?active=x&silenced=x&inhibited=x&unprocessed=x&muted=x")
        yield get(f"{path}?active")
        yield get(f"{path}?unknown=x")
        for receiver in ("", "team-.*", "%5B", "a(", "*", "%5Cx", "team-y%7Cz", "(%3F%3Ca", "%5CC"):
            yield get(f"{path}?receiver={receiver}")
        yield get(f"{path}?receiver=team-x&receiver=%5B")
    for path in ("/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/receivers"):
        for matchers in (
            "owner%3Dwhy",
            'owner%3D"why"',
            "owner%3D",
            "owner%3D~",
            "x",
            "",
            "owner%3D~%22%5B%22",
            'owner!%3D"why"',
            '"',
            "tier%3D1&receiver_matchers=owner%3Dwhy",
        ):
            yield get(f"{path}?receiver_matchers={matchers}")
    for path in ("/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/silences"):
        for text in (
            'alertname%3D"A"',
            "alertname%3DA",
            "alertname",
            "",
            "%3D",
            "alertname%3D~%5B",
            'alertname%3D~"%5B"',
            '{alertname%3D"A"}',
            'a%3D"b",c%3D"d"',
            "a%3D%3Db",
            "1a%3Db",
            '"a b"%3D"c"',
            'a%3D"b',
            "a%3Db%22",
            "%F0%9F%99%82%3D%22x%22",
            "a%3D%FF",
            "foo%21",
            "foo%3D~(",
            "foo!~%5Bb",
            "foo%3D~%5Cp%7Bx",
            "foo%3D~a**",
            "foo%3D~(%3F%3Ca",
        ):
            yield get(f"{path}?filter={text}")
        yield get(f'{path}?filter=a%3D"b"&filter=x')
        yield get(f"{path}?filter=a&filter=b")
    yield get("/api/v2/alerts?filter=a&receiver=%5B&receiver_matchers=x", "the first of three mistakes")
    yield get("/api/v2/alerts?receiver=%5B&receiver_matchers=x", "the first of two mistakes")
    yield get("/api/v2/silences?active=x", "silences do not know active")
    yield get("/api/v2/alerts?filter=%zz", "bad escape in query")
    yield get("/api/v2/alerts?a=1;b=2", "semicolon in query")
