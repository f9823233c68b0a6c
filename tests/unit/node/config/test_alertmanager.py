"""alertmanager.yml: what is taken, what is refused, where the error points, and that secrets stay hidden."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.config_cases import BAD, GOOD, LEAST, STRICTER, http, interval, route, webhook
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType, ParserMode, ParseWarning
from tocsin.errors import ConfigError
from tocsin.node.config import MatcherSyntax, load_config, parse_config
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.notify.integrations.webhook import WebhookConfig

SECOND = 1_000_000_000


def parse(text: str, **more: Any) -> AlertmanagerConfig:
    return parse_config(text, path="/etc/am/am.yml", **more)


def only_webhook(config: AlertmanagerConfig) -> WebhookConfig:
    webhook = config.receivers[0].integrations[0]
    assert isinstance(webhook, WebhookConfig)
    return webhook


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_alertmanager_takes_is_taken(text: str) -> None:
    config = parse(text)
    assert config.route.options.receiver in {receiver.name for receiver in config.receivers}


@pytest.mark.parametrize(
    ("text", "line", "problem"), [*BAD.values(), *STRICTER.values()], ids=[*BAD, *STRICTER]
)
def test_a_bad_file_gets_one_line_with_its_place(text: str, line: int, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith(f"/etc/am/am.yml:{line}:")
    assert problem in message
    assert "\n" not in message


def test_a_route_inherits_and_overrides() -> None:
    config = parse(
        "route:\n  receiver: r\n  group_by: [a, b]\n  group_wait: 10s\n  repeat_interval: 1d\n  routes:\n"
        "  - match: {x: y}\n    matchers: ['z!~\"w\"']\n    continue: yes\n    group_interval: 2m\n"
        "    mute_time_intervals: [t]\nreceivers: [{name: r}]\n"
        "time_intervals: [{name: t, time_intervals: []}]\n"
    )
    child = config.route.children[0]
    assert child.matchers == (Matcher(MatchType.EQUAL, "x", "y"), Matcher(MatchType.NOT_REGEXP, "z", "w"))
    assert child.continue_
    assert child.options.group_by == {"a", "b"}
    assert child.options.group_wait == 10 * SECOND
    assert child.options.group_interval == 120 * SECOND
    assert child.options.repeat_interval == 86_400 * SECOND
    assert child.options.mute_time_intervals == ("t",)
    assert config.route.options.mute_time_intervals == ()
    assert config.route.match(Labels({"x": "y"})) == [child]


def test_group_by_all() -> None:
    assert parse(route("{group_by: ['...']}")).route.children[0].options.group_by_all


def test_yaml_words_stay_text_where_text_is_due() -> None:
    config = parse(
        "route: {receiver: no}\nreceivers: [{name: no}, {name: 12:30}, {name: 2026-01-01}, {name: 1_000}]\n"
    )
    assert [receiver.name for receiver in config.receivers] == ["no", "12:30", "2026-01-01", "1_000"]


def test_a_webhook_in_full() -> None:
    hook = only_webhook(
        parse(
            webhook(
                "url: 'https://h/x', send_resolved: false, max_alerts: 7, timeout: 1m30s,"
                " http_config: {authorization: {credentials_file: token}, follow_redirects: false,"
                " http_headers: {X-A: {values: [a], secrets: [b], files: [f]}},"
                " tls_config: {ca_file: /abs/ca, cert_file: c, key_file: ../k, server_name: s}}"
            )
        )
    )
    assert (hook.url, hook.send_resolved, hook.max_alerts, hook.timeout) == (
        "https://h/x",
        False,
        7,
        90 * SECOND,
    )
    assert hook.http_config.authorization is not None
    assert hook.http_config.authorization.type == "Bearer"
    assert hook.http_config.authorization.credentials_file == "/etc/am/token"
    assert not hook.http_config.follow_redirects
    assert hook.http_config.enable_http2
    assert hook.http_config.http_headers is not None
    assert hook.http_config.http_headers["X-A"].files == ("/etc/am/f",)
    assert hook.http_config.http_headers["X-A"].secrets == ("b",)
    tls = hook.http_config.tls_config
    assert (tls.ca_file, tls.cert_file, tls.key_file) == ("/abs/ca", "/etc/am/c", "/etc/k")


def test_a_webhook_without_http_config_has_the_global_one() -> None:
    config = parse("global: {http_config: {bearer_token: t}}\n" + webhook("url: 'http://h/'"))
    authorization = only_webhook(config).http_config.authorization
    assert authorization is not None
    assert (authorization.type, authorization.credentials) == ("Bearer", "t")


def test_time_intervals_reach_the_domain() -> None:
    config = parse(interval("{weekdays: ['monday:friday'], location: Europe/Paris}"))
    monday, sunday = 1_795_435_200 * SECOND, 1_795_348_800 * SECOND
    (working_days,) = config.time_intervals["t"]
    assert working_days.contains(monday)
    assert not working_days.contains(sunday)


def test_templates_are_of_the_files_folder() -> None:
    assert parse(LEAST + "templates: ['*.tmpl', /abs/x.tmpl]\n").templates == (
        "/etc/am/*.tmpl",
        "/abs/x.tmpl",
    )


def test_the_notation_decides_which_matchers_and_names_are_read() -> None:
    doubtful = route("{matchers: ['a=~b|c\\d']}")
    warnings: list[ParseWarning] = []
    parse(doubtful, matcher_syntax=MatcherSyntax(warn=warnings.append))
    assert [warning.origin for warning in warnings] == ["config"]
    with pytest.raises(ConfigError):
        parse(doubtful, matcher_syntax=MatcherSyntax(ParserMode.UTF8_STRICT))
    with pytest.raises(ConfigError, match="invalid label name"):
        parse(route("{group_by: [a-b]}"), matcher_syntax=MatcherSyntax(ParserMode.CLASSIC))


SECRETS = "global: {smtp_auth_password: hush-1, slack_api_url: 'https://hush-2/'}\n" + http(
    "basic_auth: {username: u, password: hush-3}, proxy_url: 'http://u:hush-4@p/',"
    " proxy_connect_header: {A: [hush-5]}, tls_config: {cert: c, key: hush-6},"
    " http_headers: {X: {secrets: [hush-7]}}"
).replace("http://h/", "http://h/hush-8")


def test_secrets_are_never_shown() -> None:
    config = parse(SECRETS)
    for shown in (repr(config), str(config), config.original):
        assert "hush" not in shown
    assert config.original.count("<secret>") >= 6
    assert only_webhook(config).url == "http://h/hush-8"


@pytest.mark.parametrize(
    "text",
    [
        SECRETS.replace("url: 'http://h/hush-8'", "url: 'ftp://hush-8/'"),
        SECRETS.replace("'https://hush-2/'", "'hush-2'"),
        SECRETS.replace("password: hush-3", "password: [hush-3]"),
        SECRETS.replace("http://u:hush-4@p/", "http://u:hush-4@p:x/"),
    ],
)
def test_no_error_shows_a_secret(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert "hush" not in str(caught.value)


def test_the_original_is_itself_a_configuration() -> None:
    for text in GOOD.values():
        first = parse(text)
        again = parse(first.original)
        assert again.original == first.original
        assert [each.key for each in again.route.walk()] == [each.key for each in first.route.walk()]


def test_what_go_does_not_quote() -> None:
    for name in ("<<", "="):
        assert (
            f"- name: {name}\n"
            in parse(f"route: {{receiver: '{name}'}}\nreceivers: [{{name: '{name}'}}]\n").original
        )


def test_the_original_is_as_alertmanager_shows_it() -> None:
    """Both files were captured from Alertmanager 0.33.1: what it was given and what its API then showed."""
    folder = Path(__file__).parent / "originals"
    given = sorted(folder.glob("*.given.yml"))
    assert len(given) >= 3
    for path in given:
        shown = path.with_name(path.name.replace(".given.", ".shown.")).read_text()
        config = parse_config(path.read_text(), path="/etc/alertmanager/alertmanager.yml")
        assert config.original == shown, path.name


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)
    path = tmp_path / "am.yml"
    path.write_bytes(b"route:\n  receiver: \xff\n")
    with pytest.raises(ConfigError, match=r"am\.yml:2: is not UTF-8 text"):
        load_config(path)


def test_the_configuration_is_plain_frozen_data() -> None:
    config = parse(LEAST)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.original = ""  # type: ignore[misc]


def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first part is a whole configuration, in which nobody is called."""
    path = tmp_path / "alertmanager.yml"
    first = "route:\n  receiver: pager\nreceivers:\n  - name: pager\n"
    path.write_text(first)
    rest = ["    webhook_configs:\n", "      - url: http://127.0.0.1:9/\n"]

    def written(_seconds: float) -> None:
        if rest:
            with path.open("a") as file:
                file.write(rest.pop(0))

    monkeypatch.setattr("tocsin.node.config.alertmanager.time.sleep", written)
    assert len(load_config(path, pipes=False).receivers[0].integrations) == 1
    os.utime(path, (1, 1))
    monkeypatch.setattr("tocsin.node.config.alertmanager.time.sleep", pytest.fail)
    load_config(path, pipes=False)
    os.utime(path, (time.time() + 1000, time.time() + 1000))
    load_config(path, pipes=False)
