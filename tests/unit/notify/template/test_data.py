"""The data of a notification is what Alertmanager gives to templates."""

from __future__ import annotations

import pytest

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.notification import Notification
from tocsin.alerting.timestamp import SECOND
from tocsin.notify.template import Field, data_from_json, data_of, load_templates

NOW = 1_790_000_000 * SECOND


def alert(ends_at: int = 0, **labels: str) -> Alert:
    return Alert(
        Labels({"alertname": "Up", **labels}),
        Labels({"summary": "s", "only": labels.get("only", "")}),
        starts_at=NOW,
        ends_at=ends_at,
        generator_url="http://p/",
    )


def told(*alerts: Alert, receiver: str = "a.b") -> Notification:
    return Notification(
        receiver=receiver,
        group_key="{}",
        group_labels=Labels({"alertname": "Up"}),
        alerts=alerts,
        now=NOW,
        reason="first notification",
    )


def shown(text: str, notification: Notification) -> str:
    data = data_of(notification, "http://am", route_labels={"team": "x"})
    return load_templates([]).text(Field("f", text), data)


def test_what_a_notification_tells() -> None:
    notification = told(alert(a="1", b="2"), alert(NOW - 1, a="1", b="3", only="here"))
    for text, want in {
        "{{ .Receiver }}": "a\\.b",
        "{{ .Status }} {{ len .Alerts.Firing }} {{ len .Alerts.Resolved }}": "firing 1 1",
        "{{ .CommonLabels }} {{ .CommonAnnotations }}": "alertname=Up, a=1 summary=s",
        "{{ .GroupLabels }}": "alertname=Up",
        "{{ .ExternalURL }} {{ .NotificationReason }}": "http://am first notification",
        "{{ .RouteLabels }}": "team=x",
        "{{ (index .Alerts 0).StartsAt }}": "2026-09-21 14:13:20 +0000 UTC",
        "{{ (index .Alerts 0).EndsAt.IsZero }} {{ if (index .Alerts 0).EndsAt }}true{{ end }}": "true true",
        "{{ (index .Alerts 0).Fingerprint }}": alert(a="1", b="2").labels.fingerprint_text,
        '{{ printf "%T" . }}': "*template.Data",
    }.items():
        assert shown(text, notification) == want, text
    assert shown("{{ .Status }}{{ .CommonLabels }}", told()) == "resolved"


def test_the_webhooks_own_body_and_to_json_say_the_same() -> None:
    body = shown("{{ toJson . }}", told(alert()))
    assert body.startswith(
        '{"receiver":"a\\\\.b","status":"firing","alerts":[{"status":"firing","labels":{"alertname"'
    )
    assert '"endsAt":"0001-01-01T00:00:00Z"' in body
    assert body.endswith('"routeLabels":{"team":"x"},"externalURL":"http://am"}')


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"status": 1}, "status"),
        ({"alerts": {}}, "alerts"),
        ({"alerts": [{"labels": []}]}, "labels"),
        ({"groupLabels": {"a": 1}}, "groupLabels: a"),
        ({"alerts": [{"startsAt": "now"}]}, "startsAt"),
        ({"alerts": ["x"]}, "object"),
    ],
)
def test_data_of_another_shape_is_refused_by_key(wrong: dict[str, object], key: str) -> None:
    with pytest.raises(ValueError, match=key):
        data_from_json(wrong)
