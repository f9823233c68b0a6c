"""WeChat: when a token is fetched, what is sent, what is tried again, what is never said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.integrations import section, send, shown
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import Outcome

KEYS = "api_secret: hush-secret, corp_id: corp, api_url: 'http://@HTTP@/cgi-bin'"
OK = (200, b'{"errcode":0,"errmsg":"ok"}')


def token(text: str) -> tuple[int, bytes]:
    return 200, json.dumps({"errcode": 0, "access_token": text, "expires_in": 7200}).encode()


def refusal(code: Any) -> tuple[int, bytes]:
    return 200, json.dumps({"errcode": code, "errmsg": "no hush-token of hush-secret"}).encode()


def test_a_token_is_fetched_once_and_the_message_posted() -> None:
    keys = (
        f"{{{KEYS}, message: '<m> {{{{ .Status }}}}', to_user: u, to_party: '', to_tag: '', agent_id: '7'}}"
    )
    outcomes, requests = send("wechat", keys, answers=[token("hush+token"), OK], times=2)
    assert outcomes == [Outcome(success=True)] * 2
    assert [request.line for request in requests] == [
        "GET /cgi-bin/gettoken?corpid=corp&corpsecret=hush-secret HTTP/1.1",
        "POST /cgi-bin/message/send?access_token=hush%2Btoken HTTP/1.1",
        "POST /cgi-bin/message/send?access_token=hush%2Btoken HTTP/1.1",
    ]
    assert requests[1].headers["content-type"] == "application/json"
    assert requests[1].body == (
        b'{"text":{"content":"\\u003cm\\u003e firing"},"touser":"u","agentid":"7","safe":"0",'
        b'"msgtype":"text","markdown":{"content":""}}\n'
    )


def test_the_names_in_an_answer_may_be_in_any_case() -> None:
    answers = [(200, b'{"ErrCode":0,"ACCESS_TOKEN":"t"} and more'), (200, b'{"ErrCode":42001}')]
    [outcome], requests = send("wechat", f"{{{KEYS}}}", answers=answers)
    assert requests[1].line.endswith("?access_token=t HTTP/1.1")
    assert (outcome.success, outcome.retry) == (False, True)


def test_markdown_goes_to_its_own_place() -> None:
    _, requests = send(
        "wechat", f"{{{KEYS}, message: m, message_type: markdown}}", answers=[token("hush-token"), OK]
    )
    said = requests[1].json
    assert (said["text"], said["markdown"], said["msgtype"]) == (
        {"content": ""},
        {"content": "m"},
        "markdown",
    )


def test_an_expired_token_is_fetched_anew_by_the_next_attempt() -> None:
    answers = [token("hush-token"), refusal(42001), token("hush-other"), OK]
    outcomes, requests = send("wechat", f"{{{KEYS}}}", answers=answers, times=2)
    assert [(each.success, each.retry) for each in outcomes] == [(False, True), (True, False)]
    assert requests[3].line.endswith("?access_token=hush-other HTTP/1.1")


@pytest.mark.parametrize("code", [40001, 40014])
def test_an_invalid_token_is_not_used_again(code: int) -> None:
    """Alertmanager goes on with it for two hours."""
    answers = [token("hush-token"), refusal(code), token("hush-other"), OK]
    outcomes, requests = send("wechat", f"{{{KEYS}}}", answers=answers, times=2)
    assert [(each.success, each.retry) for each in outcomes] == [(False, False), (True, False)]
    assert len(requests) == 4
    assert f"WeChat refused the message: {code}: no <secret> of <secret>" in outcomes[0].error


@pytest.mark.parametrize(
    ("answer", "retry", "reason"),
    [
        ((201, b""), True, "other"), ((302, b""), True, "other"), ((400, b""), True, "clientError"),
        ((429, b""), True, "rateLimited"), ((500, b"hush-token"), True, "serverError"),
        ((0, b""), True, "other"), ((200, b"<html>"), True, "other"), ((200, b""), True, "other"),
        ((200, b"[]"), True, "other"),
        (refusal("x"), True, "other"), (refusal(45009), False, "other"),
    ],
)  # fmt: skip
def test_what_is_tried_again(answer: tuple[int, bytes], retry: bool, reason: str) -> None:
    outcomes, _ = send("wechat", f"{{{KEYS}}}", answers=[token("hush-token"), answer])
    [outcome] = outcomes
    assert (outcome.success, outcome.retry, outcome.reason) == (False, retry, reason)
    assert "hush" not in outcome.error


@pytest.mark.parametrize(
    ("answer", "retry"),
    [
        ((500, b"{}"), False), ((200, b"<html>"), False),
        ((200, b'{"errcode":40001,"errmsg":"hush-secret"}'), False),
        ((0, b""), True), ((200, b'{"access_token":5}'), False), ((200, b"null"), False),
    ],
)  # fmt: skip
def test_no_token_no_message(answer: tuple[int, bytes], retry: bool) -> None:
    [outcome], requests = send("wechat", f"{{{KEYS}}}", answers=[answer])
    assert (outcome.success, outcome.retry, outcome.reason, len(requests)) == (False, retry, "other", 1)
    assert "hush" not in outcome.error


def test_a_template_that_fails_is_not_tried_again() -> None:
    keys = f"{{{KEYS}, to_tag: '{{{{ template \"none\" . }}}}'}}"
    [outcome], requests = send("wechat", keys, answers=[token("hush-token"), OK])
    assert (outcome.success, outcome.retry, len(requests)) == (False, False, 1)


def test_global_stands_in() -> None:
    given = "{wechat_api_url: 'http://@HTTP@/g?x=1', wechat_api_secret: hush-g, wechat_api_corp_id: gc}"
    _, requests = send("wechat", "{to_user: u}", global_=given, answers=[token("t t"), OK])
    assert [request.line for request in requests] == [
        "GET /g/gettoken?corpid=gc&corpsecret=hush-g HTTP/1.1",
        "POST /g/message/send?access_token=t+t&x=1 HTTP/1.1",
    ]


def test_it_is_shown_as_alertmanager_shows_it() -> None:
    assert shown("wechat", "{api_secret: hush, corp_id: c, api_url: 'http://x/y', to_user: u}") == (
        "send_resolved: false\n"
        "api_secret: <secret>\n"
        "corp_id: c\n"
        "message: '{{ template \"wechat.default.message\" . }}'\n"
        "api_url: http://x/y/\n"
        "to_user: u\n"
        "to_party: '{{ template \"wechat.default.to_party\" . }}'\n"
        "to_tag: '{{ template \"wechat.default.to_tag\" . }}'\n"
        "agent_id: '{{ template \"wechat.default.agent_id\" . }}'\n"
        "message_type: text"
    )
    assert "hush" not in repr(section("wechat", "{api_secret: hush, corp_id: c}"))


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("{api_secret: hush, corp_id: c, message_type: news}", "message_type 'news' is not valid"),
        ("{api_secret: hush, api_secret_file: f, corp_id: c}", "at most one of api_secret & api_secret_file"),
        ("{corp_id: c}", "one of api_secret or api_secret_file must be configured"),
        ("{api_secret: hush}", "no corp_id, and no wechat_api_corp_id in global"),
        ("{api_secret: hush, corp_id: c, api_url: nowhere}", "unsupported scheme"),
        ("{api_secret: hush, corp_id: c, to_users: u}", "unknown key 'to_users'"),
    ],
)
def test_what_is_refused(keys: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        section("wechat", keys)
    assert error in str(caught.value)
    assert "/etc/am.yml:6:" in str(caught.value)
    assert "hush" not in str(caught.value)
