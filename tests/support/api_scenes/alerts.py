"""Alerts, bad and good."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.api_requests import Request, alert, get, matcher, post, silence
from tests.support.api_scenes.bad_json import BAD_JSON


def bad_alerts() -> Iterator[Request]:
    path = "/api/v2/alerts"
    for name, body in BAD_JSON.items():
        yield post(path, f"JSON: {name}", body)
    yield Request("no body", "POST", path)
    yield Request("no body, typed", "POST", path, headers={"Content-Type": "application/json"})
    for content_type in (
        "",
        "text/plain",
        "application/json; charset=utf-8",
        "application/JSON",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/octet-stream",
        "multipart/form-data; boundary=x",
        "nonsense",
        "application/",
        ";",
        "application/json; charset",
        "text/json",
        "application/vnd.api+json",
    ):
        yield post(path, f"content type {content_type!r}", "[]", content_type=content_type)
    for body in (
        "null",
        "{}",
        '""',
        "1",
        "true",
        "[]",
        "[null]",
        "[[]]",
        "[1]",
        '["a"]',
        "[{}]",
        "[true]",
        "[{},{}]",
    ):
        yield post(path, f"body {body}", body)
    for labels in (
        "null",
        "{}",
        "[]",
        "1",
        '"x"',
        '{"a":1}',
        '{"a":null}',
        '{"a":true}',
        '{"a":["b"]}',
        '{"a":{}}',
        '{"":"x"}',
        '{"a":""}',
        '{"a":"","b":""}',
        '{"a b":""}',
        '{"a":"b","a":1}',
    ):
        yield post(path, f"labels {labels}", f'[{{"labels":{labels}}}]')
    for notes in ("1", "[]", '{"a":1}', '{"a":null}', '{"":"x"}', '"x"'):
        yield post(path, f"annotations {notes}", f'[{{"labels":{{}},"annotations":{notes}}}]')
    for start in (
        "1",
        '"x"',
        '""',
        "null",
        "true",
        "{}",
        "[]",
        '"2026-01-01"',
        '"2026-13-01T00:00:00Z"',
        '"2026-02-30T00:00:00Z"',
        '"2026-01-01T00:00:00"',
        '"2026-01-01 00:00:00Z"',
        '"0001-01-01T00:00:00Z"',
        '"2026-01-01T00:00:00+25:00"',
        '"2026-01-01T25:00:00Z"',
        '"2026-01-01T00:00:60Z"',
        '"26-01-01T00:00:00Z"',
        '"2026-1-1T00:00:00Z"',
        '"2026-01-01T00:00:00Zx"',
        '"2026-01-01T00:00Z"',
        '"20260101T000000Z"',
        '"2026-01-01T00:00:00.Z"',
        '"2026-01-01t00:00:00z"',
        '"2026-01-01 00:00:00"',
        '"2026-01-01T00:00"',
        '"2026-01-01T00:00:00.5"',
        '"2026-01-01T00:00:00,5Z"',
        '"2026-01-01T00:00:00+0100"',
        '"2026-01-01T00:00:00.123456789+01:00"',
        '"2026-01-01T00:00:00.1234567891+01:00"',
        '"2026-02-30"',
        '"2026-00-01"',
        '"2026-01-00"',
        '"2026-01-1"',
        '"2026-01-1x"',
        '"2026-1x-01"',
        '"2026-01-01T00"',
        '"2026/01/01"',
        '"99999-01-01"',
        '"2026-01-01T00:00:00.123"',
        '"2026-01-01T24:00:00Z"',
        '"2026-01-01T00:00:00-00:00"',
        '"2026"',
        '"2026-"',
        '"2026-01-01 00:00"',
        '"2026-01-01T00:00:00 Z"',
        '"2026-01-01T0:00:00Z"',
        '"2026-01-01T00:00:00+24:00"',
        '"2026-01-01T00:00+01:00"',
        '"2026-01-01T00:00:00+01"',
    ):
        yield post(path, f"startsAt {start}", f'[{{"labels":{{}},"startsAt":{start}}}]')
    for end in ("1", '"x"', "null", '"0001-01-01T00:00:00Z"'):
        yield post(path, f"endsAt {end}", f'[{{"labels":{{}},"endsAt":{end}}}]')
    for url in (
        "1",
        "null",
        '""',
        '"x"',
        '"not a url"',
        '"http://x y/"',
        '"%zz"',
        '"http://[::1"',
        '"/relative"',
        '"mailto:a@b"',
        '":"',
        '"http://x/?a=b#c"',
        '"//host"',
        '"http://:port"',
        '"http://x\\ny"',
        '"ftp:x"',
        '"http://a:b"',
        '"http://é/"',
        '"a/b:c"',
        '"a:b"',
        '"1a:b"',
        '"http://a/%"',
        '"http://%41/"',
        '"-"',
        '"?q"',
        '"#f"',
    ):
        yield post(path, f"generatorURL {url}", f'[{{"labels":{{}},"generatorURL":{url}}}]')
    yield post(path, "two alerts lack labels", [{}, alert({}), {}])
    yield post(path, "labels and URL are wrong", [{"generatorURL": "%zz"}])
    yield post(
        path,
        "every field is wrong",
        '[{"labels":1,"annotations":2,"startsAt":3,"endsAt":4,"generatorURL":5}]',
    )
    yield post(path, "the second has a wrong type", '[{"labels":{}},{"labels":{"a":1}}]')
    yield post(path, "names in another case", '[{"LABELS":{"":"x"}}]')
    yield post(path, "unknown fields", '[{"labels":{},"x":1,"status":{"state":"x"}}]')
    yield post(path, "label twice", '[{"labels":{"a":"1"},"labels":{"":"2"}}]')
    yield post(path, "end before start", [alert(startsAt="@+1h@", endsAt="@-1h@")])
    yield post(
        path, "three do not validate", [alert({}), alert({"": "x"}), alert(startsAt="@+1h@", endsAt="@-1h@")]
    )
    yield post(path, "annotation without a name", [alert(annotations={"": "x"})])
    yield post(path, "two label names are wrong", [alert({"": "x", "a": "b"})])
    yield post(path, "deep", "[" * 200 + "]" * 200)
    yield post(path, "too deep", "[" * 20000 + "]" * 20000)
    yield post(path, "a large number", "[1e999]")
    yield get(path, "nothing was stored")


def alerts() -> Iterator[Request]:
    path = "/api/v2/alerts"
    yield post(
        path,
        "good ones",
        [
            alert({"alertname": "Plain", "cluster": "eu"}),
            alert(
                {"alertname": "Full", "cluster": "eu", "team": "y", "severity": "critical"},
                annotations={"summary": "<b>&\u2028é", "empty": "", 'a"q': "tab\tline\n\x01\x7f"},
                startsAt="@-10m@",
                endsAt="@+2h@",
                generatorURL="http://prometheus.example/graph?g0.expr=up%3D%3D0&x=<y>#z",
            ),
            alert({"alertname": "Inhibited", "cluster": "eu", "severity": "warning"}, startsAt="@-10m@"),
            alert({"alertname": "Other", "cluster": "us", "severity": "warning", "team": "z"}),
            alert({"alertname": "Empty", "removed": "", "cluster": "us"}, startsAt=None, endsAt=None),
            alert({"alertname": "Muted", "team": "muted"}),
            alert({"alertname": "<Sign>", "cluster": "&"}),
            alert({"alertname": "Ended", "cluster": "us"}, endsAt="@-1m@"),
            alert({"alertname": "Later", "cluster": "us"}, startsAt="@+30m@", endsAt="@+40m@"),
            alert(
                {"alertname": "Ünï", "cluster": "us", "a label": "🙂"},
                startsAt="2026-01-01T00:00:00.123956789Z",
            ),
        ],
    )
    yield get(path, "all")
    yield get("/api/v2/alerts/groups", "groups")
    yield post(
        path, "one bad, the other good", [alert({"alertname": "Good", "cluster": "ap"}), alert({"": "x"})]
    )
    yield get(f"{path}?filter=cluster%3Dap", "the good one was stored")
    yield post("/api/v2/silences", "silence", silence(matcher("alertname", "Plain|Other", True)))
    for query in (
        "",
        "active=false",
        "silenced=false",
        "inhibited=false",
        "unprocessed=false",
        "active=false&silenced=false",
        "active=false&inhibited=false",
        "active=false&silenced=false&inhibited=false",
        "muted=false",
        "receiver=team-x",
        "receiver=team-y",
        "receiver=team",
        "receiver=.*z",
        "receiver_matchers=owner%3Dwhy",
        "receiver_matchers=owner!%3Dwhy",
        'receiver_matchers=owner%3D""',
        'receiver_matchers=owner!%3D""',
        "receiver=team-z&receiver_matchers=owner%3Dwhy",
        "filter=cluster%3Deu",
        'filter=cluster%3D""',
        'filter=cluster!%3D""',
        'filter=severity%3D""&filter=cluster%3Dus',
        'filter=severity!%3D""',
        "filter=severity%3D~%22%22",
        "filter=severity!~%22%22",
        'filter=severity%3D~"warn.*"',
        'filter=severity!~"warn.*"',
        'filter=%22a+label%22%3D"🙂"',
        "filter=removed%3D~.*",
        "filter=alertname%3DNone",
    ):
        yield get(f"{path}?{query}", f"alerts {query}")
        yield get(f"/api/v2/alerts/groups?{query}", f"groups {query}")
    yield post(path, "Plain ends", [alert({"alertname": "Plain", "cluster": "eu"}, endsAt="@now@")])
    yield get(f"{path}?filter=alertname%3DPlain", "Plain is gone")
    yield post(
        path,
        "Full once more",
        [
            alert(
                {"alertname": "Full", "cluster": "eu", "team": "y", "severity": "critical"},
                startsAt="@-20m@",
                annotations={"new": "1"},
            )
        ],
    )
    yield get(f"{path}?filter=alertname%3DFull", "Full is merged")
    yield get("/api/v2/receivers")
