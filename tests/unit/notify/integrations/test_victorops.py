"""VictorOps: the keys are in the path, the state is what fires."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.receiverserver import FIRING, GROUP_HASH, RESOLVED, Answer, retried, section, tell
from tocsin.errors import ConfigError
from tocsin.notify.integrations.victorops import MAX_STATE_MESSAGE

ITEM = "api_key: key-secret, api_url: 'http://@HTTP@/in', routing_key: ops"


def test_the_state_is_posted_to_the_keys_own_url(tmp_path: Path) -> None:
    item = f"{ITEM}, state_message: '<s>', custom_fields: {{zebra: '{{{{ .Status }}}}', alpha: a}}"
    outcomes, [firing, resolved] = tell(tmp_path, "victorops", item, FIRING, RESOLVED)
    assert [each.success for each in outcomes] == [True, True]
    assert firing.url.endswith("/in/key-secret/ops")
    assert firing.headers["content-type"] == "application/json"
    assert firing.body.decode() == (
        '{"alpha":"a","entity_display_name":"[FIRING:1] Full (critical)","entity_id":"' + GROUP_HASH + '",'
        '"message_type":"CRITICAL","monitoring_tool":"Alertmanager","state_message":"\\u003cs\\u003e",'
        '"zebra":"firing"}\n'
    )
    assert json.loads(resolved.body)["message_type"] == "RECOVERY"


@pytest.mark.parametrize(
    ("written", "sent"),
    [("WARNING", "WARNING"), ("INFO", "INFO"), ("warning", "CRITICAL"), ("", "CRITICAL")],
)
def test_another_type_is_critical(tmp_path: Path, written: str, sent: str) -> None:
    _, [request] = tell(tmp_path, "victorops", f"{ITEM}, message_type: '{written}'")
    assert json.loads(request.body)["message_type"] == sent


def test_what_the_path_cannot_hold_is_escaped_and_a_query_stays_behind_it(tmp_path: Path) -> None:
    item = "api_key: a/b, api_url: 'http://@HTTP@/in%2Fner?x=1', routing_key: '{{ .Status }} ü?#%2F'"
    _, [request] = tell(tmp_path, "victorops", item)
    assert request.url.partition("/in/")[2] == "ner/a/b/firing%20%C3%BC%3F%23%252F?x=1"


def test_a_key_comes_from_a_file_or_from_global(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" filed \n")
    item = "api_key_file: '@DIR@/key', api_url: 'http://@HTTP@', routing_key: r"
    _, [request] = tell(tmp_path, "victorops", item, global_="victorops_api_key: other")
    assert request.url.endswith("/filed/r")
    outer = "victorops_api_key_file: '@DIR@/key', victorops_api_url: 'http://@HTTP@/x'"
    _, [request] = tell(tmp_path, "victorops", "routing_key: r", global_=outer)
    assert request.url.endswith("/x/filed/r")


def test_the_message_is_cut_by_its_characters(tmp_path: Path) -> None:
    item = f"{ITEM}, state_message: '{{{{ .CommonAnnotations.text }}}}'"
    [alert] = FIRING.alerts
    long = replace(alert, annotations=type(alert.annotations)({"text": "ü" * 30_000}))
    _, [request] = tell(tmp_path, "victorops", item, replace(FIRING, alerts=(long,)))
    assert json.loads(request.body)["state_message"] == "ü" * (MAX_STATE_MESSAGE - 1) + "…"


def test_only_server_errors_are_tried_again(tmp_path: Path) -> None:
    found = retried(tmp_path, "victorops", ITEM)
    assert {status for status, (retry, _) in found.items() if retry} == {500, 503, 599}
    assert (found[429], found[503], found[304]) == (
        (False, "rateLimited"),
        (True, "serverError"),
        (False, "other"),
    )


def test_a_message_whose_template_fails_is_tried_again_and_a_route_is_not(tmp_path: Path) -> None:
    broken = '{{ template "none" . }}'
    [message], received = tell(tmp_path, "victorops", f"{ITEM}, custom_fields: {{x: '{broken}'}}")
    assert (message.success, message.retry, message.reason, received) == (False, True, "other", [])
    assert '"none"' in message.error
    item = f"api_key: k, api_url: 'http://@HTTP@/', routing_key: '{broken}'"
    [route], received = tell(tmp_path, "victorops", item)
    assert (route.success, route.retry, received) == (False, False, [])


def test_no_error_holds_the_key(tmp_path: Path) -> None:
    answers = [Answer(500, b"no key-secret here"), Answer(0)]
    outcomes, _ = tell(tmp_path, "victorops", ITEM, FIRING, FIRING, answers=answers)
    assert outcomes[0].error == "unexpected status code 500: no <secret> here"
    assert not any("key-secret" in each.error for each in outcomes)


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("api_key: k", "missing Routing key in VictorOps config"),
        ("api_key: k, api_key_file: f, routing_key: r", "at most one of api_key & api_key_file"),
        ("routing_key: r", "no global VictorOps API Key set"),
        ("api_key: k, routing_key: r, custom_fields: {entity_id: x}", "contains custom field entity_id"),
        ("api_key: k, routing_key: r, api_url: 'ftp://x/'", 'unsupported scheme "ftp"'),
    ],
)
def test_what_is_refused(item: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        section("victorops", item)


def test_what_is_shown() -> None:
    shown = section("victorops", "api_key: k, routing_key: r, api_url: 'http://u:p@h/x?y=1'").shown()
    del shown["http_config"]
    assert shown == {
        "send_resolved": True,
        "api_key": "<secret>",
        "api_url": "http://u:xxxxx@h/x/?y=1",
        "routing_key": "r",
        "message_type": "CRITICAL",
        "state_message": '{{ template "victorops.default.state_message" . }}',
        "entity_display_name": '{{ template "victorops.default.entity_display_name" . }}',
        "monitoring_tool": '{{ template "victorops.default.monitoring_tool" . }}',
    }
