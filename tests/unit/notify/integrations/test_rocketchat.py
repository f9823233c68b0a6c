"""Rocket.Chat: what is sent, what is tried again, what is never said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.integrations import section, send, shown
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import Outcome
from tocsin.notify.integrations.http import MAX_ANSWER_BYTES
from tocsin.notify.integrations.rocketchat import MAX_TITLE, RocketchatConfig
from tocsin.notify.integrations.url import joined

KEYS = "api_url: 'http://@HTTP@/', token: hush-token, token_id: hush-id"
TAKEN = (200, b'{"success":true}')


def test_a_message_with_one_attachment() -> None:
    outcomes, [request] = send("rocketchat", f"{{{KEYS}, channel: '#ops', title: T}}", answers=[TAKEN])
    assert outcomes == [Outcome(success=True)]
    assert request.line == "POST /api/v1/chat.postMessage HTTP/1.1"
    assert (request.headers["x-auth-token"], request.headers["x-user-id"]) == ("hush-token", "hush-id")
    assert request.body == (
        b'{"channel":"#ops","attachments":[{"title":"T","title_link":"http://node/#/alerts?receiver=r",'
        b'"color":"red"}]}\n'
    )


def test_every_key() -> None:
    keys = (
        f"{{{KEYS}, color: c, title: T, title_link: tl, text: x, emoji: e, icon_url: i, image_url: im,"
        " thumb_url: th, link_names: true, short_fields: true,"
        " fields: [{title: a, value: '{{ .Status }}'}, {title: b, short: false}],"
        " actions: [{type: x, text: t, url: u, msg: m, iswebview: true}, {}]}"
    )
    _, [request] = send("rocketchat", keys, answers=[TAKEN])
    assert request.body == (
        b'{"emoji":"e","avatar":"i","attachments":[{"title":"T","title_link":"tl","text":"x","image_url":"im",'
        b'"thumb_url":"th","color":"c","fields":[{"short":true,"title":"a","value":"firing"},'
        b'{"short":false,"title":"b"}],"actions":[{"type":"button","text":"t","url":"u","is_webview":false,'
        b'"msg":"m","msg_in_chat_window":false},{"type":"button","is_webview":false,'
        b'"msg_in_chat_window":false}]}]}\n'
    )


def test_a_long_title_is_cut() -> None:
    _, [request] = send("rocketchat", f"{{{KEYS}, title: {'ä' * 2000}}}", answers=[TAKEN])
    assert request.json["attachments"][0]["title"] == "ä" * (MAX_TITLE - 1) + "…"


@pytest.mark.parametrize(
    ("status", "body", "retry", "reason"),
    [
        (200, b'{"success":true}', False, ""),
        (201, b' {"Success":true,"error":null}', False, ""),
        (200, b'{"success":false,"error":"[hush-id]"}', False, "clientError"),
        (200, b"{}", False, "clientError"),
        (200, b"null", False, "clientError"),
        (200, b"", True, "clientError"),
        (200, b"<html>hush-token", True, "clientError"),
        (200, b"[]", True, "clientError"),
        (200, b'{"success":1}', True, "clientError"),
        (200, b"[" * 50_000, True, "clientError"),
        (304, b"", False, "other"),
        (401, b"hush-token", False, "authError"),
        (429, b"", False, "rateLimited"),
        (500, b'{"success":true}', True, "serverError"),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, retry: bool, reason: str) -> None:
    [outcome], _ = send("rocketchat", f"{{{KEYS}, channel: '#ops'}}", answers=[(status, body)])
    assert (outcome.success, outcome.retry, outcome.reason) == (not reason, retry, reason)
    assert "hush" not in outcome.error
    assert outcome.error.startswith('channel "#ops": ') or outcome.success


def test_an_answer_that_gives_a_long_message_back_is_a_success() -> None:
    body = b'{"message":"' + b"x" * MAX_ANSWER_BYTES + b'","success":true}'
    [outcome], _ = send("rocketchat", f"{{{KEYS}}}", answers=[(200, body)])
    assert outcome.success


def test_tokens_may_be_in_files_and_come_from_global(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush-filed\n")
    global_ = (
        f"{{rocketchat_api_url: 'http://@HTTP@/chat/', rocketchat_token_file: {tmp_path / 'token'},"
        " rocketchat_token_id: hush-global}"
    )
    [outcome], [request] = send("rocketchat", "{}", global_=global_, answers=[TAKEN])
    assert outcome.success
    assert request.line == "POST /chat/api/v1/chat.postMessage HTTP/1.1"
    assert (request.headers["x-auth-token"], request.headers["x-user-id"]) == ("hush-filed", "hush-global")
    own = section("rocketchat", "{token: mine, token_id: me}", global_="{rocketchat_token_file: theirs}")
    assert isinstance(own, RocketchatConfig)
    assert (own.token, own.token_file) == ("mine", "")
    (tmp_path / "token").unlink()
    [outcome], _ = send("rocketchat", "{}", global_=global_)
    assert (outcome.retry, outcome.error) == (
        False, f"read token_file: {tmp_path / 'token'}: No such file or directory"
    )  # fmt: skip


def test_it_is_shown_without_its_secrets() -> None:
    lines = shown("rocketchat", "{token: hush, token_id: hush, fields: [{title: t}]}").splitlines()
    assert lines[:7] == [
        "send_resolved: false",
        "api_url: https://open.rocket.chat/",
        "token_id: <secret>",
        "token: <secret>",
        "color: '{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}'",
        "title: '{{ template \"rocketchat.default.title\" . }}'",
        "title_link: '{{ template \"rocketchat.default.titlelink\" . }}'",
    ]
    assert lines[8:13] == ["fields:", "- short: null", "  title: t", '  value: ""', "short_fields: false"]
    assert lines[-1] == "link_names: false"
    assert "hush" not in repr(section("rocketchat", "{token: hush, token_id: hush}"))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("{token: hush}", "no global Rocketchat TokenID set either inline or in a file .add token_id:"),
        ("{token_id: hush}", "no global Rocketchat Token set either inline or in a file"),
        ("{token: hush, token_file: f, token_id: i}", "at most one of token & token_file must be configured"),
        ("{token: hush, token_id: i, token_id_file: f}", "at most one of token_id & token_id_file"),
        ("{token: hush, token_id: i, fields: [{short: 1}]}", "expected true or false"),
        ("{token: hush, token_id: i, api_url: 'x'}", "unsupported scheme"),
    ],
)
def test_what_is_refused(keys: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        section("rocketchat", keys)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h", "http://h/a/b"),
        ("http://h/", "http://h/a/b"),
        ("http://h/x", "http://h/x/a/b"),
        ("http://h//x//y/../", "http://h/x/a/b"),
        ("http://h/x%2Fy?q=1#f", "http://h/x%2Fy/a/b?q=1#f"),
    ],
)
def test_how_a_path_is_joined(url: str, expected: str) -> None:
    assert joined(url, "a/b") == expected
