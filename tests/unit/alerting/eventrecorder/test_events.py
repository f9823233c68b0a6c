"""Each kind of event, as Alertmanager's event recorder writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import Decision, LogAnswer, Muted, MutedAlert, Needed, Sent
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.eventrecorder import events, schema
from tocsin.alerting.eventrecorder.events import Events, FlowEvents
from tocsin.alerting.group import Flush
from tocsin.alerting.inhibit import Inhibition, InhibitRule
from tocsin.alerting.integration import Integration
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import LATEST, SECOND

ROUTE = one_route()
HOOK = Integration("hook", "webhook", 0, True)
QUIET = Integration("hook", "webhook", 1, False)
T1 = T0 + SECOND
TIME0, TIME1 = "2027-01-15T08:00:00Z", "2027-01-15T08:00:01Z"
NEVER = "0001-01-01T00:00:00Z"
A, B, C = alert(alertname="A", annotations={"s": "é"}), alert(alertname="B"), alert(alertname="C", x="")
ENDED = alert(alertname="E", ends_at=T0)
SILENCE = Silence(
    id="one",
    matcher_sets=(parse_matchers('{a="b", c!~"d"}'), parse_matchers('{e!="f"}')),
    starts_at=T0,
    ends_at=T0 + 1_500_000,
    updated_at=T0,
    created_by="me",
    comment="",
    annotations=Labels({"not": "told"}),
)


def flush(*alerts: Alert) -> Flush:
    return Flush(
        group_key="{}:{g}",
        route_id=ROUTE.id,
        group_labels=Labels({"g": "1"}),
        options=ROUTE.options,
        alerts=alerts,
        now=T0,
        deadline=T0 + SECOND,
        born=T0,
        number=3,
    )


def follower(**bounds: int) -> FlowEvents:
    return FlowEvents(one_receiver(ROUTE), {"one": SILENCE}.get, "here", **bounds)


def told(found: Iterable[Events]) -> list[tuple[str, Any]]:
    """Each kind, and its data as a reader gets it."""
    return [(some.kind, json.loads(schema.encode(some.make(*one)))) for some in found for one in some.each]


def needed(of: Flush, to: Integration, *firing: Alert, resolved: tuple[Alert, ...] = ()) -> Needed:
    return Needed(
        of,
        to,
        T0,
        "new alerts added",
        LogAnswer(None),
        tuple(each.labels.hash for each in firing),
        tuple(each.labels.hash for each in resolved),
        again=False,
    )


def hashes(*alerts: Alert) -> list[dict[str, str]]:
    return [{"hash": str(each.labels.hash)} for each in alerts]


def test_the_envelope() -> None:
    event = events.started("0.34.1", "(tocsin)")
    data = event.make(*event.each[0])
    whole = schema.envelope(event.kind, data, at=T1 + 5_000, instance="here", position=2)
    assert whole == {
        "@timestamp": "2027-01-15T08:00:01.000005Z",
        "instance": "here",
        "data": {"alertmanagerStartupEvent": {"version": "0.34.1", "buildContext": "(tocsin)"}},
        "clusterPosition": 2,
    }
    stop = events.stopped()
    whole = schema.envelope(stop.kind, stop.make(), at=T0, instance="here", position=0)
    assert whole == {"@timestamp": TIME0, "instance": "here", "data": {"alertmanagerShutdownEvent": {}}}


def test_an_alert_was_created() -> None:
    ((kind, data),) = told([events.created([A], T0)])
    assert kind == "alert_created"
    assert data == {
        "alert": {
            "fingerprint": str(A.fingerprint),
            "name": "A",
            "labels": {"labels": [{"key": "alertname", "value": "A"}]},
            "annotations": {"labels": [{"key": "s", "value": "é"}]},
            "startsAt": TIME0,
            "endsAt": NEVER,
        }
    }
    ((_, ended),) = told([events.created([ENDED], T1)])
    assert (ended["alert"]["endsAt"], ended["alert"]["resolved"]) == (TIME0, True)
    assert ended["alert"]["annotations"] == {}


def test_an_alert_came_into_its_groups_at_each_report() -> None:
    dispatcher = Dispatcher(ROUTE, now=T0)
    for _ in range(2):
        dispatcher.insert(A, T0)
        ((kind, data),) = told([events.inserted([A], dispatcher, T0)])
        assert (kind, data["alert"]["hash"]) == ("alert_grouped", str(A.labels.hash))
        assert data["groupInfo"] == {
            "groupKey": '{}:{alertname="A"}',
            "groupLabels": {"labels": [{"key": "alertname", "value": "A"}]},
            "groupId": "ad4b39d3af6c5f089ddb8504a474cd124febe3ef322f263d58074fb0c51dc572",
            "receiverName": "hook",
        }
    assert not events.inserted([B], dispatcher, T0).each


def test_a_silence_was_created_or_updated_and_nothing_is_told_of_its_end() -> None:
    ((kind, data),) = told(events.silence_changed("create", SILENCE))
    assert kind == "silence_created"
    first = [
        {"type": "TYPE_EQUAL", "name": "a", "pattern": "b", "rendered": 'a="b"'},
        {"type": "TYPE_NOT_REGEXP", "name": "c", "pattern": "d", "rendered": 'c!~"d"'},
    ]
    second = [{"type": "TYPE_NOT_EQUAL", "name": "e", "pattern": "f", "rendered": 'e!="f"'}]
    assert data == {
        "silence": {
            "id": "one",
            "matchers": first,
            "startsAt": TIME0,
            "endsAt": "2027-01-15T08:00:00.001500Z",
            "updatedAt": TIME0,
            "createdBy": "me",
            "matcherSets": [{"matchers": first}, {"matchers": second}],
        }
    }
    assert told(events.silence_changed("update", SILENCE)) == [("silence_updated", data)]
    assert not list(events.silence_changed("expire", SILENCE))


def test_a_notification_its_muted_alerts_and_what_had_ended() -> None:
    rule = InhibitRule(
        source_matchers=parse_matchers('{s="1"}'),
        target_matchers=parse_matchers('{t=~"2"}'),
        equal=("z", "b"),
        name="r",
    )
    of, flow = flush(A, B, C, ENDED), follower()
    decided: list[Decision | FlushFinished] = [
        Muted(of, T0, "inhibition", (MutedAlert(B, ("ff",), Inhibition(A, rule, 0)),)),
        Muted(of, T0, "silence", (MutedAlert(C, ("one", "gone"), None),)),
        needed(of, HOOK, A, resolved=(ENDED,)),
        needed(of, QUIET, A, resolved=(ENDED,)),
        Sent(of, HOOK, T1, 1, T0),
        Sent(of, QUIET, T1, 1, T0),
        FlushFinished(of, True, ""),
    ]
    found = told(flow.take(decided, T1))
    assert [kind for kind, _ in found] == [
        "inhibition_muted_alert",
        "silence_muted_alert",
        "notification",
        "notification",
        "alert_resolved",
    ]
    (_, inhibited), (_, silenced), (_, first), (_, second), (_, resolved) = found
    assert inhibited == {
        "inhibitRules": [
            {
                "sourceMatchers": [{"type": "TYPE_EQUAL", "name": "s", "pattern": "1", "rendered": 's="1"'}],
                "targetMatchers": [
                    {"type": "TYPE_REGEXP", "name": "t", "pattern": "2", "rendered": 't=~"2"'}
                ],
                "equalLabels": ["b", "z"],
                "name": "r",
            }
        ],
        "mutedAlert": {
            "labels": {"labels": [{"key": "alertname", "value": "B"}]},
            "fingerprint": str(B.fingerprint),
        },
        "inhibitingFingerprints": [str(A.fingerprint)],
    }
    assert (silenced["silence"]["id"], silenced["mutedAlert"]["fingerprint"]) == ("one", str(C.fingerprint))
    assert silenced["mutedAlert"]["labels"]["labels"][1] == {"key": "x"}
    assert [each["details"]["name"] for each in first["alerts"]] == ["A", "E"]
    assert (first["firingAlerts"], first["resolvedAlerts"]) == (hashes(A), hashes(ENDED))
    assert first["mutedAlerts"] == hashes(B, C)
    assert (first["repeatInterval"], first["flushId"]) == ("14400s", "3")
    assert first["reason"] == "NOTIFY_REASON_NEW_ALERTS_IN_GROUP"
    assert first["integration"] == {"name": "webhook"}
    assert second["integration"] == {"name": "webhook", "index": "1"}
    assert [each["details"]["name"] for each in second["alerts"]] == ["A"]
    assert second["groupInfo"]["groupUuid"] == first["groupInfo"]["groupUuid"]
    assert resolved["alert"]["details"]["resolved"] is True
    assert resolved["groupInfo"] == {
        name: value for name, value in first["groupInfo"].items() if name not in ("matchers", "groupUuid")
    }
    assert len(flow) == 0


def test_what_came_into_the_group_meanwhile_is_told_by_its_hash() -> None:
    of, flow = flush(A), follower()
    ((_, data),) = told(flow.take([needed(of, HOOK, A, B), Sent(of, HOOK, T1, 1, T0)], T1))
    assert data["alerts"][1:] == hashes(B)
    assert "resolvedAlerts" not in data


def test_a_flush_that_failed_resolves_nothing_and_time_intervals_are_no_event() -> None:
    of, flow = flush(ENDED), follower()
    muted = Muted(of, T0, "mute_time_interval", (MutedAlert(ENDED, ("night",)),))
    assert not told(flow.take([muted, FlushFinished(of, False, "no")], T1))
    again = Muted(of, T0, "silence", (MutedAlert(ENDED, ("one",)),), integration=HOOK)
    assert not told(flow.take([again], T1))


def test_flushes_past_the_bound_are_forgotten_and_counted() -> None:
    flow = follower(max_open=2)
    flushes = [flush(A) for _ in range(3)]
    assert not told(flow.take([needed(each, HOOK, A) for each in flushes], T0))
    assert (len(flow), flow.take_forgotten(), flow.take_forgotten()) == (2, 1, 0)
    ((_, data),) = told(flow.take([Sent(flushes[0], HOOK, T1, 1, T0)], T1))
    assert "reason" not in data


@pytest.mark.parametrize("at", [LATEST + 1, -(10**20)])
def test_an_instant_that_has_no_text_is_an_error(at: int) -> None:
    with pytest.raises(ValueError, match="outside the years"):
        told([events.created([alert(alertname="A", starts_at=at)], T0)])


def test_text_that_is_not_unicode_is_an_error() -> None:
    for long in (False, True):
        with pytest.raises(ValueError, match="surrogates"):
            schema.encode({"a": "\ud800"}, many=long)


def test_a_long_event_is_the_same() -> None:
    message = {"a": {"many": [{"b": "é\n", "c": True, "d": 1}] * 256}, "e": {}, "f": [1], "g": 'h"'}
    assert schema.encode(message, many=True) == schema.encode(message)
    assert (schema.is_long(range(256)), schema.is_long(range(255))) == (True, False)


def test_the_id_of_a_group_is_alertmanagers() -> None:
    found = schema.group('{}/{sev=~"a|b"}:{alertname="A"}', Labels(), "r")["groupId"]
    assert found == "78d12b7969179da3cd93be646bdb6c519cc0effbdfa15d2a7d826318c7644116"


def test_spans() -> None:
    assert [schema.span(each) for each in (0, SECOND, 1_500_000, 1, 10_000)] == [
        "0s",
        "1s",
        "0.001500s",
        "0.000000001s",
        "0.000010s",
    ]
