"""The webhook's body, and all that leads to it, are those of the real Alertmanager (see data/README.md)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.alerting import AlertingNode, AlertingWorld
from tests.support.amounts import many
from tests.support.routing import T0, alert, route_config
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType
from tocsin.alerting.notification import Notification
from tocsin.alerting.route import RouteConfig, build_route
from tocsin.alerting.timestamp import MILLISECOND, SECOND, ZERO, Nanoseconds, parse_rfc3339
from tocsin.node.config.alertmanager import AlertmanagerConfig
from tocsin.node.config.receivers import ReceiverConfig
from tocsin.notify.integrations.webhook import WebhookConfig, webhook_payload

CAPTURE: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "webhook-0.33.1.json").read_text())
ODD_NAME = 'odd name.*<&>"ü'

# What data/webhook-0.33.1.yml says.
CONFIG = AlertmanagerConfig(
    route=build_route(
        route_config(
            "",
            route_config('severity="page"', receiver=ODD_NAME, continue_=True),
            route_config(
                'team=~"a|b",severity!="x"',
                RouteConfig(
                    receiver="all",
                    group_by_all=True,
                    matchers=(
                        Matcher(MatchType.EQUAL, "deep", "yes"),
                        Matcher(MatchType.REGEXP, "z", "^(?:.+)$"),
                    ),
                ),
                receiver="limited",
                group_by=("team", "missing"),
            ),
            route_config('team="firing-only"', receiver="firing-only"),
            receiver="default",
            group_by=("alertname",),
            group_wait=2 * SECOND,
            group_interval=4 * SECOND,
        )
    ),
    receivers=(
        ReceiverConfig.of("default", integrations=(WebhookConfig(url="/default"),)),
        ReceiverConfig.of(ODD_NAME, integrations=(WebhookConfig(url="/odd"),)),
        ReceiverConfig.of(
            "limited",
            integrations=(
                WebhookConfig(url="/limited-2", max_alerts=2),
                WebhookConfig(url="/limited-1", max_alerts=1),
            ),
        ),
        ReceiverConfig.of("all", integrations=(WebhookConfig(url="/all"),)),
        ReceiverConfig.of(
            "firing-only", integrations=(WebhookConfig(url="/firing-only", send_resolved=False),)
        ),
    ),
)


def _posted(described: dict[str, Any], now: Nanoseconds) -> Alert:
    """As the API takes it in: without an end it lasts for the resolve timeout."""
    return Alert(
        labels=Labels(described["labels"]),
        annotations=Labels(described.get("annotations", {})),
        starts_at=parse_rfc3339(described["startsAt"]),
        ends_at=parse_rfc3339(described["endsAt"]) if "endsAt" in described else now + 300 * SECOND,
        timeout="endsAt" not in described,
        generator_url=described.get("generatorURL", ""),
    )


def _replay() -> AlertingWorld:
    """Post the captured alerts to a node of ours at the times at which Alertmanager got them."""
    world = AlertingWorld(CONFIG, now=parse_rfc3339("2026-11-24T02:12:00Z"))
    for step in CAPTURE["steps"]:
        if "sleep" in step:
            world.run(int(step["sleep"] * SECOND))
        else:
            world.post(*(_posted(described, world.now) for described in step["post"]))
            world.run(150 * MILLISECOND)
    world.run(2500 * MILLISECOND)
    return world


def test_the_captured_alerts_give_the_captured_bodies() -> None:
    sent: list[tuple[str, str]] = []
    for report in _replay().sent:
        config = report.attempt.integration.config
        assert isinstance(config, WebhookConfig)
        body = webhook_payload(report.attempt.notification, CAPTURE["external_url"], config.max_alerts)
        sent.append((config.url, body.decode()))
    captured = [(one["path"], one["body"]) for one in CAPTURE["notifications"]]
    assert len(captured) == 16
    assert Counter(sent) == Counter(captured)
    # Alertmanager's integrations and groups race each other; what one path got of one group is in order.
    by_path = [
        [body for path, body in bodies if path == "/default" and "Old" in body] for bodies in (sent, captured)
    ]
    assert by_path[0] == by_path[1]
    assert len(by_path[0]) == 2, "firing, then resolved"


def test_groups_and_their_alerts_are_listed_in_alertmanagers_order() -> None:
    (node,) = _replay().nodes.values()
    assert isinstance(node, AlertingNode)
    groups = [
        {
            "receiver": group.receiver,
            "labels": dict(group.labels),
            "fingerprints": [alert.labels.fingerprint_text for alert in group.alerts],
        }
        for group in node.dispatcher.groups()
    ]
    assert groups == CAPTURE["groups"]


def _notification(*alerts: Alert, receiver: str = "r") -> Notification:
    return Notification(
        receiver=receiver,
        group_key="{}:{}",
        group_labels=Labels(),
        alerts=alerts,
        now=T0,
        reason="first notification",
    )


def test_what_is_cut_off_counts_neither_for_the_status_nor_for_what_is_common() -> None:
    resolved = alert(a="1", b="1", ends_at=T0)
    firing = alert(a="1", b="2")
    whole = json.loads(webhook_payload(_notification(resolved, firing), ""))
    cut = json.loads(webhook_payload(_notification(resolved, firing), "", 1))
    assert (whole["status"], whole["commonLabels"], whole["truncatedAlerts"]) == ("firing", {"a": "1"}, 0)
    assert (cut["status"], cut["commonLabels"], cut["truncatedAlerts"]) == (
        "resolved",
        {"a": "1", "b": "1"},
        1,
    )
    assert webhook_payload(_notification(firing), "", 1) == webhook_payload(_notification(firing), "", 0)


_text = st.text(st.characters(codec="utf-8"), max_size=8)


@settings(max_examples=many(100))
@given(
    st.dictionaries(_text.filter(bool), _text, min_size=1), st.dictionaries(_text.filter(bool), _text), _text
)
def test_any_text_survives_and_is_safe_within_html(
    labels: dict[str, str], annotations: dict[str, str], receiver: str
) -> None:
    body = webhook_payload(
        _notification(Alert(Labels(labels), Labels(annotations), T0, ZERO), receiver=receiver),
        "http://x/?a&b",
    )
    assert body.endswith(b"}\n")
    assert not set("<>&\u2028\u2029") & set(body.decode())
    message = json.loads(body)
    assert message["alerts"][0]["labels"] == message["commonLabels"] == labels
    assert message["alerts"][0]["annotations"] == message["commonAnnotations"] == annotations
    assert message["externalURL"] == "http://x/?a&b"
    assert list(message["commonLabels"]) == sorted(labels, key=str.encode)
