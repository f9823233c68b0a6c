"""Mattermost: what is sent, what is tried again, what is never said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.integrations import section, send, shown
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import Outcome
from tocsin.notify.integrations.mattermost import MAX_TEXT

URL = "webhook_url: 'http://@HTTP@/hooks/hush-hush'"
BARE = "username: '', title: '', title_link: '', fallback: '', color: ''"


def test_a_message_with_one_attachment() -> None:
    outcomes, [request] = send(
        "mattermost", f"{{{URL}, text: '{{{{ .Status }}}}', fields: [{{title: a, value: b}}]}}"
    )
    assert outcomes == [Outcome(success=True)]
    assert request.line == "POST /hooks/hush-hush HTTP/1.1"
    assert request.body == (
        b'{"username":"Alertmanager","attachments":[{"fallback":"[FIRING:1] A (low) |'
        b' http://node/#/alerts?receiver=r","color":"danger","text":"firing","title":"[FIRING:1] A (low)",'
        b'"title_link":"http://node/#/alerts?receiver=r","fields":[{"title":"a","value":"b"}]}]}\n'
    )


def test_every_key_with_attachments_of_their_own() -> None:
    part = (
        "fallback: f, color: c, pretext: p, text: x, author_name: n, author_link: l, author_icon: i,"
        " title: t, title_link: tl, thumb_url: th, footer: fo, footer_icon: fi, image_url: im,"
        " fields: [{title: a, value: '{{ .Status }}', short: false}]"
    )
    keys = (
        f"{{{URL}, channel: ch, username: u, text: own, icon_url: iu, icon_emoji: ie, type: ty,"
        f" attachments: [{{{part}}}, {{}}], props: {{card: k}},"
        " priority: {priority: URGENT, requested_ack: true, persistent_notifications: true}}"
    )
    _, [request] = send("mattermost", keys)
    assert request.body == (
        b'{"text":"own","channel":"ch","username":"u","icon_url":"iu","icon_emoji":"ie","attachments":['
        b'{"fallback":"f","color":"c","pretext":"p","text":"x","author_name":"n","author_link":"l",'
        b'"author_icon":"i","title":"t","title_link":"tl","fields":[{"title":"a","value":"firing",'
        b'"short":false}],"thumb_url":"th","footer":"fo","footer_icon":"fi","image_url":"im"},{}],'
        b'"type":"ty","props":{"card":"k"},"priority":{"priority":"urgent","requested_ack":true,'
        b'"persistent_notifications":true}}\n'
    )


@pytest.mark.parametrize(
    ("priority", "sent"),
    [
        ("{priority: Important, requested_ack: true, persistent_notifications: true}",
         {"priority": "important", "requested_ack": True}),
        ("{priority: standard, requested_ack: true}", {"priority": "standard"}),
        ("{priority: '{{ .Status }}', persistent_notifications: true}", {"priority": "standard"}),
        ("{requested_ack: true}", None),
        ("{}", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_priority_is_what_mattermost_takes(priority: str, sent: object) -> None:
    _, [request] = send("mattermost", f"{{{URL}, priority: {priority}}}")
    assert request.json.get("priority") == sent


def test_the_messages_own_text_is_cut_and_no_other() -> None:
    long = "ä" * (MAX_TEXT + 100)
    _, [request] = send("mattermost", f"{{{URL}, {BARE}, text: {long}, attachments: [{{text: {long}}}]}}")
    assert request.json == {"text": "ä" * (MAX_TEXT - 1) + "…", "attachments": [{"text": long}]}
    _, [request] = send("mattermost", f"{{{URL}, {BARE}, text: {long}, props: {{card: '{{{{ print }}}}'}}}}")
    assert request.json == {"attachments": [{"text": long}], "props": {}}


@pytest.mark.parametrize(
    ("status", "retry", "reason"),
    [(200, False, ""), (304, False, "other"), (400, False, "clientError"), (429, False, "rateLimited"),
     (500, True, "serverError"), (0, True, "other")],
)  # fmt: skip
def test_only_server_errors_are_tried_again(status: int, retry: bool, reason: str) -> None:
    [outcome], _ = send(
        "mattermost", f"{{{URL}, channel: c}}", answers=[(status, b"no way: /hooks/hush-hush")]
    )
    assert (outcome.success, outcome.retry, outcome.reason) == (not reason, retry, reason)
    assert "hush" not in outcome.error
    assert outcome.error.startswith('channel "c": unexpected status code') or status in (0, 200)


def test_the_url_may_be_in_a_file_or_come_from_global(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(" \n")
    [outcome], _ = send("mattermost", f"{{webhook_url_file: {tmp_path / 'url'}}}")
    assert (outcome.retry, outcome.error) == (False, "webhook url missing")
    [outcome], [request] = send(
        "mattermost", "{}", global_="{mattermost_webhook_url: 'http://@HTTP@/global'}"
    )
    assert outcome.success
    assert request.line == "POST /global HTTP/1.1"
    own = section(
        "mattermost",
        f"{{webhook_url_file: {tmp_path / 'url'}}}",
        global_="{mattermost_webhook_url: 'http://g'}",
    )
    assert (own["webhook_url"], own["webhook_url_file"]) == ("", str(tmp_path / "url"))


def test_it_is_shown_without_its_secret() -> None:
    keys = (
        "{webhook_url: 'http://h/hush', fields: [{title: a, value: b}], priority: {priority: urgent},"
        " props: {}}"
    )
    assert shown("mattermost", keys).splitlines() == [
        "send_resolved: true",
        "webhook_url: <secret>",
        "username: '{{ template \"mattermost.default.username\" . }}'",
        "text: '{{ template \"mattermost.default.text\" . }}'",
        "fallback: '{{ template \"mattermost.default.fallback\" . }}'",
        "color: '{{ template \"mattermost.default.color\" . }}'",
        "title: '{{ template \"mattermost.default.title\" . }}'",
        "title_link: '{{ template \"mattermost.default.titlelink\" . }}'",
        "fields:",
        "- title: a",
        "  value: b",
        "props: {}",
        "priority:",
        "  priority: urgent",
    ]
    assert "hush" not in repr(section("mattermost", "{webhook_url: 'http://h/hush'}"))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("{}", "missing webhook_url or webhook_url_file on mattermost_config"),
        (
            "{webhook_url: 'http://h/hush', webhook_url_file: f}",
            "at most one of webhook_url & webhook_url_file",
        ),
        (
            "{webhook_url: 'http://h', fields: [{value: v}]}",
            "missing title in Mattermost field configuration",
        ),
        (
            "{webhook_url: 'http://h', fields: [{title: t}]}",
            "missing value in Mattermost field configuration",
        ),
        ("{webhook_url: 'http://h', attachments: [{fields: [{}]}]}", "missing title in Mattermost field"),
        ("{webhook_url: 'http://h', priority: urgent}", "expected a map"),
    ],
)
def test_what_is_refused(keys: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        section("mattermost", keys)
    assert "hush" not in str(refused.value)
