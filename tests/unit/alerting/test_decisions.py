"""Each decision about a flush leaves the pipeline with its reason."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import pytest

from tests.support.pipelines import PEER_TIMEOUT, PipelineBench
from tests.support.routing import T0, alert, one_route
from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import (
    Claimed,
    Decision,
    Failed,
    GivenUp,
    Muted,
    Needed,
    NotNeeded,
    Overdue,
    Queued,
    Sent,
    TooLate,
    Unsettled,
    Waiting,
    Yielded,
)
from tocsin.alerting.delivery import ATTEMPT_GRACE
from tocsin.alerting.effects import Attempt, FlushFinished, Record
from tocsin.alerting.inhibit import Inhibitor, InhibitRule
from tocsin.alerting.intent import GUARD, Intents, Kind, key_of
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import parse_matchers
from tocsin.alerting.nflog import Receiver
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import SECOND, Nanoseconds

HOUR = 3600 * SECOND
HOOK = Receiver("hook", "webhook", 0)
ROUTE = one_route()


class Silenced:
    """Two silences mute the alerts named ``B``."""

    def mutes(self, labels: Labels, _now: Nanoseconds, /) -> tuple[str, ...]:
        return ("first", "second") if labels.value("alertname") == "B" else ()

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        return self.mutes(labels, now)
        yield


class World(PipelineBench):
    """What it decides comes first, attempts and ends are kept. ``always``: muted by that time interval."""

    def __init__(self, *, always: str = "", **more: Any) -> None:
        super().__init__(route=one_route(mute=(always,)) if always else ROUTE, **more)
        self.attempts: list[Attempt] = []
        self.finished: list[FlushFinished] = []

    def start(self, *alerts: Alert, now: Nanoseconds = T0, key: str = "{}:{}") -> list[Decision]:
        self.pipeline.start(self.flush(*alerts, now=now, key=key), now)
        return self.drain()

    def at(self, now: Nanoseconds) -> list[Decision]:
        self.pipeline.handle_timeout(now)
        return self.drain()

    def drain(self) -> list[Decision]:
        found: list[Decision] = []
        for effect in self.effects(T0):
            match effect:
                case Attempt():
                    self.attempts.append(effect)
                case Record():
                    pass
                case FlushFinished():
                    self.finished.append(effect)
                case decision:
                    found.append(decision)
        return found


def test_a_silenced_alert_is_told_with_the_silences() -> None:
    world = World(silences=Silenced())
    muted, needed = world.start(alert(alertname="A"), alert(alertname="B"))
    assert isinstance(muted, Muted)
    assert (muted.reason, muted.at, muted.integration) == ("silence", T0, None)
    assert [(one.alert.labels.value("alertname"), one.by) for one in muted.alerts] == [
        ("B", ("first", "second"))
    ]
    assert isinstance(needed, Needed)
    assert needed.firing == (alert(alertname="A").labels.hash,)


def test_an_inhibited_alert_is_told_with_the_inhibiting_one_and_the_rule() -> None:
    rules = [
        InhibitRule(source_matchers=parse_matchers("x=y"), target_matchers=parse_matchers("x=z")),
        InhibitRule(
            source_matchers=parse_matchers("severity=critical"),
            target_matchers=parse_matchers("severity=warning"),
            name="by severity",
        ),
    ]
    inhibitor = Inhibitor(rules)
    source = alert(alertname="Down", severity="critical")
    inhibitor.put(source)
    (muted,) = World(inhibitor=inhibitor).start(alert(alertname="Slow", severity="warning"))
    assert isinstance(muted, Muted)
    (one,) = muted.alerts
    assert (muted.reason, one.by) == ("inhibition", (source.labels.fingerprint_text,))
    assert one.inhibition is not None
    assert (one.inhibition.source, one.inhibition.rule.name, one.inhibition.number) == (
        source,
        "by severity",
        1,
    )


def test_a_mute_time_interval_is_told_by_name() -> None:
    world = World(always="always")
    (muted,) = world.start()
    assert isinstance(muted, Muted)
    assert (muted.reason, [one.by for one in muted.alerts]) == ("mute_time_interval", [("always",)])


def test_what_the_cluster_keeps_waiting_is_told_until_when() -> None:
    world = World(settled=False, position=1)
    (held,) = world.start()
    assert isinstance(held, Unsettled)
    assert (held.at, held.until) == (T0, T0 + 300 * SECOND + PEER_TIMEOUT)


def test_the_wait_by_position_is_told() -> None:
    (waiting,) = World(position=2).start()
    assert isinstance(waiting, Waiting)
    assert (waiting.position, waiting.until) == (2, T0 + 2 * PEER_TIMEOUT)


def test_what_the_log_has_is_told_with_the_entry_and_the_next_reminder() -> None:
    world = World()
    one = alert(alertname="A")
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), T0, 0)
    (spared,) = world.start(one, now=T0 + SECOND)
    assert isinstance(spared, NotNeeded)
    assert spared.reason == "already notified"
    assert spared.log.entry == world.log.query(HOOK, "{}:{}")
    assert spared.log.by == "", "the log does not tell"
    assert spared.remind_at == T0 + 4 * HOUR


@pytest.mark.parametrize("told", [False, True], ids=["never notified", "told already"])
def test_why_an_end_is_no_news(told: bool) -> None:
    world = World()
    one = alert(alertname="A", ends_at=T0)
    if told:
        world.log.log(HOOK, "{}:{}", (), (one.labels.hash,), T0 - SECOND, 0)
    (spared,) = world.start(one)
    assert isinstance(spared, NotNeeded)
    assert spared.reason == ("already notified as resolved" if told else "resolved before it was notified")
    assert spared.remind_at is None


def test_an_end_that_is_not_wanted_is_needed_for_the_log_alone() -> None:
    world = World(send_resolved=False)
    one = alert(alertname="A", ends_at=T0)
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), T0 - SECOND, 0)
    needed, spared = world.start(one)
    assert isinstance(needed, Needed)
    assert isinstance(spared, NotNeeded)
    assert (needed.reason, spared.reason) == ("all alerts resolved", "resolved alerts are not sent")
    assert not world.attempts


def test_an_end_that_is_not_wanted_is_not_logged_while_another_node_notifies() -> None:
    """Its entry, written a moment after the other node's and before that one is here, would hide it: the next
    node would find an entry in which nothing fires, and notify again."""
    intents, peer = Intents("b", now=T0), Intents("a", now=T0)
    for each, position, other in ((intents, 1, "a"), (peer, 0, "b")):
        each.members(position, frozenset((other,)), T0 - HOUR)
    world = World(send_resolved=False, intents=intents, position=1)
    one = alert(alertname="A", ends_at=T0)
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), T0 - SECOND, 0)
    (waiting,) = world.start(one)
    assert isinstance(waiting, Waiting)
    lease = peer.sending(None, key_of(HOOK, "{}:{}"), 1, T0 + HOUR, waiting.until)
    for payload in peer.drain():
        intents.receive(payload, waiting.until)
    needed, yielded = world.at(waiting.until)
    assert isinstance(needed, Needed)
    assert isinstance(yielded, Yielded)
    peer.release(lease, waiting.until + SECOND)
    for payload in peer.drain():
        world.pipeline.wake(intents.receive(payload, waiting.until + SECOND), waiting.until + SECOND)
    again, spared = world.at(waiting.until + SECOND)
    assert isinstance(again, Needed)
    assert isinstance(spared, NotNeeded)
    assert spared.reason == "resolved alerts are not sent"
    assert not world.attempts


def test_attempts_are_told_with_their_times_outcomes_and_what_comes_next() -> None:
    world = World(intents=Intents("a", now=T0))
    (needed,) = world.start()
    assert isinstance(needed, Needed)
    assert (needed.reason, needed.again, needed.log.entry) == ("first notification", False, None)
    first = world.attempts[-1]
    assert (first.number, first.at, first.flush) == (1, T0, needed.flush)
    world.pipeline.attempt_failed(first.id, T0 + SECOND, True, "serverError", "status 500")
    (failed,) = world.drain()
    assert isinstance(failed, Failed)
    assert (failed.number, failed.began, failed.at) == (1, T0, T0 + SECOND)
    assert (failed.reason, failed.error) == ("serverError", "status 500")
    assert failed.again_at == world.pipeline.next_timeout()
    assert failed.again_at is not None
    assert world.at(failed.again_at) == []
    second = world.attempts[-1]
    assert second.number == 2
    world.pipeline.attempt_succeeded(second.id, failed.again_at + SECOND)
    (sent,) = world.drain()
    assert isinstance(sent, Sent)
    assert (sent.number, sent.began, sent.at) == (2, failed.again_at, failed.again_at + SECOND)
    again = world.start(now=T0 + 300 * SECOND)[0]
    assert isinstance(again, NotNeeded)
    assert again.log.by == "a", "our own entry"


def test_what_is_given_up_is_told_with_the_reason() -> None:
    world = World()
    world.start()
    world.pipeline.attempt_failed(world.attempts[-1].id, T0, False, "clientError", "status 400")
    failed, given_up = world.drain()
    assert isinstance(failed, Failed)
    assert failed.again_at is None
    assert isinstance(given_up, GivenUp)
    assert (given_up.attempts, given_up.reason, given_up.error) == (1, "clientError", "status 400")


def test_an_attempt_that_nobody_reports_is_told_as_overdue() -> None:
    world = World()
    world.start()
    overdue, given_up = world.at(world.attempts[-1].deadline + ATTEMPT_GRACE)
    assert isinstance(overdue, Overdue)
    assert (overdue.number, overdue.began) == (1, T0)
    assert isinstance(given_up, GivenUp)
    assert given_up.reason == "contextDeadlineExceeded"


def test_whoever_waits_for_room_is_told_so() -> None:
    world = World(max_attempts=1)
    world.start(key="1")
    needed, queued = world.start(key="2")
    assert isinstance(needed, Needed)
    assert isinstance(queued, Queued)
    assert (queued.flush.group_key, queued.under_way) == ("2", 1)


def test_a_turn_that_comes_too_late_is_told_so() -> None:
    world = World(position=1)
    world.start()
    world.pipeline.position = 0
    late = T0 + HOUR
    (decision,) = world.at(late)
    assert isinstance(decision, TooLate)
    assert decision.at == late > decision.deadline
    assert not world.finished[-1].success


def test_an_intent_that_goes_first_is_told_by_its_peer_and_so_is_who_has_notified() -> None:
    intents, peer = Intents("b", now=T0), Intents("a", now=T0)
    for one, position, other in ((intents, 1, "a"), (peer, 0, "b")):
        one.members(position, frozenset((other,)), T0 - HOUR)
    world = World(intents=intents, position=1)
    (waiting,) = world.start()
    assert isinstance(waiting, Waiting)
    assert waiting.until == T0 + PEER_TIMEOUT - GUARD
    flush = world.flush()
    lease = peer.sending(None, key_of(HOOK, flush.group_key), 1, T0 + HOUR, waiting.until)
    for payload in peer.drain():
        intents.receive(payload, waiting.until)
    needed, yielded = world.at(waiting.until)
    assert isinstance(needed, Needed)
    assert isinstance(yielded, Yielded)
    assert (yielded.peer, yielded.intent, yielded.at) == ("a", Kind.SENDING, waiting.until)
    stamp = waiting.until + SECOND
    peer.done(lease, stamp, stamp)
    for payload in peer.drain():
        world.pipeline.wake(intents.receive(payload, stamp), stamp)
    world.log.log(HOOK, flush.group_key, (flush.alerts[0].labels.hash,), (), stamp, 0)
    (spared,) = world.at(stamp)
    assert isinstance(spared, NotNeeded)
    assert (spared.reason, spared.log.by) == ("already notified", "a")


def test_a_claim_is_told_with_the_time_until_which_it_listens() -> None:
    intents = Intents("a", now=T0)
    intents.members(0, frozenset("b"), T0)
    needed, claimed = World(intents=intents).start()
    assert isinstance(needed, Needed)
    assert isinstance(claimed, Claimed)
    assert claimed.until == T0 + GUARD


def test_what_a_peer_has_told_meanwhile_is_compared_anew() -> None:
    """The group is looked at again, and what is muted by then is told of that integration alone."""
    one, two = alert(alertname="A"), alert(alertname="B")
    world = World(silences=Silenced(), position=1, current=lambda _flush, _now: (one, two))
    world.start(one)
    world.log.log(HOOK, "{}:{}", (1,), (), T0 + SECOND, 0)
    muted, needed = world.at(T0 + PEER_TIMEOUT)
    assert isinstance(muted, Muted)
    assert str(muted.integration) == "hook/webhook[0]"
    assert isinstance(needed, Needed)
    assert world.pipeline.statistics.suppressed == {}, "counted with the flush alone, as Alertmanager counts"


def test_each_decision_says_when_and_about_which_flush() -> None:
    kinds = get_args(Decision)
    assert len(kinds) == 14
    for kind in kinds:
        assert {"flush", "at"} <= {field.name for field in fields(kind)}, kind
