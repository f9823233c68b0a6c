"""PagerDuty: events of both versions, what is left out of large ones, and what is wrong with bad ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.receiverserver import FIRING, GROUP_HASH, RESOLVED, Answer, retried, section, tell
from tocsin.alerting.labels import Labels
from tocsin.errors import ConfigError
from tocsin.notify.integrations.pagerduty import MAX_EVENT_BYTES, MAX_SUMMARY, REMOVED, problem_of

BY_PROXY = "http_config: {proxy_url: 'http://@HTTP@', tls_config: {ca_file: ca.pem}}"
V1 = f"service_key: key-secret, {BY_PROXY}"
V2 = "routing_key: key-secret, url: 'http://@HTTP@/v2'"
SMALL = (
    "details: {firing: '', resolved: '', num_firing: '{{ len .Alerts }}', num_resolved: 'x {{ .Status }}'}"
)


def test_an_event_of_version_2(tmp_path: Path) -> None:
    outcomes, [firing, resolved] = tell(tmp_path, "pagerduty", f"{V2}, {SMALL}", FIRING, RESOLVED)
    assert [each.success for each in outcomes] == [True, True]
    assert firing.url.endswith("/v2")
    assert firing.body.decode() == (
        '{"routing_key":"key-secret","dedup_key":"' + GROUP_HASH + '","event_action":"trigger",'
        '"payload":{"summary":"[FIRING:1] Full (critical)","source":"Alertmanager","severity":"error",'
        '"custom_details":{"firing":null,"num_firing":1,"num_resolved":"x firing","resolved":null}},'
        '"client":"Alertmanager","client_url":"http://am/#/alerts?receiver=ops"}\n'
    )
    assert json.loads(resolved.body)["event_action"] == "resolve"


@pytest.mark.parametrize("keys", ["images: [{alt: BAD}]", "images: [{href: BAD}]", "links: [{text: BAD}]"])
def test_a_template_that_fails_counts_in_what_is_left_out_too(keys: str, tmp_path: Path) -> None:
    """As in Alertmanager, which renders all of an image and leaves it out when it has no source."""
    bad = keys.replace("BAD", "'{{ index .Alerts 9 }}'")
    [outcome], sent = tell(tmp_path, "pagerduty", f"{V2}, {bad}", FIRING)
    assert (outcome.success, outcome.retry, sent) == (False, False, [])


def test_an_event_of_version_1(tmp_path: Path) -> None:
    _, [firing, resolved] = tell(
        tmp_path, "pagerduty", f"{V1}, routing_key: unused, {SMALL}", FIRING, RESOLVED
    )
    assert firing.url == "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
    assert firing.body.decode() == (
        '{"service_key":"key-secret","incident_key":"' + GROUP_HASH + '","event_type":"trigger",'
        '"description":"[FIRING:1] Full (critical)","event_action":"","payload":null,'
        '"client":"Alertmanager","client_url":"http://am/#/alerts?receiver=ops",'
        '"details":{"firing":null,"num_firing":1,"num_resolved":"x firing","resolved":null}}\n'
    )
    told = json.loads(resolved.body)
    assert (told["event_type"], "client" in told, "client_url" in told) == ("resolve", False, False)


def test_each_key_has_its_place(tmp_path: Path) -> None:
    item = (
        f"{V2}, client: 'c {{{{ .Status }}}}', client_url: '', description: d, severity: '{{{{ .Status }}}}',"
        " class: k, component: o, group: g,"
        " images: [{src: 's {{ .Status }}', alt: a}, {src: '{{ .CommonLabels.none }}', href: h}],"
        " links: [{href: h, text: '<{{ .Status }}>'}, {text: t}],"
        " details: {a: {z: ['{{ .Status }}', 2], '{{ .Status }}': k}, 'k {{ .Status }}': true}"
    )
    _, [request] = tell(tmp_path, "pagerduty", item)
    told = json.loads(request.body)
    details = told["payload"].pop("custom_details")
    assert list(details) == ["a", "firing", "k {{ .Status }}", "num_firing", "num_resolved", "resolved"]
    assert details["a"] == {"firing": "k", "z": ["firing", 2]}
    assert details["firing"][0]["labels"]["alertname"] == "Full"
    assert told == {
        "routing_key": "key-secret",
        "dedup_key": GROUP_HASH,
        "event_action": "trigger",
        "payload": {
            "summary": "d",
            "source": "c firing",
            "severity": "firing",
            "class": "k",
            "component": "o",
            "group": "g",
        },
        "client": "c firing",
        "images": [{"src": "s firing", "alt": "a", "href": ""}],
        "links": [{"href": "h", "text": "<firing>"}],
    }


@pytest.mark.parametrize(("version", "summary"), [(V1, "description"), (V2, "summary")])
def test_what_is_too_large(tmp_path: Path, version: str, summary: str) -> None:
    [alert] = FIRING.alerts
    large = replace(alert, annotations=Labels({"summary": "ü" * 2000, "text": "x" * MAX_EVENT_BYTES}))
    item = f"{version}, description: '{{{{ .CommonAnnotations.summary }}}}'"
    _, [request] = tell(tmp_path, "pagerduty", item, replace(FIRING, alerts=(large,)))
    told = json.loads(request.body)
    shown = told.get("payload") or told
    assert shown[summary] == "ü" * (MAX_SUMMARY - 1) + "…"
    assert shown["details" if version == V1 else "custom_details"] == {"error": REMOVED}


def test_keys_are_templates_from_files_too_and_not_empty(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" k-{{ .Status }} \n")
    (tmp_path / "empty").write_text("\n")
    _, [request] = tell(tmp_path, "pagerduty", "routing_key_file: '@DIR@/key', url: 'http://@HTTP@/'")
    assert json.loads(request.body)["routing_key"] == "k-firing"
    for item, error in (
        (f"service_key_file: '@DIR@/empty', {BY_PROXY}", "service key cannot be empty"),
        ("routing_key: '{{ .CommonLabels.none }}', url: 'http://@HTTP@/'", "routing key cannot be empty"),
    ):
        [failed], received = tell(tmp_path, "pagerduty", item)
        assert (failed.retry, failed.error, received) == (False, error, [])


def test_version_2_retries_429_and_tells_reasons(tmp_path: Path) -> None:
    found = retried(tmp_path, "pagerduty", f"{V2}, {SMALL}")
    assert {status for status, (retry, _) in found.items() if retry} == {429, 500, 503, 599}
    assert (found[400][1], found[429][1], found[503][1]) == ("clientError", "rateLimited", "serverError")


def test_version_1_retries_403_and_tells_no_reason(tmp_path: Path) -> None:
    found = retried(tmp_path, "pagerduty", f"{V1}, {SMALL}")
    assert {status for status, (retry, _) in found.items() if retry} == {403, 500, 503, 599}
    assert {reason for _, reason in found.values()} == {"other"}


def test_its_timeout_ends_a_request(tmp_path: Path) -> None:
    item = f"{V2}, timeout: 1ns"
    [failed], _ = tell(tmp_path, "pagerduty", item)
    assert (failed.retry, failed.reason) == (True, "other")
    assert failed.error.endswith("context deadline exceeded: configured pagerduty timeout reached (1ns)")


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (400, b'{"status":"invalid event","message":"m","errors":["a","b"]}', "m: a,b"),
        (400, b'{"message":"m"}', "m: "),
        (400, b"<html>", ""),
        (400, b"[]", ""),
        (400, b'{"errors":[1]}', ""),
        (400, b"[" * 100_000, ""),
        (500, b'{"message":"m"}', ""),
    ],
)
def test_what_is_wrong_with_an_event(status: int, body: bytes, problem: str) -> None:
    assert problem_of(status, body) == problem


def test_no_error_holds_the_key(tmp_path: Path) -> None:
    told = b'{"message":"no such key","errors":["key-secret"]}'
    outcomes, _ = tell(
        tmp_path, "pagerduty", f"{V2}, {SMALL}", FIRING, FIRING, answers=[Answer(400, told), Answer(0)]
    )
    assert outcomes[0].error == "unexpected status code 400: no such key: <secret>"
    assert "key-secret" not in outcomes[1].error
    assert "key-secret" not in repr(section("pagerduty", "routing_key: key-secret"))


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("client: c", "missing service or routing key in PagerDuty config"),
        ("routing_key: k, routing_key_file: f", "at most one of routing_key & routing_key_file"),
        ("service_key: k, service_key_file: f", "at most one of service_key & service_key_file"),
        ("routing_key: k, links: [{url: u}]", "unknown key 'url'"),
        ("routing_key: k, details: {a: ['{{ .x']}", "unclosed action"),
    ],
)
def test_what_is_refused(item: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        section("pagerduty", item)


def test_what_is_shown() -> None:
    shown = section("pagerduty", "routing_key: k, client: c, details: {b: 1}, timeout: 90s").shown()
    del shown["http_config"]
    assert shown == {
        "send_resolved": True,
        "routing_key": "<secret>",
        "url": "https://events.pagerduty.com/v2/enqueue",
        "client": "c",
        "client_url": '{{ template "pagerduty.default.clientURL" . }}',
        "description": '{{ template "pagerduty.default.description" .}}',
        "details": {
            "b": 1,
            "firing": "{{ .Alerts.Firing | toJson }}",
            "num_firing": "{{ .Alerts.Firing | len }}",
            "num_resolved": "{{ .Alerts.Resolved | len }}",
            "resolved": "{{ .Alerts.Resolved | toJson }}",
        },
        "source": "c",
        "timeout": "1m30s",
    }
