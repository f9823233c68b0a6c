"""What the pipeline decides about a flush is in its record: here the real pipeline decides."""

from __future__ import annotations

from functools import partial
from itertools import count

import pytest

from tests.support.pipelines import PEER_TIMEOUT
from tests.support.recorded import RecordedPipeline
from tests.support.routing import T0, alert, one_route
from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import Sent
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.inhibit import Inhibitor, InhibitRule
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.nflog import Entry, Receiver, codec
from tocsin.alerting.record import making, recorder
from tocsin.alerting.record.codec import decode, encode
from tocsin.alerting.record.model import AttemptRecord, FlushRecord, LogRecord, MuteRecord
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import SECOND, Nanoseconds

A, B = alert(alertname="A"), alert(alertname="B")


class SilenceOfB:
    def mutes(self, labels: Labels, _now: Nanoseconds, /) -> tuple[str, ...]:
        return ("first", "second") if labels.value("alertname") == "B" else ()

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        return self.mutes(labels, now)
        yield


def logged(at: Nanoseconds, *alerts: Alert) -> Entry:
    hashes = tuple(each.labels.hash for each in alerts)
    return codec.encode(
        Entry(b"{}:{}", Receiver("hook", "webhook", 0), at, hashes, (), at + 3600 * 120 * SECOND)
    )


def test_a_notification_that_was_sent() -> None:
    world = RecordedPipeline()
    world.start(A, B)
    world.succeed(T0 + SECOND)
    found = world.last
    assert (found.group_key, found.receiver, found.node, found.began) == ("{}:{}", "hook", "here", T0)
    assert found.next_flush == T0 + world.route.options.group_interval
    assert [dict(each.labels)["alertname"] for each in found.alerts] == ["A", "B"]
    assert (found.ended, found.success, found.error) == (T0 + SECOND, True, "")
    (delivery,) = found.deliveries
    assert (delivery.name, delivery.outcome, delivery.reason) == (
        "hook/webhook[0]",
        "sent",
        "first notification",
    )
    assert (delivery.firing, delivery.resolved, delivery.log) == (2, 0, None)
    assert delivery.attempts == (AttemptRecord(number=1, began=T0, ended=T0 + SECOND, outcome="sent"),)


def test_it_is_told_before_the_flush_has_ended_too() -> None:
    world = RecordedPipeline(hooks=2)
    world.start(A)
    assert (world.told, len(world.recorder)) == ([], 1)
    (open_one,) = world.under_way()
    assert (open_one.ended, open_one.deliveries[0].outcome) == (None, "under way")
    world.succeed(T0 + SECOND, attempt=0)
    (first,) = world.told
    assert (first.ended, [each.outcome for each in first.deliveries]) == (None, ["sent", "under way"])
    world.succeed(T0 + 2 * SECOND, attempt=1)
    second = world.last
    assert (second.ended, second.deliveries[0]) == (T0 + 2 * SECOND, first.deliveries[0])
    assert (world.under_way(), len(world.recorder)) == ([], 0)


def test_an_end_that_ends_the_flush_is_told_once() -> None:
    world = RecordedPipeline()
    world.start(A)
    world.succeed(T0 + SECOND)
    assert [each.ended for each in world.told] == [T0 + SECOND]


def test_what_was_told_stays_as_it_was_and_later_records_keep_its_number() -> None:
    world = RecordedPipeline(hooks=2)
    world.start(A)
    world.start(A, key="other")
    sent = [Sent(each.flush, each.integration, T0, 1, T0) for each in world.attempts[:2]]
    (first,) = world.recorder.take(sent[:1], T0)
    made = first.record()
    (second,) = world.recorder.take([sent[1], FlushFinished(sent[0].flush, True, "")], T0 + SECOND)
    assert (first.record(), second.number) == (made, first.number)
    assert [each.outcome for each in second.record().deliveries] == ["sent", "sent"]


def test_silences_are_told_by_id() -> None:
    world = RecordedPipeline(silences=SilenceOfB())
    world.start(A, B)
    world.succeed(T0)
    assert world.last.muted == (
        MuteRecord(reason="silence", at=T0, alerts=(B.fingerprint,), by=("first", "second")),
    )
    assert world.last.deliveries[0].firing == 1


def test_inhibition_is_told_with_source_and_rule() -> None:
    rule = InhibitRule(
        source_matchers=parse_matchers("severity=critical"),
        target_matchers=parse_matchers("severity=warning"),
        name="by severity",
    )
    inhibitor = Inhibitor([rule])
    source = alert(alertname="Down", severity="critical")
    inhibitor.put(source)
    slow = alert(alertname="Slow", severity="warning")
    world = RecordedPipeline(inhibitor=inhibitor)
    world.start(slow)
    (mute,) = world.last.muted
    assert (mute.reason, mute.alerts, mute.by) == (
        "inhibition",
        (slow.fingerprint,),
        (source.labels.fingerprint_text,),
    )
    assert (mute.rule, mute.rule_name, mute.source) == (0, "by severity", source.labels.pairs)
    assert (world.last.deliveries, world.last.success) == ((), True)


def test_time_intervals_are_told_by_name() -> None:
    world = RecordedPipeline(route=one_route(mute=("always",)))
    world.start(A)
    (mute,) = world.last.muted
    assert (mute.reason, mute.by) == ("mute_time_interval", ("always",))


def test_the_waits_for_cluster_and_position() -> None:
    world = RecordedPipeline(settled=False, position=2)
    world.start(A)
    (found,) = world.under_way()
    assert found.unsettled_until is not None
    world.pipeline.settled(T0 + SECOND)
    world.at(T0 + SECOND)
    (found,) = world.under_way()
    (delivery,) = found.deliveries
    assert (delivery.position, delivery.wait_until) == (2, T0 + SECOND + 2 * PEER_TIMEOUT)


def test_what_a_peer_sent_is_told_from_the_log() -> None:
    world = RecordedPipeline(position=1)
    world.start(A)
    world.merge(logged(T0 + SECOND, A), T0 + SECOND)
    world.at(T0 + PEER_TIMEOUT)
    (delivery,) = world.last.deliveries
    assert (delivery.outcome, delivery.reason) == ("not needed", "already notified")
    assert delivery.log == LogRecord(notified_at=T0 + SECOND, firing=1, resolved=0)
    assert delivery.remind_at is not None
    assert delivery.remind_at >= T0 + world.route.options.repeat_interval


def test_failures_and_what_comes_next() -> None:
    world = RecordedPipeline()
    world.start(A)
    world.fail(T0 + SECOND, "unexpected status code 503: try later")
    (found,) = world.under_way()
    (failed,) = found.deliveries[0].attempts
    assert (failed.outcome, failed.reason, failed.error) == (
        "failed",
        "serverError",
        "unexpected status code 503: try later",
    )
    assert failed.again_at is not None
    world.at(failed.again_at)
    world.succeed(failed.again_at + SECOND)
    (delivery,) = world.last.deliveries
    assert [each.outcome for each in delivery.attempts] == ["failed", "sent"]
    assert delivery.outcome == "sent"


def test_what_cannot_be_mended_is_given_up() -> None:
    world = RecordedPipeline()
    world.start(A)
    world.fail(T0, "x" * 2000, retry=False, reason="clientError")
    (delivery,) = world.last.deliveries
    assert (delivery.outcome, delivery.reason, len(delivery.error)) == (
        "given up",
        "clientError",
        making.MAX_TEXT,
    )
    assert not world.last.success
    assert len(world.last.error) <= making.MAX_TEXT


def test_a_flush_with_more_alerts_than_are_kept() -> None:
    many = [alert(alertname="A", number=str(number)) for number in range(making.MAX_ALERTS + 5)]
    world = RecordedPipeline()
    world.start(*many)
    world.succeed(T0)
    found = world.last
    assert (len(found.alerts), found.alerts_left_out) == (making.MAX_ALERTS, 5)
    assert all(each.labels for each in found.alerts[: making.MAX_LABELLED])
    assert not any(each.labels for each in found.alerts[making.MAX_LABELLED :])
    assert found.deliveries[0].firing == len(many)
    data = encode(found)
    assert len(data) < 200_000
    assert decode(data) == found


def test_labels_that_are_too_large_are_told_by_their_fingerprint() -> None:
    large = alert(alertname="A", text="x" * making.MAX_LABEL_BYTES)
    world = RecordedPipeline()
    world.start(large)
    (one,) = world.under_way()[0].alerts
    assert (one.fingerprint, one.labels) == (large.fingerprint, ())


def test_of_many_attempts_the_first_and_the_last_ones_are_kept() -> None:
    world = RecordedPipeline(route=one_route(group_interval=3600 * SECOND))
    now = T0
    world.start(A)
    for _ in range(making.MAX_ATTEMPTS + 3):
        world.fail(now, "no")
        now = world.under_way()[0].deliveries[0].attempts[-1].again_at or 0
        world.at(now)
    (delivery,) = world.under_way()[0].deliveries
    numbers = [each.number for each in delivery.attempts]
    assert numbers == [1, *range(5, making.MAX_ATTEMPTS + 4)]
    assert delivery.attempts_left_out == 3


def test_of_many_decisions_a_record_is_made_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(world: RecordedPipeline) -> FlushRecord:
        now = T0
        world.start(A)
        for _ in range(8):
            world.fail(now, "no")
            now = world.under_way()[0].deliveries[0].attempts[-1].again_at or 0
            world.at(now)
        world.succeed(now)
        return world.last

    whole = tried(RecordedPipeline(route=one_route(group_interval=3600 * SECOND)))
    monkeypatch.setattr(recorder, "MAX_DECISIONS", 3)
    assert tried(RecordedPipeline(route=one_route(group_interval=3600 * SECOND))) == whole


def test_flushes_past_the_bound_are_not_followed() -> None:
    world = RecordedPipeline()
    world.recorder = recorder.Recorder(number=partial(next, count(1)), max_open=2)
    for key in ("a", "b", "c"):
        world.start(A, key=key)
    assert [each.group_key for each in world.under_way()] == ["b", "c"]
    assert world.recorder.take_forgotten() == 1
