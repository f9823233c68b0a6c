"""Both kinds of Microsoft Teams: what is sent, what is tried again, what is never said."""

from __future__ import annotations

import pytest

from tests.support.integrations import notification_of, section, send, shown
from tests.support.routing import alert
from tocsin.alerting.timestamp import SECOND
from tocsin.errors import ConfigError
from tocsin.notify.integrations.base import Outcome
from tocsin.notify.integrations.msteamsv2 import MSTeamsV2Config

URL = "webhook_url: 'http://@HTTP@/w/hush-hush?sig=a%2Fb'"
KINDS = ("msteams", "msteamsv2")
RESOLVED = notification_of(alert(alertname="A", ends_at=SECOND))


def test_a_message_card() -> None:
    outcomes, [request] = send("msteams", f"{{{URL}, title: T, summary: S, text: '{{{{ .Status }}}}'}}")
    assert outcomes == [Outcome(success=True)]
    assert request.line == "POST /w/hush-hush?sig=a%2Fb HTTP/1.1"
    assert request.body == (
        b'{"@context":"http://schema.org/extensions","type":"MessageCard","title":"T","summary":"S",'
        b'"text":"firing","themeColor":"8C1A1A"}\n'
    )
    _, [request] = send("msteams", f"{{{URL}}}", notification=RESOLVED)
    assert request.json["themeColor"] == "2DC72D"


def test_an_adaptive_card() -> None:
    outcomes, [request] = send("msteamsv2", f"{{{URL}, title: T, text: '{{{{ .Status }}}}'}}")
    assert outcomes == [Outcome(success=True)]
    assert request.body == (
        b'{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive",'
        b'"contentUrl":null,"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json",'
        b'"type":"AdaptiveCard","version":"1.2","body":[{"type":"TextBlock","text":"T","weight":"Bolder",'
        b'"size":"Medium","wrap":true,"style":"heading","color":"Attention"},{"type":"TextBlock",'
        b'"text":"firing","wrap":true}],"msteams":{"width":"full"}}}]}\n'
    )
    _, [request] = send("msteamsv2", f"{{{URL}}}", notification=RESOLVED)
    assert request.json["attachments"][0]["content"]["body"][0]["color"] == "Good"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "retry", "reason"),
    [(200, False, ""), (202, False, ""), (304, False, "other"), (400, False, "clientError"),
     (429, False, "rateLimited"), (500, True, "serverError"), (503, True, "serverError")],
)  # fmt: skip
def test_only_server_errors_are_tried_again(kind: str, status: int, retry: bool, reason: str) -> None:
    [outcome], _ = send(kind, f"{{{URL}}}", answers=[(status, b"no way: /w/hush-hush?sig=a%2Fb")])
    assert (outcome.success, outcome.retry, outcome.reason) == (not reason, retry, reason)
    assert "hush" not in outcome.error


@pytest.mark.parametrize("kind", KINDS)
def test_how_it_is_read_shown_and_refused(kind: str) -> None:
    assert shown(kind, "{webhook_url: 'http://h/hush', text: x}").splitlines() == [
        "send_resolved: true",
        "webhook_url: <secret>",
        f"title: '{{{{ template \"{kind}.default.title\" . }}}}'",
        *(["summary: '{{ template \"msteams.default.summary\" . }}'"] if kind == "msteams" else []),
        "text: x",
    ]
    with pytest.raises(ConfigError, match="one of webhook_url or webhook_url_file must be configured"):
        section(kind, "{}")
    with pytest.raises(ConfigError, match="at most one of webhook_url & webhook_url_file") as refused:
        section(kind, "{webhook_url: 'http://h/hush', webhook_url_file: f}")
    assert "hush" not in str(refused.value)


def test_the_second_kind_has_the_proxy_of_global_beside_an_http_config_of_its_own() -> None:
    def read(http_config: str) -> MSTeamsV2Config:
        keys = f"{{webhook_url: 'http://h', http_config: {http_config}}}"
        found = section("msteamsv2", keys, global_="{http_config: {proxy_url: 'http://p'}}")
        assert isinstance(found, MSTeamsV2Config)
        return found

    assert read("{enable_http2: false}").http_config.proxy_url == "http://p"
    assert not read("{enable_http2: false}").http_config.enable_http2
    assert read("{proxy_url: 'http://q'}").http_config.proxy_url == "http://q"
    assert read("").http_config.proxy_url == "http://p"
