"""The file is read as Go reads it: nulls, merges, documents, what is given and what is not.

The values are those of Alertmanager 0.33.1.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.config_cases import LEAST, http, route, webhook
from tocsin.alerting.matcher import ParseWarning
from tocsin.config.matchersyntax import MatcherSyntax
from tocsin.errors import ConfigError
from tocsin.node.config import load_config, parse_config
from tocsin.node.config.alertmanager import AlertmanagerConfig, config_hash
from tocsin.notify.integrations.webhook import WebhookConfig

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def parse(text: str) -> AlertmanagerConfig:
    return parse_config(text, path="/etc/am/am.yml")


def hook(text: str) -> WebhookConfig:
    found = parse(webhook(f"url: 'http://h/', {text}")).receivers[0].integrations[0]
    assert isinstance(found, WebhookConfig)
    return found


def test_null_is_the_types_zero_and_not_the_default() -> None:
    assert hook("send_resolved: ").send_resolved is False
    assert hook("http_config: {follow_redirects: ~, enable_http2: null}").http_config.enable_http2 is False
    config = parse("global: {resolve_timeout: , smtp_require_tls: ~, smtp_hello: }\n" + LEAST)
    assert config.global_.resolve_timeout == 0
    assert config.global_.smtp_require_tls is False
    assert config.global_.smtp_hello == ""
    assert "resolve_timeout: 0s" in config.original


def test_a_null_section_is_an_absent_one() -> None:
    assert parse("global: \n" + LEAST).global_.resolve_timeout == 5 * MINUTE
    inherited = parse(
        "global: {http_config: {follow_redirects: false}}\n" + webhook("url: 'http://h/', http_config: ")
    )
    [found] = inherited.receivers[0].integrations
    assert isinstance(found, WebhookConfig)
    assert not found.http_config.follow_redirects
    assert parse(route("{group_wait: , group_by: }")).route.children[0].options.group_wait == 30 * SECOND


def test_what_follows_a_second_document_is_not_read() -> None:
    assert parse(f"{LEAST}---\nnonsense: [\n").route.options.receiver == "r"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("{group_wait: 6s, <<: {group_wait: 5s}}", 5),
        ("{<<: {group_wait: 5s}, group_wait: 6s}", 6),
        ("{<<: [{group_wait: 5s}, {group_wait: 7s}]}", 5),
        ("{<<: {group_wait: 5s}, group_interval: 1m}", 5),
    ],
)
def test_a_merge_counts_where_it_stands(text: str, seconds: int) -> None:
    assert parse(route(text)).route.children[0].options.group_wait == seconds * SECOND


def test_a_given_zero_is_shown() -> None:
    shown = parse("route: {receiver: r, group_wait: 0s}\nreceivers: [{name: r}]\n").original
    assert "group_wait: 0s" in shown
    assert (
        "smtp_force_implicit_tls: false" in parse("global: {smtp_force_implicit_tls: no}\n" + LEAST).original
    )
    assert "group_wait" not in parse(LEAST).original


def test_an_empty_list_is_given() -> None:
    routes = "[{receiver: r, group_by: []}, {receiver: r}]"
    text = f"route: {{receiver: r, group_by: [a], routes: {routes}}}\nreceivers: [{{name: r}}]\n"
    empty, absent = parse(text).route.children
    assert empty.options.group_by == frozenset()
    assert absent.options.group_by == {"a"}


def test_labels_of_routes_are_inherited() -> None:
    config = parse(
        "route: {receiver: r, labels: {a: '1', b: '2'}, routes: [{labels: {b: '{{ .Status }}'}}]}\n"
        "receivers: [{name: r}]\n"
    )
    assert config.route.options.labels == (("a", "1"), ("b", "2"))
    assert config.route.children[0].options.labels == (("a", "1"), ("b", "{{ .Status }}"))


@pytest.mark.parametrize("url", ["socks5://p:1080", "http://u:p@p:1", "https://p", "''"])
def test_any_proxy_is_read(url: str) -> None:
    assert parse(http(f"proxy_url: {url}"))


def test_an_empty_url_is_no_url() -> None:
    with pytest.raises(ConfigError, match='unsupported scheme ""'):
        parse("global: {slack_api_url: ''}\n" + LEAST)


def test_what_no_route_uses_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "am.yml"
    hook_ = "webhook_configs: [{url: 'http://h/', http_config: {tls_config: {ca_file: missing}}}]"
    file.write_text(f"route: {{receiver: r}}\nreceivers: [{{name: r}}, {{name: unused, {hook_}}}]\n")
    config = load_config(file)
    assert [receiver.name for receiver in config.used_receivers] == ["r"]


def test_intervals_that_defeat_each_other_are_warned_of() -> None:
    config = parse(
        "route: {receiver: r, group_interval: 5m, repeat_interval: 1m, routes: [{repeat_interval: 30d}]}\n"
        "receivers: [{name: r}]\n"
    )
    below, above = config.all_warnings(120 * 3600 * SECOND)
    assert "repeat_interval 1m of the route {} is less than group_interval 5m" in below
    assert "repeat_interval 30d of the route {}/{} is greater than the data retention 5d" in above
    assert not list(parse(LEAST).all_warnings(120 * 3600 * SECOND))


@pytest.mark.parametrize(
    "text",
    [
        LEAST + "event_recorder: {kafka_outputs: [{brokers: ['b:1'], topic: t, acks: all}]}\n",
        http("basic_auth: {username: u, password_ref: x}"),
    ],
)
def test_what_is_not_served_is_refused_or_taken_with_a_warning(text: str) -> None:
    with pytest.raises(ConfigError, match=r"or start the node with --config\.accept-unserved"):
        parse(text)
    config = parse_config(text, path="/etc/am/am.yml", accept_unserved=True)
    [warning] = config.warnings
    assert warning.startswith("/etc/am/am.yml:")
    assert "accepted, and without effect" in warning


def test_what_observes_is_checked_served_or_not() -> None:
    for text, problem in (
        ("tracing: {client_type: grpc}", "tracing endpoint must be set"),
        ("tracing: {endpoint: 'h:1', client_type: carrier}", "unknown value 'carrier'"),
        ("tracing: {endpoint: 'h:1', client_type: }", "unknown tracing client type"),
        ("tracing: {endpoint: 'h:1', headers: {X-A: {files: [a]}}}", "header files are not supported"),
        ("event_recorder: {kafka_outputs: [{brokers: [b]}]}", "requires topic"),
    ):
        with pytest.raises(ConfigError, match=problem):
            parse_config(f"{LEAST}{text}\n", path="am.yml", accept_unserved=True)


def test_the_hash_is_of_the_files_bytes(tmp_path: Path) -> None:
    file = tmp_path / "am.yml"
    file.write_bytes(LEAST.encode())
    digest = hashlib.md5(LEAST.encode(), usedforsecurity=False).digest()
    expected = sum(byte << (8 * place) for place, byte in enumerate(digest[:6]))
    assert load_config(file).hash == config_hash(LEAST.encode()) == expected
    secret = webhook("url: 'http://h/hush-1'")
    assert parse(secret).hash != parse(secret.replace("hush-1", "hush-2")).hash


@pytest.mark.parametrize(
    ("first", "second", "matchers"),
    [
        ("matchers: [a=b]", "<<: *a, matchers: [c=d]", 'a="b",c="d"'),
        ("matchers: [c=d]", "matchers: [a=b], <<: *a", 'a="b",c="d"'),
        ("matchers: [a=b]", "<<: *a, matchers: []", 'a="b"'),
        ("matchers: [a=b]", "<<: *a, matchers: null", ""),
        ("match: {a: b}", "<<: *a, match: {c: d}", 'a="b",c="d"'),
        ("match_re: {a: b}", "<<: *a, match_re: {c: d}", 'a=~"^(?:b)$",c=~"^(?:d)$"'),
    ],
)
def test_matchers_grow_by_a_merge(first: str, second: str, matchers: str) -> None:
    text = (
        f"route:\n  receiver: r\n  routes:\n  - &a {{{first}}}\n  - {{{second}}}\nreceivers: [{{name: r}}]\n"
    )
    _, merged = parse(text).route.children
    assert ",".join(str(each) for each in merged.matchers) == matchers


def test_maps_grow_by_a_merge_and_other_values_are_replaced() -> None:
    base = "&a {service_key: k, details: {x: '1'}, http_config: {proxy_url: 'http://p'}}"
    more = "{<<: *a, details: {y: '2'}, http_config: {follow_redirects: false}}"
    text = f"route: {{receiver: r}}\nreceivers: [{{name: r, pagerduty_configs: [{base}, {more}]}}]\n"
    _, merged = parse(text).receivers[0].integrations
    assert {"x", "y"} <= {str(name) for name in merged["details"]}
    assert not merged["http_config"].proxy_url
    with pytest.raises(ConfigError, match="the key 'x' is already set in this map"):
        parse(text.replace("{y: '2'}", "{x: '2'}"))


def test_a_whole_number_may_be_written_as_a_fraction_and_typed_text_in_quotes() -> None:
    def webhook(more: str) -> Any:
        text = "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: "
        return parse(f"{text}[{{url: 'http://h', {more}}}]}}]\n").receivers[0].integrations[0]

    assert webhook("max_alerts: 1e2")["max_alerts"] == 100
    assert webhook("max_alerts: 2.0")["max_alerts"] == 2
    assert webhook("max_alerts: !!int '3'")["max_alerts"] == 3
    assert webhook("send_resolved: !!bool 'no'")["send_resolved"] is False
    # What follows the point is cut off, as by Go.
    assert [
        webhook(f"max_alerts: {text}")["max_alerts"] for text in ("5.9", ".5", "-0.5", "1_0.5", "-0")
    ] == [
        5,
        0,
        0,
        10,
        0,
    ]
    for text in ("-1.5", "1e20", ".inf", "1:30", "'5.5'", "0x1p4"):
        with pytest.raises(ConfigError, match="expected a whole number from 0"):
            webhook(f"max_alerts: {text}")


def test_a_chat_may_be_written_as_a_fraction_too() -> None:
    def chat(written: str) -> int:
        text = f"telegram_configs: [{{bot_token: t, chat_id: {written}}}]"
        [found] = (
            parse(f"route: {{receiver: r}}\nreceivers: [{{name: r, {text}}}]\n").receivers[0].integrations
        )
        return int(found["chat_id"])

    assert [chat(text) for text in ("-1001", "1e3", "-5.5")] == [-1001, 1000, -5]


@pytest.mark.parametrize("url", ["%zz", "http://p/%zz", "http://%zz/", "http://p#%zz", "http://u:p%zz@h/"])
def test_a_proxy_has_no_broken_escape(url: str) -> None:
    with pytest.raises(ConfigError, match="invalid URL escape"):
        parse(http(f"proxy_url: '{url}'"))


def test_a_proxys_url_is_shown_as_it_was_given_even_empty() -> None:
    assert 'proxy_url: ""' in parse(http("proxy_url: ''")).original
    assert "proxy_url" not in parse(http("proxy_url: ")).original
    assert "proxy_url: http://P:1" in parse(http("proxy_url: 'HTTP://P:1'")).original
    assert parse(http("proxy_url: 'http://'"))
    with pytest.raises(ConfigError, match="expected a list"):
        parse(http("proxy_url: 'http://p', proxy_connect_header: {A: b}"))


def test_a_null_section_of_global_is_not_shown_and_means_the_defaults() -> None:
    mail = "email_configs: [{to: a@b, from: a@b, smarthost: 'h:25'}]"
    config = parse(
        "global: {http_config: , smtp_tls_config: }\nroute: {receiver: r}\n"
        f"receivers: [{{name: r, webhook_configs: [{{url: 'http://h/'}}], {mail}}}]\n"
    )
    assert "tls_config" not in config.original
    assert "http_config" not in config.original.partition("receivers:")[0]
    assert config.receivers[0].integrations[1]["http_config"].follow_redirects


def test_a_null_receiver_is_one_without_a_name() -> None:
    config = parse("route: {receiver: r}\nreceivers: [null, {name: r}]\n")
    assert [receiver.name for receiver in config.receivers] == ["", "r"]
    assert '- name: ""\n- name: r\n' in config.original


def test_characters_beyond_the_basic_plane_are_shown_escaped() -> None:
    shown = parse(route("{matchers: ['foo=\U0001f494', 'a=ö']}")).original
    assert '- "foo=\\"\\U0001F494\\""' in shown
    assert '- a="ö"' in shown


def test_nothing_to_match_is_warned_of() -> None:
    for text in ("''", "'{}'", "null"):
        warned: list[ParseWarning] = []
        matcher_syntax = MatcherSyntax(warn=warned.append)
        parse_config(route(f"{{matchers: [{text}]}}"), path="am.yml", matcher_syntax=matcher_syntax)
        assert [each.message for each in warned] == ["Matchers input has disagreement"]
