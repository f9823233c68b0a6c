"""Discord: what is sent, what is tried again, what is never said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.integrations import notification_of, section, send, shown
from tests.support.routing import alert
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import Outcome, reason_of
from tocsin.notify.integrations.discord import MAX_CONTENT, MAX_DESCRIPTION, MAX_TITLE
from tocsin.notify.integrations.url import is_url

URL = "webhook_url: 'http://@HTTP@/api/webhooks/1/hush-hush'"


def test_it_sends_one_embed() -> None:
    outcomes, [request] = send("discord", f"{{{URL}, title: 't {{{{ .Status }}}}', message: <m>}}")
    assert outcomes == [Outcome(success=True)]
    assert request.line == "POST /api/webhooks/1/hush-hush HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.body == (
        b'{"content":"","embeds":[{"title":"t firing","description":"\\u003cm\\u003e","color":10038562}]}\n'
    )


def test_a_resolved_group_is_green() -> None:
    resolved = notification_of(alert(alertname="A", ends_at=SECOND))
    _, [request] = send("discord", f"{{{URL}}}", notification=resolved)
    assert request.json["embeds"][0]["color"] == 0x2ECC71


def test_user_and_picture_are_no_templates() -> None:
    keys = f"{{{URL}, content: c, username: 'u {{{{ .Status }}}}', avatar_url: 'http://x/{{{{ .Status }}}}'}}"
    _, [request] = send("discord", keys)
    assert request.json["username"] == "u {{ .Status }}"
    assert request.json["avatar_url"] == "http://x/{{ .Status }}"
    _, [request] = send("discord", f"{{{URL}, avatar_url: 'http://[bad'}}")
    assert "avatar_url" not in request.json


def test_long_texts_are_cut_in_characters() -> None:
    long = "ä" * 5000
    _, [request] = send("discord", f"{{{URL}, content: {long}, title: {long}, message: {long}}}")
    [embed] = request.json["embeds"]
    for text, limit in (
        (request.json["content"], MAX_CONTENT),
        (embed["title"], MAX_TITLE),
        (embed["description"], MAX_DESCRIPTION),
    ):
        assert text == "ä" * (limit - 1) + "…"


@pytest.mark.parametrize(
    ("status", "success", "retry"),
    [(204, True, False), (299, True, False), (304, False, False), (400, False, False), (401, False, False),
     (429, False, False), (500, False, True), (599, False, True)],
)  # fmt: skip
def test_only_server_errors_are_tried_again_and_the_reason_is_told(
    status: int, success: bool, retry: bool
) -> None:
    [outcome], _ = send("discord", f"{{{URL}}}", answers=[(status, b"no way: /api/webhooks/1/hush-hush")])
    assert (outcome.success, outcome.retry) == (success, retry)
    assert outcome.reason == ("" if success else reason_of(status))
    assert "hush" not in outcome.error


def test_lost_connections_are_tried_again() -> None:
    [outcome], _ = send("discord", f"{{{URL}}}", answers=[(0, b"")])
    assert (outcome.success, outcome.retry, outcome.reason) == (False, True, "other")
    assert "hush" not in outcome.error


def test_a_template_that_fails_is_not_tried_again() -> None:
    [outcome], requests = send("discord", f"{{{URL}, title: '{{{{ template \"none\" . }}}}'}}")
    assert (outcome.success, outcome.retry, requests) == (False, False, [])


def test_the_url_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    [outcome], _ = send("discord", f"{{webhook_url_file: {file}}}")
    assert outcome.error == f"read webhook_url_file: {file}: No such file or directory"
    file.write_text("http://[hush-hush\n")
    [outcome], _ = send("discord", f"{{webhook_url_file: {file}}}")
    assert not outcome.success
    assert "hush" not in outcome.error


def test_it_is_shown_without_its_secret() -> None:
    assert shown("discord", "{webhook_url: 'http://h/hush', username: u}").splitlines() == [
        "send_resolved: true",
        "webhook_url: <secret>",
        'title: {{ template "discord.default.title" . }}'.replace("{{", "'{{").replace("}}", "}}'"),
        "message: '{{ template \"discord.default.message\" . }}'",
        "username: u",
    ]
    assert "hush" not in repr(section("discord", "{webhook_url: 'http://h/hush'}"))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            "{}",
            r"am\.yml:6:5: one of webhook_url or webhook_url_file must be configured \(add webhook_url:\)",
        ),
        ("{webhook_url: }", "one of webhook_url or webhook_url_file must be configured"),
        ("{webhook_url: ''}", "unsupported scheme"),
        (
            "{webhook_url: 'http://h/hush', webhook_url_file: f}",
            "at most one of webhook_url & webhook_url_file",
        ),
        ("{webhook_url: 'ftp://h/hush'}", "unsupported scheme"),
        ("{webhook_url: 'http://h', titel: x}", "did you mean 'title'"),
        ("{webhook_url: 'http://h', title: '{{ x'}", r"am\.yml:6:38: "),
        ("{webhook_url: 'http://h', title: [x]}", "expected text, found a list"),
    ],
)
def test_what_is_refused(keys: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        section("discord", keys)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", True),
        ("http://example.org/a b/{{ x }}.png?%zz", True),
        ("picture.png", True),
        ("mailto:x", True),
        ("http:///x", True),
        ("//host/x", True),
        ("http://[bad", False),
        ("http://a b/", False),
        ("http://host:port/", False),
        ("http://host/%zz", False),
        ("http://host/#%z", False),
        ("1:2", False),
        (":x", False),
        ("a\tb", False),
    ],
)
def test_what_go_takes_for_a_url(text: str, taken: bool) -> None:
    assert is_url(text) is taken
