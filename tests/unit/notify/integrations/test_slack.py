"""Slack: the message, its token, what an answer means, and the message that is changed later."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.receiverserver import FIRING, RESOLVED, Answer, Received, retried, section, tell
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import Outcome
from tocsin.notify.integrations.slack import MAX_REMEMBERED, MAX_TITLE, POST_URL, UPDATE_URL

HOOK = "api_url: 'http://@HTTP@/hook-secret'"
BOT = (
    f"api_url: '{POST_URL}', http_config: {{authorization: {{credentials: token-secret}},"
    " proxy_url: 'http://@HTTP@', tls_config: {ca_file: ca.pem}}"
)
OK = Answer(200, b"ok", {"Content-Type": "text/html"})
EMPTY = ", ".join(
    f"{name}: ''" for name in ("username", "color", "title", "title_link", "fallback", "footer", "text")
)


def json_answer(**told: Any) -> Answer:
    return Answer(200, json.dumps(told).encode(), {"Content-Type": "application/json; charset=utf-8"})


def test_the_defaults(tmp_path: Path) -> None:
    outcomes, [firing, resolved] = tell(
        tmp_path, "slack", f"{HOOK}, channel: '#ops'", FIRING, RESOLVED, answers=[OK]
    )
    assert outcomes == [Outcome(success=True)] * 2
    assert firing.headers["content-type"] == "application/json"
    assert firing.body.decode() == (
        '{"channel":"#ops","username":"Alertmanager","attachments":[{"title":"[FIRING:1] Full (critical)",'
        '"title_link":"http://am/#/alerts?receiver=ops","text":"",'
        '"fallback":"[FIRING:1] Full (critical) | http://am/#/alerts?receiver=ops","callback_id":"",'
        '"footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}\n'
    )
    assert json.loads(resolved.body)["attachments"][0]["color"] == "good"


def test_what_is_empty_is_left_out(tmp_path: Path) -> None:
    _, [request] = tell(tmp_path, "slack", f"{HOOK}, {EMPTY}", answers=[OK])
    assert request.body == (
        b'{"attachments":[{"text":"","fallback":"","callback_id":"","footer":"",'
        b'"mrkdwn_in":["fallback","pretext","text"]}]}\n'
    )


def test_each_key_has_its_place(tmp_path: Path) -> None:
    item = (
        f"{HOOK}, channel: '#{{{{ .Status }}}}', username: u, color: c, title: {'ü' * 1025}, title_link: l,"
        " pretext: p, text: '<{{ .Status }}>', message_text: m, footer: f, fallback: b, callback_id: i,"
        " icon_emoji: e, icon_url: n, image_url: g, thumb_url: t, link_names: true, short_fields: true,"
        " mrkdwn_in: [pretext],"
        " fields: [{title: '{{ .Status }}', value: v}, {title: w, value: x, short: false}],"
        " actions: [{type: button, text: t, url: u, name: n, value: v, confirm: {text: t}},"
        " {type: button, text: '{{ .Status }}', name: n, style: danger, value: v,"
        " confirm: {text: t, title: '{{ .Status }}', ok_text: o, dismiss_text: d}}]"
    )
    _, [request] = tell(tmp_path, "slack", item, answers=[OK])
    assert request.body.decode() == (
        '{"channel":"#firing","username":"u","icon_emoji":"e","icon_url":"n","link_names":true,"text":"m",'
        '"attachments":[{"title":"' + "ü" * (MAX_TITLE - 1) + '…","title_link":"l","pretext":"p",'
        '"text":"\\u003cfiring\\u003e","fallback":"b","callback_id":"i",'
        '"fields":[{"title":"firing","value":"v","short":true},{"title":"w","value":"x","short":false}],'
        '"actions":[{"type":"button","text":"t","url":"u"},{"type":"button","text":"firing","style":"danger",'
        '"name":"n","value":"v","confirm":{"text":"t","title":"firing","ok_text":"o","dismiss_text":"d"}}],'
        '"image_url":"g","thumb_url":"t","footer":"f","color":"c","mrkdwn_in":["pretext"]}]}\n'
    )


def reached(tmp_path: Path, item: str, global_: str = "") -> tuple[str, str]:
    """The path and the authorization of the one request."""
    [outcome], [request] = tell(tmp_path, "slack", item, answers=[json_answer(ok=True)], global_=global_)
    assert outcome.success
    return request.url.partition("//")[2].partition("/")[2], request.headers.get("authorization", "")


def test_urls_and_tokens_of_its_own_come_before_those_of_global(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(" http://@HTTP@/filed \n")
    (tmp_path / "token").write_text(" filed \n")
    token = "slack_app_token: outer, slack_app_url: 'http://@HTTP@/outer'"
    assert reached(tmp_path, "channel: c", token) == ("outer", "Bearer outer")
    assert reached(tmp_path, "app_token: mine", token) == ("outer", "Bearer mine")
    assert reached(tmp_path, "app_url: 'http://@HTTP@/mine'", token) == ("mine", "Bearer outer")
    assert reached(tmp_path, "app_token_file: token", token) == ("outer", "Bearer filed")
    assert reached(tmp_path, HOOK, token) == ("hook-secret", "")
    assert reached(tmp_path, "channel: c", "slack_api_url: 'http://@HTTP@/u'") == ("u", "")
    both = "slack_app_token: outer, slack_api_url: 'http://@HTTP@/u', slack_app_url: 'http://@HTTP@/u'"
    mine = "http_config: {authorization: {credentials: mine}}"
    assert reached(tmp_path, mine, both) == ("u", "Bearer mine")


def test_a_url_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("\n")
    [empty], received = tell(tmp_path, "slack", "api_url_file: '@DIR@/url'", global_="slack_app_token: t")
    assert (empty.success, empty.retry, received) == (False, True, [])
    [missing], _ = tell(tmp_path, "slack", "api_url_file: '@DIR@/none'")
    assert (missing.retry, missing.error) == (
        False,
        f"read api_url_file: {tmp_path / 'none'}: No such file or directory",
    )


@pytest.mark.parametrize(
    ("answer", "retry", "error"),
    [
        (
            json_answer(ok=False, error="channel_not_found"),
            False,
            "error response from Slack: channel_not_found",
        ),
        (json_answer(), False, "error response from Slack: "),
        (
            Answer(200, b"null", {"Content-Type": "application/json"}),
            False,
            "error response from Slack: ",
        ),
        (json_answer(OK=False, Error="odd"), False, "error response from Slack: odd"),
        (
            Answer(200, b"{", {"Content-Type": "application/json"}),
            True,
            'could not unmarshal JSON response "{"',
        ),
        (json_answer(ok="yes"), True, 'could not unmarshal JSON response "{\\"ok\\": \\"yes\\"}"'),
        (
            Answer(200, b"ok", {"Content-Type": "application/json"}),
            True,
            'could not unmarshal JSON response "ok"',
        ),
        (Answer(200, b"no_service"), False, "received an error response from Slack: no_service"),
        (Answer(200, b"ok\n"), False, "received an error response from Slack: ok"),
        (Answer(200, b""), False, "received an error response from Slack: "),
        (Answer(404, b"no_team"), False, "unexpected status code 404: no_team"),
    ],
)
def test_what_an_answer_means(tmp_path: Path, answer: Answer, retry: bool, error: str) -> None:
    [outcome], _ = tell(tmp_path, "slack", f"{HOOK}, channel: '#{{{{ .Status }}}}'", answers=[answer])
    assert outcome == Outcome(
        success=False, retry=retry, reason="clientError", error=f'channel "#firing": {error}'
    )


def test_only_server_errors_and_network_trouble_are_tried_again(tmp_path: Path) -> None:
    found = retried(tmp_path, "slack", HOOK, good=b"ok")
    assert {status for status, (retry, _) in found.items() if retry} == {500, 503, 599}
    assert (found[429], found[503], found[304]) == (
        (False, "rateLimited"),
        (True, "serverError"),
        (False, "other"),
    )
    [lost], _ = tell(tmp_path, "slack", HOOK, answers=[Answer(0)])
    assert (lost.retry, lost.reason) == (True, "other")
    [late], _ = tell(tmp_path, "slack", f"{HOOK}, timeout: 1ns", answers=[OK])
    assert late.retry
    assert late.error.endswith("configured slack timeout reached (1ns)")


def updated(tmp_path: Path, held: dict[str, str], **told: Any) -> tuple[Outcome, Received]:
    notification = replace(FIRING, receiver_data=held)
    item = f"{BOT}, update_message: true, channel: '#ops'"
    [outcome], [request] = tell(tmp_path, "slack", item, notification, answers=[json_answer(**told)])
    return outcome, request


def test_a_message_that_is_there_is_changed(tmp_path: Path) -> None:
    outcome, first = updated(tmp_path, {}, ok=True, ts="17.1", channel="C1")
    assert outcome == Outcome(success=True, receiver_data={"threadTs": "17.1", "channelId": "C1"})
    assert first.url == POST_URL
    assert first.headers["authorization"] == "Bearer token-secret"
    assert "ts" not in json.loads(first.body)
    outcome, second = updated(tmp_path, {"threadTs": "17.1", "channelId": "C1"}, ok=True)
    assert outcome == Outcome(success=True)
    assert second.url == UPDATE_URL
    assert second.body.startswith(b'{"channel":"C1","ts":"17.1","username":')


@pytest.mark.parametrize(
    "held", [{"threadTs": "17.1"}, {"channelId": "C1"}, {"threadTs": "", "channelId": "C1"}]
)
def test_what_is_not_known_whole_is_a_new_message(tmp_path: Path, held: dict[str, str]) -> None:
    _, request = updated(tmp_path, held, ok=True)
    assert request.url == POST_URL


def test_what_is_remembered_is_bounded_and_only_for_updates(tmp_path: Path) -> None:
    outcome, _ = updated(tmp_path, {}, ok=True, ts="1" * (MAX_REMEMBERED + 1), channel="C1")
    assert outcome == Outcome(success=True)
    [plain], _ = tell(tmp_path, "slack", BOT, answers=[json_answer(ok=True, ts="17.1", channel="C1")])
    assert plain == Outcome(success=True)


def test_no_error_holds_a_secret(tmp_path: Path) -> None:
    answers = [Answer(200, b"hook-secret is gone"), Answer(0)]
    outcomes, _ = tell(tmp_path, "slack", HOOK, FIRING, FIRING, answers=answers)
    outcomes += tell(tmp_path, "slack", BOT, answers=[json_answer(ok=False, error="token-secret")])[0]
    for outcome in outcomes:
        assert not outcome.success
        assert "-secret" not in outcome.error
    assert "-secret" not in repr(section("slack", "app_token: token-secret, channel: c"))


@pytest.mark.parametrize(
    ("item", "global_", "problem"),
    [
        ("channel: c", "", "no Slack API URL nor App token set either inline or in a file"),
        ("api_url: 'http://h/', api_url_file: f", "", "at most one of api_url & api_url_file"),
        ("app_token: t, app_token_file: f", "", "at most one of app_token & app_token_file"),
        ("api_url: 'http://h/', app_token: t", "", "at most one of api_url/api_url_file & app_token"),
        ("api_url: 'http://h/', update_message: true", "", "update_message can only be used with bot tokens"),
        (
            "app_token: t, http_config: {authorization: {credentials: c}}",
            "",
            "http authorization can't be set",
        ),
        (
            "channel: c",
            "slack_app_token: t, http_config: {authorization: {credentials: c}}",
            "http authorization can't be set",
        ),
        (
            "http_config: {authorization: {credentials: c}}",
            "slack_app_token: t",
            "no Slack API URL nor App token",
        ),
        ("app_token: t, fields: [{title: t}]", "", "missing value in Slack field"),
        ("app_token: t, fields: [{value: t}]", "", "missing title in Slack field"),
        ("app_token: t, actions: [{type: t}]", "", "missing text in Slack action"),
        ("app_token: t, actions: [{text: t}]", "", "missing type in Slack action"),
        ("app_token: t, actions: [{type: t, text: t}]", "", "missing name or url in Slack action"),
        (
            "app_token: t, actions: [{type: t, text: t, name: n, confirm: {title: t}}]",
            "",
            "missing text in Slack confirmation",
        ),
    ],
)
def test_what_is_refused(item: str, global_: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        section("slack", item, global_=global_)


def test_what_is_shown() -> None:
    shown = section("slack", "app_token: t, channel: c, fields: [{title: t, value: v, short: false}]").shown()
    assert shown.pop("http_config")["authorization"] == {"type": "Bearer", "credentials": "<secret>"}
    names = {
        "fallback": "",
        "footer": "",
        "pretext": "",
        "text": "",
        "title": "",
        "username": "",
        "color": "",
    }
    names |= {"title_link": "titlelink", "callback_id": "callbackid"}
    names |= {"icon_emoji": "iconemoji", "icon_url": "iconurl"}
    defaults = {
        name: f'{{{{ template "slack.default.{other or name}" . }}}}' for name, other in names.items()
    }
    assert shown == defaults | {
        "send_resolved": False,
        "api_url": "<secret>",
        "app_token": "<secret>",
        "app_url": POST_URL,
        "channel": "c",
        "fields": [{"title": "t", "value": "v", "short": False}],
        "short_fields": False,
        "link_names": False,
        "update_message": False,
        "timeout": "0s",
    }


def test_the_names_in_an_answer_may_be_in_any_case(tmp_path: Path) -> None:
    [outcome], _ = tell(tmp_path, "slack", HOOK, answers=[json_answer(Ok=True)])
    assert outcome.success
