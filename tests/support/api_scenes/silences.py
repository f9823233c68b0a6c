"""Silences, bad and good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.api_requests import UUID, Request, get, matcher, post, silence
from tests.support.api_scenes.bad_json import BAD_JSON


def _without(field: str) -> dict[str, Any]:
    body = silence()
    del body[field]
    return body


def bad_silences() -> Iterator[Request]:
    path = "/api/v2/silences"
    for name, body in BAD_JSON.items():
        yield post(path, f"JSON: {name}", body.replace("[", "", 1) if name.startswith("cut") else body)
    yield Request("no body", "POST", path)
    for content_type in ("", "text/plain", "application/x-www-form-urlencoded"):
        yield post(path, f"content type {content_type!r}", silence(), content_type=content_type)
    for body in ("null", "{}", '""', "1", "true", "[]", "[null]", '{"x":1}'):
        yield post(path, f"body {body}", body)
    for missing in ("matchers", "startsAt", "endsAt", "createdBy", "comment"):
        yield post(path, f"without {missing}", _without(missing))
        yield post(path, f"{missing} null", silence(**{missing: None}))
        yield post(path, f"{missing} a number", silence(**{missing: 1}))
        yield post(path, f"{missing} empty", silence(**{missing: ""}))
        yield post(path, f"{missing} an object", silence(**{missing: {}}))
    identifiers: list[Any] = ["", "x", UUID, None, 1, [], "11111111-2222-4333-8444-55555555555g"]
    for identifier in identifiers:
        yield post(path, f"id {identifier!r}", silence(id=identifier))
    annotations: list[Any] = [None, {}, {"a": 1}, {"a": None}, [], 1, "x"]
    for notes in annotations:
        yield post(path, f"annotations {notes!r}", silence(annotations=notes, endsAt="@-1m@"))
    made_of: dict[str, Any] = {
        "null": None,
        "empty": {},
        "a number": 1,
        "text": "x",
        "an array": [],
        "name only": {"name": "a"},
        "no name": {"value": "a", "isRegex": False},
        "no value": {"name": "a", "isRegex": False},
        "no isRegex": {"name": "a", "value": "b"},
        "null name": matcher(None),
        "null value": matcher("a", None),
        "null isRegex": matcher("a", "b", None),
        "number name": matcher(1),
        "number value": matcher("a", 1),
        "text isRegex": matcher("a", "b", "true"),
        "text isEqual": matcher(isEqual="true"),
        "number isEqual": matcher(isEqual=1),
        "empty name": matcher(""),
        "empty value": matcher("a", ""),
        "empty value not equal": matcher("a", "", isEqual=False),
        "matches empty": matcher("a", ".*", True),
        "matches empty too": matcher("a", "x|", True),
        "negative regexp": matcher("a", ".*", True, isEqual=False),
        "bad regexp": matcher("a", "[", True),
        "bad regexp, closing": matcher("a", "a)", True),
        "bad regexp, repeat": matcher("a", "*", True),
        "bad regexp, lookahead": matcher("a", "(?=x)", True),
        "bad regexp, byte": matcher("a", "\\C", True),
        "bad regexp, class": matcher("a", "\\pX", True),
        "bad regexp, escape": matcher("a", "\\", True),
        "bad regexp, range": matcher("a", "[b-a]", True),
        "bad regexp, count": matcher("a", "x{1001}", True),
        "bad regexp, name": matcher("a", "(?P<n", True),
        "unknown field": matcher("a", "b", x=1, endsAt=2),
    }
    for name, made in made_of.items():
        yield post(
            path,
            f"matcher {name}",
            {**silence(), "matchers": [made], "endsAt": "@-1m@"}
            if name == "unknown field"
            else {**silence(), "matchers": [made]},
        )
    yield post(path, "no matchers", silence(matchers=[]))
    yield post(path, "matchers 2 and 3 are wrong", silence(matchers=[matcher(), {}, {"name": "x"}]))
    yield post(
        path,
        "second matches empty, fine; first regexp bad",
        silence(matcher("a", "["), matcher("b", "[", True)),
    )
    yield post(path, "all match empty", silence(matcher("a", ""), matcher("b", ".*", True)))
    for start, end in (
        ("@+1h@", "@+1m@"),
        ("@+1h@", "@+1h@"),
        ("@-2h@", "@-1h@"),
        ("x", "@+1h@"),
        ("@-1h@", "2026-01-01"),
        ("", ""),
        ("0001-01-01T00:00:00Z", "@-1h@"),
        ("@-1h@", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ):
        yield post(path, f"from {start} to {end}", silence(startsAt=start, endsAt=end))
    yield post(path, "everything is missing and wrong", {"matchers": [{}], "id": "x"})
    yield post(path, "several mistakes", {"matchers": [{}, matcher()], "startsAt": "@now@"})
    for identifier in (
        UUID,
        "x",
        "1",
        UUID.upper(),
        UUID.replace("-", ""),
        UUID + "0",
        "%20",
        "a%2Fb",
        "00000000-0000-0000-0000-000000000000",
        "11111111-2222-1333-0444-555555555555",
        "urn:uuid:" + UUID,
        "{" + UUID + "}",
    ):
        yield get(f"/api/v2/silence/{identifier}")
        yield Request(f"DELETE silence {identifier}", "DELETE", f"/api/v2/silence/{identifier}")


def silences() -> Iterator[Request]:
    path = "/api/v2/silences"
    yield post(path, "first", silence())
    yield get(path, "one")
    yield get("/api/v2/silence/@silence1@", "by id")
    yield Request("HEAD by id", "HEAD", "/api/v2/silence/@silence1@")
    yield post(
        path,
        "second",
        silence(
            matcher("a", "b", isEqual=False),
            matcher("c", "d.*", True),
            matcher("e", "f", True, isEqual=False),
            startsAt="@+10m@",
            endsAt="@+20m@",
            comment="<&>",
            createdBy="Ünï",
            annotations={"z": "1", "a": "2"},
        ),
    )
    yield post(path, "empty texts are given", silence(createdBy="", comment="", endsAt="@+90m@"))
    yield post(
        path,
        "isEqual null, isRegex null",
        silence({"name": "a", "value": "b", "isRegex": False, "isEqual": None}, endsAt="@+100m@"),
    )
    yield post(path, "pending, later", silence(startsAt="@+5m@", endsAt="@+2h@"))
    yield post(
        path,
        "fields in another case",
        '{"Matchers":[{"NAME":"a","Value":"b","isregex":false}],"STARTSAT":"@-1m@","endsAT":"@+3h@","createdby":"me","COMMENT":"x"}',
    )
    yield get(path, "all, sorted")
    yield post(path, "third ends later", silence(id="@silence3@", endsAt="@+95m@"))
    yield post(path, "first is moved to its end", silence(id="@silence1@", endsAt="@+2h@"))
    yield post(
        path,
        "the pending one ends later",
        silence(id="@silence5@", startsAt="@+5m@", endsAt="@+3h@", comment="new"),
    )
    yield post(
        path,
        "the pending one starts later",
        silence(id="@silence5@", startsAt="@+6m@", endsAt="@+3h@", comment="new"),
    )
    yield post(path, "the pending one starts at once", silence(id="@silence5@", endsAt="@+150m@"))
    yield post(path, "other matchers", silence(matcher("x", "y"), id="@silence4@", endsAt="@+4h@"))
    yield Request("DELETE second", "DELETE", "/api/v2/silence/@silence2@")
    yield Request("DELETE second again", "DELETE", "/api/v2/silence/@silence2@")
    yield Request("DELETE upper case", "DELETE", "/api/v2/silence/@SILENCE1@")
    yield post(
        path, "the expired one is revived", silence(id="@silence2@", startsAt="@+10m@", endsAt="@+20m@")
    )
    yield get(path, "all, sorted again")
    for text in (
        'alertname%3D"A"',
        "alertname%3DA",
        "alertname!%3DA",
        "a!%3Db",
        "a!%3Db&filter=c%3D~d.*",
        "c%3D~d",
        "alertname%3D~A",
        "x%3Dy",
        "alertname%3DA&filter=alertname%3DA",
    ):
        yield get(f"{path}?filter={text}", f"filter {text}")
