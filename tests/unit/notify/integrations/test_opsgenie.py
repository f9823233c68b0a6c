"""Opsgenie: created, perhaps updated, closed; and who is to respond."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.receiverserver import FIRING, GROUP_HASH, RESOLVED, Answer, retried, section, tell
from tocsin.errors import ConfigError

ITEM = "api_key: key-secret, api_url: 'http://@HTTP@/'"


def test_an_alert_is_created_and_closed_by_the_groups_hash(tmp_path: Path) -> None:
    outcomes, [created, closed] = tell(
        tmp_path, "opsgenie", f"{ITEM}, description: d, source: 's {{{{ .Status }}}}'", FIRING, RESOLVED
    )
    assert [each.success for each in outcomes] == [True, True]
    assert created.url.endswith("/v2/alerts")
    assert created.headers["authorization"] == "GenieKey key-secret"
    assert created.headers["content-type"] == "application/json"
    assert created.body.decode() == (
        '{"alias":"' + GROUP_HASH + '","message":"[FIRING:1] Full (critical)","description":"d",'
        '"details":{"alertname":"Full","severity":"critical"},"source":"s firing"}\n'
    )
    assert closed.url.endswith(f"/v2/alerts/{GROUP_HASH}/close?identifierType=alias")
    assert closed.body == b'{"source":"s resolved"}\n'


def test_each_key_has_its_place(tmp_path: Path) -> None:
    item = (
        f"{ITEM}, message: '{'ü' * 131}', description: '', source: '', entity: e, note: n, priority: P1,"
        " details: {severity: over, b: '<{{ .Status }}>'}, tags: ' one, two,,', actions: 'x,{{ .Status }}'"
    )
    _, [created] = tell(tmp_path, "opsgenie", item)
    assert created.body.decode() == (
        '{"alias":"' + GROUP_HASH + '","message":"' + "ü" * 129 + '…",'
        '"details":{"alertname":"Full","b":"\\u003cfiring\\u003e","severity":"over"},"source":"",'
        '"tags":["one"," two"],"note":"n","priority":"P1","entity":"e","actions":["x","firing"]}\n'
    )


def responders(tmp_path: Path, *items: str) -> Any:
    _, [created] = tell(tmp_path, "opsgenie", f"{ITEM}, responders: [{', '.join(items)}]")
    return json.loads(created.body).get("responders")


def test_those_who_respond(tmp_path: Path) -> None:
    assert responders(
        tmp_path,
        "{name: 'team {{ .Status }}', type: team}",
        "{username: u@example.org, type: USER}",
        "{id: i, type: '{{ .CommonLabels.nothing }}'}",
        "{name: 'a, b,,', type: teams}",
        "{name: '{{ .CommonLabels.nothing }}', type: '{{ .CommonLabels.nothing }}'}",
    ) == [
        {"name": "team firing", "type": "team"},
        {"username": "u@example.org", "type": "USER"},
        {"id": "i", "type": ""},
        {"name": "a", "type": "team"},
        {"name": " b", "type": "team"},
    ]
    empty = "{name: '{{ .CommonLabels.nothing }}', type: '{{ .CommonLabels.nothing }}'}"
    assert responders(tmp_path, empty) is None


def test_an_update_is_two_more_requests_and_the_first_failure_ends_them(tmp_path: Path) -> None:
    item = f"{ITEM}, update_alerts: true, message: m, description: ''"
    _, received = tell(tmp_path, "opsgenie", item)
    assert [(each.method, each.url.partition("/v2/")[2], each.body) for each in received[1:]] == [
        ("PUT", f"alerts/{GROUP_HASH}/message?identifierType=alias", b'{"message":"m"}\n'),
        ("PUT", f"alerts/{GROUP_HASH}/description?identifierType=alias", b"{}\n"),
    ]
    assert {each.headers["authorization"] for each in received} == {"GenieKey key-secret"}
    [failed], received = tell(tmp_path, "opsgenie", item, answers=[Answer(202), Answer(404)])
    assert (failed.retry, failed.reason, len(received)) == (False, "clientError", 2)


def test_the_key_is_a_template_and_the_url_keeps_its_own_parameters(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" {{ .Status }}\n")
    item = "api_key_file: '@DIR@/key', api_url: 'http://@HTTP@/eu?x=1'"
    _, [created] = tell(tmp_path, "opsgenie", item, global_="opsgenie_api_key: other")
    assert created.headers["authorization"] == "GenieKey firing"
    assert created.url.endswith("/eu/v2/alerts?x=1")
    outer = "opsgenie_api_key: '{{ .Status }}-outer', opsgenie_api_url: 'http://@HTTP@/eu?x=1&a=2'"
    _, [closed] = tell(tmp_path, "opsgenie", "source: s", RESOLVED, global_=outer)
    assert closed.headers["authorization"] == "GenieKey resolved-outer"
    assert closed.url.endswith("/close?a=2&identifierType=alias&x=1")


def test_too_many_requests_and_server_errors_are_tried_again(tmp_path: Path) -> None:
    found = retried(tmp_path, "opsgenie", ITEM)
    assert {status for status, (retry, _) in found.items() if retry} == {429, 500, 503, 599}
    assert found[429] == (True, "rateLimited")
    assert found[304] == (False, "other")
    [lost], _ = tell(tmp_path, "opsgenie", ITEM, answers=[Answer(0)])
    assert (lost.retry, lost.reason) == (True, "other")


def test_no_error_holds_the_key(tmp_path: Path) -> None:
    item = "api_key: 'key-{{ .Status }}-made', api_url: 'http://@HTTP@/'"
    [failed], _ = tell(tmp_path, "opsgenie", item, answers=[Answer(422, b"key-firing-made is unknown")])
    assert failed.error == "unexpected status code 422: <secret> is unknown"
    assert "key-" not in repr(section("opsgenie", "api_key: key-secret"))


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("source: s", "no global OpsGenie API Key set either inline or in a file"),
        ("api_key: k, api_key_file: f", "at most one of api_key & api_key_file must be configured"),
        ("api_key: k, responders: [{type: team}]", "at least one of id, username or name"),
        ("api_key: k, responders: [{name: n}]", "type does not match valid options"),
        ("api_key: k, responders: [{name: n, type: teamsters}]", "type does not match valid options"),
        ("api_key: k, responders: [{name: n, type: '{{ .x'}]", "unclosed action"),
        ("api_key: k, teams: t", "unknown key 'teams'"),
    ],
)
def test_what_is_refused(item: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        section("opsgenie", item)


def test_what_is_shown() -> None:
    shown = section("opsgenie", "api_key: k, responders: [{name: n, type: User}], tags: t").shown()
    del shown["http_config"]
    assert shown == {
        "send_resolved": True,
        "api_key": "<secret>",
        "api_url": "https://api.opsgenie.com/",
        "message": '{{ template "opsgenie.default.message" . }}',
        "description": '{{ template "opsgenie.default.description" . }}',
        "source": '{{ template "opsgenie.default.source" . }}',
        "responders": [{"name": "n", "type": "User"}],
        "tags": "t",
    }
