"""Telegram: the bytes that are sent, what of an answer decides, and a token that is in no error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.receiverserver import FIRING, Answer, section, tell
from tocsin.errors import ConfigError
from tocsin.notify.integrations.http import MAX_ANSWER_BYTES
from tocsin.notify.integrations.telegram import MAX_CHARACTERS, TOO_LONG

TOKEN = "7:token-secret"
OK = Answer(200, b'{"ok":true,"result":{"message_id":7}}')
ITEM = f"bot_token: '{TOKEN}', chat_id: -1001, api_url: 'http://@HTTP@'"


def test_a_message_is_texts_in_order(tmp_path: Path) -> None:
    item = f"{ITEM}, message: '<b>{{{{ .CommonAnnotations.summary }}}}</b>', message_thread_id: 42"
    [good], [request] = tell(tmp_path, "telegram", f"{item}, disable_notifications: true", answers=[OK])
    assert good.success
    assert request.url.endswith(f"/bot{TOKEN}/sendMessage")
    assert request.body == (
        b'{"chat_id":"-1001","disable_notification":"true","disable_web_page_preview":"true",'
        b'"message_thread_id":"42","parse_mode":"HTML",'
        b'"text":"\\u003cb\\u003e\\u0026lt;no space\\u0026gt;\\u003c/b\\u003e"}\n'
    )


@pytest.mark.parametrize(
    ("mode", "length", "sent"),
    [
        ("HTML", MAX_CHARACTERS, "ä" * MAX_CHARACTERS),
        ("HTML", MAX_CHARACTERS + 1, TOO_LONG),
        ("", MAX_CHARACTERS, "ä" * MAX_CHARACTERS),
        ("", MAX_CHARACTERS + 1, "ä" * (MAX_CHARACTERS - 1) + "…"),
        ("MarkdownV2", MAX_CHARACTERS + 1, "ä" * (MAX_CHARACTERS - 1) + "…"),
    ],
)
def test_what_is_too_long(tmp_path: Path, mode: str, length: int, sent: str) -> None:
    item = f"{ITEM}, parse_mode: '{mode}', message: '{'ä' * length}'"
    _, [request] = tell(tmp_path, "telegram", item, answers=[OK])
    told = json.loads(request.body)
    assert told["text"] == sent
    assert told.get("parse_mode", "") == mode


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_the_answers_ok_decides_and_not_its_status(tmp_path: Path, status: int) -> None:
    body = json.dumps({"ok": False, "error_code": status, "description": f"no {TOKEN}"}).encode()
    answers = [Answer(status, b'{"ok": true}'), Answer(status, body)]
    [good, bad], _ = tell(tmp_path, "telegram", ITEM, FIRING, FIRING, answers=answers)
    assert good.success
    assert (bad.success, bad.retry, bad.reason) == (False, True, "other")
    assert bad.error == f"telegram: no <secret> ({status})"


@pytest.mark.parametrize("body", [b"", b"<html>no JSON", b"[]", b"{}", b'{"ok":1}', b"null", b"[" * 60000])
def test_an_answer_that_is_none_of_telegrams_is_tried_again(tmp_path: Path, body: bytes) -> None:
    [outcome], _ = tell(tmp_path, "telegram", ITEM, answers=[Answer(200, body)])
    assert (outcome.success, outcome.retry, outcome.reason) == (False, True, "other")


def test_an_answer_that_is_too_long_to_be_read_whole_is_good_all_the_same(tmp_path: Path) -> None:
    long = Answer(200, b'{"ok": true, "result": {"text": "' + b"x" * MAX_ANSWER_BYTES + b'"}}')
    [outcome], _ = tell(tmp_path, "telegram", ITEM, answers=[long])
    assert outcome.success


def test_token_and_chat_of_files_are_read_each_time(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f" {TOKEN}\n")
    (tmp_path / "chat").write_text("-5\n")
    item = "bot_token_file: '@DIR@/token', chat_id_file: '@DIR@/chat', api_url: 'http://@HTTP@/x'"
    _, [request] = tell(tmp_path, "telegram", item, answers=[OK])
    assert request.url.endswith(f"/x/bot{TOKEN}/sendMessage")
    assert json.loads(request.body)["chat_id"] == "-5"


@pytest.mark.parametrize("held", ["@channel", "", "1" * 30, "9223372036854775808", None])
def test_a_file_without_a_chat_is_told_and_tried_again(tmp_path: Path, held: str | None) -> None:
    if held is not None:
        (tmp_path / "chat").write_text(held)
    item = f"bot_token: '{TOKEN}', chat_id_file: '@DIR@/chat', api_url: 'http://@HTTP@'"
    [outcome], received = tell(tmp_path, "telegram", item)
    assert (outcome.retry, received) == (True, [])
    assert f"chat_id_file: {tmp_path}/chat: " in outcome.error


def test_a_failing_template_is_not_tried_again(tmp_path: Path) -> None:
    item = f"{ITEM}, message: '{{{{ template \"no.such\" . }}}}'"
    [outcome], received = tell(tmp_path, "telegram", item)
    assert (outcome.success, outcome.retry, received) == (False, False, [])


def test_what_is_shown() -> None:
    assert section("telegram", "bot_token: abc, chat_id: 0x10, message_thread_id: 3").shown() == {
        "send_resolved": True,
        "http_config": {"follow_redirects": True, "enable_http2": True},
        "api_url": "https://api.telegram.org",
        "bot_token": "<secret>",
        "chat_id": 16,
        "message_thread_id": 3,
        "message": '{{ template "telegram.default.message" . }}',
        "parse_mode": "HTML",
    }


@pytest.mark.parametrize(
    ("item", "global_", "problem"),
    [
        ("chat_id: 1", "", "bot_token"),
        ("bot_token: a", "", "missing chat_id or chat_id_file on telegram_config"),
        ("bot_token: a, chat_id: 0", "", "missing chat_id"),
        ("bot_token: a, chat_id: '1'", "", "expected a whole number"),
        ("bot_token: a, chat_id: '@x'", "", "expected a whole number"),
        ("bot_token: a, chat_id: 9223372036854775808", "", "expected a whole number"),
        ("bot_token: a, bot_token_file: b, chat_id: 1", "", "at most one of bot_token & bot_token_file"),
        ("bot_token: a, chat_id: 1, chat_id_file: b", "", "at most one of chat_id & chat_id_file"),
        ("bot_token: a, chat_id: 1, parse_mode: html", "", "unknown parse_mode"),
    ],
)
def test_what_is_refused(item: str, global_: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        section("telegram", item, global_=global_)
    assert problem in str(caught.value)


def test_the_token_of_global_is_taken_where_there_is_none() -> None:
    found = section("telegram", "chat_id: -9223372036854775808", global_="telegram_bot_token: a")
    assert (found.bot_token, found.chat_id) == ("a", -(1 << 63))
    found = section("telegram", "chat_id: 1, bot_token_file: b", global_="telegram_bot_token: a")
    assert (found.bot_token, found.bot_token_file) == ("", "b")
