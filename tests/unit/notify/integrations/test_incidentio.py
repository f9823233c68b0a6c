"""incident.io: what is sent, what is tried again, what is never said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.integrations import notification_of, section, send, shown
from tests.support.routing import alert
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import Outcome
from tocsin.notify.integrations.incidentio import MAX_PAYLOAD_BYTES
from tocsin.notify.integrations.json import encode
from tocsin.notify.integrations.payload import INLINE_CHARACTERS, payload

URL = "url: 'http://@HTTP@/v2/alert_events/alertmanager/x'"
KEYS = f"{URL}, alert_source_token: hush-hush"
TWO = notification_of(alert(alertname="A", n="1"), alert(alertname="A", n="2"))


def test_it_sends_the_notification_as_data() -> None:
    outcomes, [request] = send("incidentio", f"{{{KEYS}, max_alerts: 1}}", notification=TWO)
    assert outcomes == [Outcome(success=True)]
    assert request.line == "POST /v2/alert_events/alertmanager/x HTTP/1.1"
    assert request.headers["authorization"] == "Bearer hush-hush"
    assert request.body == encode(payload(TWO, "http://node", version="1", max_alerts=1))
    assert (request.json["version"], request.json["truncatedAlerts"]) == ("1", 1)


def test_of_too_large_a_message_the_first_alert_is_left() -> None:
    text = "x" * (MAX_PAYLOAD_BYTES // 2)
    assert len(text) > INLINE_CHARACTERS  # so another thread makes it
    large = notification_of(*(alert(alertname="A", n=str(n), annotations={"t": text}) for n in range(3)))
    _, [request] = send("incidentio", f"{{{KEYS}}}", notification=large)
    assert [each["labels"]["n"] for each in request.json["alerts"]] == ["0"]
    assert request.json["truncatedAlerts"] == 0
    huge = notification_of(alert(alertname="A", annotations={"t": text * 3}))
    _, [request] = send("incidentio", f"{{{KEYS}}}", notification=huge)
    assert len(request.body) > MAX_PAYLOAD_BYTES


@pytest.mark.parametrize(
    ("status", "retry", "reason"),
    [(202, False, ""), (304, False, "other"), (400, False, "clientError"), (401, False, "authError"),
     (429, True, "rateLimited"), (500, True, "serverError"), (599, True, "serverError"), (0, True, "other")],
)  # fmt: skip
def test_what_is_tried_again(status: int, retry: bool, reason: str) -> None:
    [outcome], _ = send("incidentio", f"{{{KEYS}}}", answers=[(status, b'{"message":"hush-hush"}')])
    assert (outcome.success, outcome.retry, outcome.reason) == (not reason, retry, reason)
    assert "hush" not in outcome.error


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message":"a","error":"b","errors":["c","d"]} more', ": a: b: c, d"),
        (b'{"error":"b","errors":null}', ": b"),
        (b'{"message":1,"error":"b"}', ""),
        (b'{"errors":[1]}', ""),
        (b"[]", ""),
        (b"<html>", ""),
        (b"", ""),
        (b"[" * 50_000, ""),
    ],
)
def test_what_an_answer_says_of_a_failure(body: bytes, said: str) -> None:
    [outcome], _ = send("incidentio", f"{{{KEYS}}}", answers=[(400, body)])
    assert outcome.error == f"unexpected status code 400{said}"


def test_a_timeout_of_its_own() -> None:
    [outcome], _ = send("incidentio", f"{{{KEYS}, timeout: 200ms}}", answers=[(100, b"")])
    assert outcome.retry
    assert outcome.error.endswith("context deadline exceeded: configured incident.io timeout reached (200ms)")


def test_who_asks(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush-filed\n")
    (tmp_path / "url").write_text("http://[hush-filed")
    token = f"alert_source_token_file: {tmp_path / 'token'}"
    basic = "http_config: {basic_auth: {username: u, password: p}}"
    bearer = "{http_config: {authorization: {credentials: global}}}"
    for keys, global_, expected in (
        (f"{URL}, {token}", "{}", "Bearer hush-filed"),
        (f"{URL}, {token}", bearer, "Bearer hush-filed"),
        (URL, bearer, "Bearer global"),
        (f"{URL}, http_config: {{authorization: {{type: T, credentials: c}}}}", "{}", "T c"),
        (f"{KEYS}, {basic}", "{}", "Basic dTpw"),
        (URL, "{}", ""),
    ):
        _, [request] = send("incidentio", f"{{{keys}}}", global_=global_)
        assert request.headers.get("authorization", "") == expected, keys
    [outcome], _ = send("incidentio", f"{{url_file: {tmp_path / 'url'}, {token}}}")
    assert not outcome.success
    assert "hush" not in outcome.error


def test_it_is_shown_without_its_secret() -> None:
    assert shown("incidentio", "{url: 'http://h/x', alert_source_token: hush}").splitlines() == [
        "send_resolved: true",
        "url: http://h/x",
        'url_file: ""',
        "alert_source_token: <secret>",
        "max_alerts: 0",
        "timeout: 0s",
    ]
    assert "url: null" in shown("incidentio", "{url_file: f}")
    assert "hush" not in repr(section("incidentio", "{url: 'http://h', alert_source_token: hush}"))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("{alert_source_token: hush}", "one of url or url_file must be configured .add url:"),
        ("{url: 'http://h', url_file: f}", "at most one of url & url_file must be configured"),
        ("{url: 'http://h', alert_source_token: hush, alert_source_token_file: f}",
         "at most one of alert_source_token & alert_source_token_file"),
        ("{url: 'http://h', alert_source_token: hush, http_config: {bearer_token: x}}",
         "cannot specify alert_source_token or alert_source_token_file when using http_config.authorization"),
        ("{url: 'http://h', http_config: {}}", "at least one of alert_source_token"),
        ("{url: 'http://h', http_config: {basic_auth: {username: u}}}", "at least one of alert_source_token"),
        ("{url: 'http://h', max_alerts: -1}", "expected a whole number"),
    ],
)  # fmt: skip
def test_what_is_refused(keys: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        section("incidentio", keys)
    assert "hush" not in str(refused.value)
