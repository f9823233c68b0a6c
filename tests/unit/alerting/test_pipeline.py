"""The pipeline: a flush on its way through the stages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.pipelines import PEER_TIMEOUT, PipelineBench
from tests.support.routing import T0, alert, one_route
from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import Decision, Muted
from tocsin.alerting.delivery import ATTEMPT_GRACE
from tocsin.alerting.effects import Attempt, FlushFinished, PipelineEffect, Record
from tocsin.alerting.inhibit import Inhibition, InhibitRule
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import Receiver
from tocsin.alerting.pipeline import BATCH, MAX_WAITED_FOR
from tocsin.alerting.steps import Steps
from tocsin.alerting.timeinterval import TimeInterval, TimeRange, parse_year_range
from tocsin.alerting.timestamp import SECOND, Nanoseconds

HOOK = Receiver("hook", "webhook", 0)
NEVER = TimeInterval(years=(parse_year_range("1999"),))
ALWAYS = TimeInterval()
SOURCE = alert(alertname="Source")
RULE = InhibitRule(source_matchers=(), target_matchers=())


class Mutes:
    """Mutes the alerts with the label ``muted`` of that value."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.asked: list[Nanoseconds] = []

    def mutes(self, labels: Labels, now: Nanoseconds, /) -> tuple[str, ...]:
        self.asked.append(now)
        return ("by",) if labels.value("muted") == self.value else ()

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        return self.mutes(labels, now)
        yield

    def inhibition(self, labels: Labels, now: Nanoseconds, /) -> Inhibition | None:
        return Inhibition(SOURCE, RULE, 3) if self.mutes(labels, now) else None


class World(PipelineBench):
    """With silences and an inhibitor; what it decides is kept."""

    def __init__(self, **more: Any) -> None:
        self.silences, self.inhibitor = Mutes("silence"), Mutes("inhibition")
        super().__init__(silences=self.silences, inhibitor=self.inhibitor, **more)
        self.decisions: list[Decision] = []

    def drain(self) -> list[PipelineEffect]:
        """What is to be done, and what is muted, after the log was written; other decisions are kept."""
        effects: list[PipelineEffect] = []
        for effect in self.effects(T0):
            if isinstance(effect, (Attempt, Record, FlushFinished)):
                effects.append(effect)
                continue
            self.decisions.append(effect)
            if isinstance(effect, Muted):
                effects.append(effect)
        return effects

    def start(self, *alerts: Alert, now: Nanoseconds = T0, key: str = "{}:{}") -> list[PipelineEffect]:
        self.pipeline.start(self.flush(*alerts, now=now, key=key), now)
        return self.drain()

    def at(self, now: Nanoseconds) -> list[PipelineEffect]:
        self.pipeline.handle_timeout(now)
        return self.drain()

    def run_until_effects(self) -> tuple[Nanoseconds, list[PipelineEffect]]:
        """Let time pass until something is to be done."""
        while (now := self.pipeline.next_timeout()) is not None:
            effects = self.at(now)
            if effects:
                return now, effects
        raise AssertionError("nothing will ever happen")


def _attempt(effects: list[PipelineEffect]) -> Attempt:
    (attempt,) = effects
    assert isinstance(attempt, Attempt)
    return attempt


def _muted(effect: PipelineEffect) -> tuple[str, int]:
    assert isinstance(effect, Muted)
    return effect.reason, len(effect.alerts)


def _finished(effects: list[PipelineEffect]) -> FlushFinished:
    finished = effects[-1]
    assert isinstance(finished, FlushFinished)
    return finished


def test_a_fault_while_finding_out_what_is_muted_ends_that_flush_alone() -> None:
    world = World()
    other, bad = alert(alertname="A"), alert(alertname="B", muted="badly")
    mutes = world.silences.mutes

    def fails(labels: Labels, now: Nanoseconds, /) -> tuple[str, ...]:
        if labels.value("muted"):
            raise RuntimeError("a bug")
        return mutes(labels, now)

    world.silences.mutes = fails  # type: ignore[method-assign]
    finished = _finished(world.start(bad))
    assert not finished.success
    assert "a bug" in finished.error
    assert _attempt(world.start(other)).notification.alerts == (other,)
    world.silences.mutes = mutes  # type: ignore[method-assign]
    assert _attempt(world.start(bad)).notification.alerts == (bad,)


def test_a_notification_is_sent_recorded_and_then_the_flush_is_over() -> None:
    world = World()
    one = alert(alertname="A")
    attempt = _attempt(world.start(one))
    assert str(attempt.integration) == "hook/webhook[0]"
    assert attempt.notification.alerts == (one,)
    assert attempt.notification.reason == "first notification"
    assert attempt.deadline == T0 + 300 * SECOND
    world.pipeline.attempt_succeeded(attempt.id, T0 + SECOND)
    recorded, finished = world.drain()
    assert isinstance(recorded, Record)
    assert isinstance(finished, FlushFinished)
    assert (finished.success, finished.error) == (True, "")
    entry = world.log.query(HOOK, "{}:{}")
    assert entry is not None
    assert entry.firing_alerts == (one.labels.hash,)
    assert entry.timestamp == T0 + SECOND
    assert entry.expires_at == T0 + SECOND + 8 * 3600 * SECOND, "twice the repeat interval"
    assert recorded.entry.encoded == world.log.encode_state()
    assert world.pipeline.statistics.notifications == {"webhook": 1}
    assert world.pipeline.statistics.requests == {"webhook": 1}
    assert not world.pipeline.statistics.requests_failed


def test_what_the_log_already_has_is_not_sent_again() -> None:
    world = World()
    one = alert(alertname="A")
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), T0, 0)
    finished = _finished(world.start(one, now=T0 + SECOND))
    assert finished.success
    assert not world.pipeline.statistics.notifications
    repeat = T0 + 4 * 3600 * SECOND
    assert _finished(world.start(one, now=repeat)).success
    assert _attempt(world.start(one, now=repeat + 1)).notification.reason == "repeat interval elapsed"


def test_an_entry_from_a_clock_days_ahead_does_not_hold_reminders_back_until_then() -> None:
    """Nor is there one at each flush, although every later entry is stamped later still."""
    world = World()
    one = alert(alertname="A")
    hour = 3600 * SECOND
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), T0 + 72 * hour, 0)
    sent = []
    for now in range(T0, T0 + 80 * hour, 300 * SECOND):
        for effect in world.start(one, now=now):
            if isinstance(effect, Attempt):
                sent.append((now - T0) // (300 * SECOND))
                world.pipeline.attempt_succeeded(effect.id, now)
                world.drain()
    repeat = 4 * 12  # flushes: the first after four hours, and from our own one each four hours
    assert sent == list(range(repeat + 1, 80 * 12, repeat))


@pytest.mark.parametrize("ahead", [0, 72 * 3600], ids=["now", "days ahead"])
def test_what_another_node_has_notified_and_this_one_not_heard_of_stays_in_the_log(ahead: int) -> None:
    world = World()
    world.pipeline.peers_seen()
    one, two, elsewhere = (alert(alertname=name) for name in ("A", "B", "C"))
    hashes = (one.labels.hash, elsewhere.labels.hash)
    world.log.log(HOOK, "{}:{}", hashes, (), T0 + ahead * SECOND, 0)
    attempt = _attempt(world.start(one, two, now=T0 + 60 * SECOND))
    world.pipeline.attempt_succeeded(attempt.id, T0 + 61 * SECOND)
    world.drain()
    entry = world.log.query(HOOK, "{}:{}")
    assert entry is not None
    assert set(entry.firing_alerts) == {*hashes, two.labels.hash}


def test_an_end_that_a_peer_told_is_not_told_again_after_a_silence() -> None:
    """Our own entry in between still says so of an alert that is silenced then."""
    world = World()
    world.pipeline.peers_seen()
    one, two = alert(alertname="A"), alert(alertname="B")
    over = alert(alertname="C", muted="silence", ends_at=T0 - SECOND)
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (over.labels.hash,), T0, 0)
    attempt = next(each for each in world.start(one, two, over) if isinstance(each, Attempt))
    world.pipeline.attempt_succeeded(attempt.id, T0 + SECOND)
    world.drain()
    entry = world.log.query(HOOK, "{}:{}")
    assert entry is not None
    assert entry.resolved_alerts == (over.labels.hash,)
    world.silences.value = "nothing"
    (finished,) = world.start(one, two, over, now=T0 + 60 * SECOND)
    assert isinstance(finished, FlushFinished)


def test_a_reminder_by_an_earlier_peer_counts_although_its_stamp_is_days_ahead() -> None:
    world = World(position=1)
    one = alert(alertname="A")
    hour = 3600 * SECOND
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), T0 + 72 * hour, 0)
    assert not world.start(one, now=T0)
    assert _finished(world.run_until_effects()[1]).success
    due = T0 + 5 * hour
    assert not world.start(one, now=due)  # waits for its predecessor
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), due + SECOND, 0)
    assert _finished(world.run_until_effects()[1]).success


def test_resolved_alerts_alone_go_unsent_where_they_are_not_wanted_but_are_recorded() -> None:
    world = World(send_resolved=False)
    one = alert(alertname="A", ends_at=T0)
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), T0 - SECOND, 0)
    recorded, finished = world.start(one)
    assert isinstance(recorded, Record)
    assert _finished([finished]).success
    entry = world.log.query(HOOK, "{}:{}")
    assert entry is not None
    assert (entry.firing_alerts, entry.resolved_alerts) == ((), (one.labels.hash,))


def test_resolved_alerts_among_firing_ones_are_left_out_where_they_are_not_wanted() -> None:
    world = World(send_resolved=False)
    firing, resolved = alert(n="1"), alert(n="2", ends_at=T0)
    attempt = _attempt(world.start(firing, resolved))
    assert attempt.notification.alerts == (firing,)
    world.pipeline.attempt_succeeded(attempt.id, T0)
    world.drain()
    entry = world.log.query(HOOK, "{}:{}")
    assert entry is not None
    assert entry.resolved_alerts == (resolved.labels.hash,)


# The stages before the fan-out


def test_nothing_is_sent_before_the_cluster_has_settled() -> None:
    world = World(settled=False)
    assert world.start() == []
    assert world.at(T0 + 10 * SECOND) == []
    world.pipeline.settled(T0 + 20 * SECOND)
    attempt = _attempt(world.drain())
    assert attempt.deadline == T0 + 300 * SECOND
    assert world.silences.asked == [T0 + 20 * SECOND], "silences that came meanwhile count"


def test_nothing_is_sent_while_the_cluster_settles_again() -> None:
    world = World()
    world.pipeline.unsettled()
    assert world.start() == []
    world.pipeline.settled(T0 + SECOND)
    assert _attempt(world.drain()).deadline == T0 + 300 * SECOND


def test_a_flush_that_the_cluster_kept_waiting_past_its_deadline_fails() -> None:
    world = World(settled=False)
    world.start()
    now, effects = world.run_until_effects()
    assert now == T0 + 300 * SECOND
    assert _finished(effects).error == "context deadline exceeded"
    world.pipeline.settled(now + SECOND)
    assert world.at(now + SECOND) == []
    assert world.pipeline.next_timeout() is None


def test_a_crowd_that_waited_for_settling_is_let_through_in_batches() -> None:
    world = World(settled=False, max_attempts=10_000)
    for number in range(BATCH + 1):
        world.start(key=str(number))
    world.pipeline.settled(T0)
    assert len(world.drain()) == BATCH
    assert world.start(key="later") == [], "first come, first served"
    due = world.pipeline.next_timeout()
    assert due is not None
    assert due <= T0
    assert [_attempt([effect]).notification.group_key for effect in world.at(T0)] == [str(BATCH), "later"]


def test_muted_alerts_are_left_out_and_counted_by_reason() -> None:
    world = World()
    firing = alert(n="1")
    silence, inhibition, attempt = sorted(
        world.start(alert(n="2", muted="silence"), firing, alert(n="3", muted="inhibition")),
        key=lambda effect: str(getattr(effect, "reason", "")),
        reverse=True,
    )
    assert (_muted(silence), _muted(inhibition)) == (("silence", 1), ("inhibition", 1))
    assert _attempt([attempt]).notification.alerts == (firing,)
    assert world.pipeline.statistics.suppressed == {"silence": 1, "inhibition": 1}
    assert len(world.inhibitor.asked) == 3
    assert len(world.silences.asked) == 2, "the inhibited alert is gone before the silences are asked"


def test_a_flush_of_muted_alerts_only_is_a_success_and_leaves_no_record() -> None:
    world = World()
    suppressed, finished = world.start(alert(muted="silence"))
    assert _muted(suppressed) == ("silence", 1)
    assert _finished([finished]).success
    assert world.log.query(HOOK, "{}:{}") is None


@pytest.mark.parametrize(
    ("mute", "active", "reason", "muted_by"),
    [
        (("always",), (), "mute_time_interval", ("always",)),
        (("never", "always"), (), "mute_time_interval", ("always",)),
        ((), ("never", "never"), "active_time_interval", ("never", "never")),
        (("always",), ("never",), "active_time_interval", ("never",)),
        (("always",), ("always",), "mute_time_interval", ("always",)),
        (("never",), ("never", "always"), "", ()),
        ((), (), "", ()),
    ],
)
def test_time_intervals_mute_the_whole_flush(
    mute: tuple[str, ...], active: tuple[str, ...], reason: str, muted_by: tuple[str, ...]
) -> None:
    world = World(
        route=one_route(mute=mute, active=active), time_intervals={"never": (NEVER,), "always": (ALWAYS,)}
    )
    effects = world.start(alert(n="1"), alert(n="2"))
    if reason:
        assert _muted(effects[0]) == (reason, 2)
        assert _finished(effects).success
        assert world.silences.asked == []
    else:
        _attempt(effects)
    assert world.pipeline.muted_by(world.route.options, T0) == muted_by


def test_time_intervals_are_asked_about_the_time_of_the_flush_not_of_the_end_of_settling() -> None:
    until_t0 = TimeInterval(times=(TimeRange(0, T0 // (60 * SECOND) % 1440 + 1),))
    world = World(route=one_route(mute=("early",)), settled=False, time_intervals={"early": (until_t0,)})
    world.start()
    world.pipeline.settled(T0 + 120 * SECOND)
    assert _muted(world.drain()[0]) == ("mute_time_interval", 1)


def test_a_receiver_without_integrations_is_content_with_everything() -> None:
    assert _finished(World(hooks=0).start()).success


# Waiting for the peers that come before us


def test_the_second_peer_waits_then_looks_at_the_log() -> None:
    world = World(position=1)
    one = alert(alertname="A")
    assert world.start(one) == []
    assert world.pipeline.next_timeout() == T0 + 15 * SECOND
    assert world.at(T0 + 15 * SECOND - 1) == []
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), T0 + SECOND, 0)
    assert _finished(world.at(T0 + 15 * SECOND)).success
    assert world.pipeline.next_timeout() is None


def test_a_peer_whose_predecessor_is_silent_sends_after_the_wait_with_all_its_time_left() -> None:
    world = World(position=2)
    world.start()
    now, effects = world.run_until_effects()
    assert now == T0 + 30 * SECOND
    assert _attempt(effects).deadline == T0 + 330 * SECOND


def test_the_wait_ends_when_there_is_nobody_left_to_wait_for() -> None:
    world = World(position=2)
    world.start()
    world.pipeline.position = 0
    _attempt(world.at(T0 + SECOND))


def test_the_wait_follows_the_position_up_and_down() -> None:
    world = World(position=1)
    world.start()
    world.pipeline.position = 3
    assert world.at(T0 + 20 * SECOND) == []
    assert world.pipeline.next_timeout() == T0 + 45 * SECOND
    world.pipeline.position = 1
    attempt = _attempt(world.at(T0 + 20 * SECOND))
    assert attempt.deadline == T0 + 315 * SECOND


def test_names_that_one_member_has_made_up_do_not_hold_a_node_back_for_ever() -> None:
    world = World(position=128)
    world.start()
    assert world.at(T0 + MAX_WAITED_FOR * PEER_TIMEOUT - 1) == []
    assert _attempt(world.at(T0 + MAX_WAITED_FOR * PEER_TIMEOUT)).deadline >= T0 + 600 * SECOND


# Attempts


def test_a_failed_attempt_is_tried_again_after_a_growing_wait() -> None:
    world = World()
    attempt = _attempt(world.start())
    waits = []
    now = T0
    for _ in range(6):
        world.pipeline.attempt_failed(attempt.id, now, True, "serverError", "unexpected status code 500")
        again, effects = world.run_until_effects()
        waits.append((again - now) / SECOND)
        now, attempt = again, _attempt(effects)
    for number, wait in enumerate(waits):
        assert 0.5 * 0.5 * 1.5**number <= wait <= 1.5 * 0.5 * 1.5**number
    world.pipeline.attempt_succeeded(attempt.id, now)
    assert _finished(world.drain()).success
    assert world.pipeline.statistics.requests == {"webhook": 7}
    assert world.pipeline.statistics.requests_failed == {"webhook": 6}
    assert world.pipeline.statistics.notifications == {"webhook": 1}
    assert not world.pipeline.statistics.notifications_failed


def test_another_attempt_gives_the_reason_that_holds_after_what_a_peer_has_told() -> None:
    world = World()
    one, two = alert(alertname="A"), alert(alertname="B")
    attempt = _attempt(world.start(one, two))
    assert attempt.notification.reason == "first notification"
    world.pipeline.attempt_failed(attempt.id, T0 + SECOND, True, "serverError")
    world.log.log(HOOK, "{}:{}", (one.labels.hash,), (), T0 + SECOND, 0)
    again = _attempt(world.run_until_effects()[1])
    assert again.notification.reason == "new alerts added"
    assert again.notification.alerts == (one, two)


def test_the_wait_counts_from_the_beginning_of_a_slow_attempt() -> None:
    world = World()
    attempt = _attempt(world.start())
    world.pipeline.attempt_failed(attempt.id, T0 + 60 * SECOND, True, "other")
    assert world.pipeline.next_timeout() == T0 + 60 * SECOND


def test_an_attempt_beyond_repair_ends_the_delivery_at_once() -> None:
    world = World()
    attempt = _attempt(world.start())
    world.pipeline.attempt_failed(attempt.id, T0, False, "clientError", "unexpected status code 400")
    finished = _finished(world.drain())
    assert not finished.success
    assert finished.error == (
        "hook/webhook[0]: notify retry canceled due to unrecoverable error after 1 attempts: "
        "unexpected status code 400"
    )
    assert world.pipeline.statistics.notifications_failed == {("webhook", "clientError"): 1}
    assert world.log.query(HOOK, "{}:{}") is None


def test_retries_end_at_the_deadline_with_the_last_error() -> None:
    world = World()
    attempt = _attempt(world.start())
    world.pipeline.attempt_failed(attempt.id, T0, True, "serverError", "unexpected status code 503")
    while True:
        now, effects = world.run_until_effects()
        if isinstance(effects[0], FlushFinished):
            break
        world.pipeline.attempt_failed(
            _attempt(effects).id, now, True, "serverError", "unexpected status code 502"
        )
    assert now == T0 + 300 * SECOND
    assert not _finished(effects).success
    assert _finished(effects).error.endswith("attempts: unexpected status code 502")
    assert world.pipeline.statistics.notifications_failed == {("webhook", "serverError"): 1}
    assert world.pipeline.next_timeout() is None


def test_an_attempt_cut_off_by_the_deadline_fails_the_flush() -> None:
    world = World()
    attempt = _attempt(world.start())
    world.pipeline.attempt_failed(attempt.id, attempt.deadline, True, "other", "cancelled")
    finished = _finished(world.drain())
    assert (
        finished.error == "hook/webhook[0]: notify retry canceled after 1 attempts: context deadline exceeded"
    )
    assert world.pipeline.statistics.notifications_failed == {("webhook", "contextDeadlineExceeded"): 1}


def test_an_attempt_that_succeeds_at_the_last_moment_counts() -> None:
    world = World()
    attempt = _attempt(world.start())
    assert world.at(attempt.deadline) == []
    world.pipeline.attempt_succeeded(attempt.id, attempt.deadline + ATTEMPT_GRACE // 2)
    assert _finished(world.drain()).success


def test_an_attempt_that_nobody_reports_does_not_leak() -> None:
    world = World()
    attempt = _attempt(world.start())
    now, effects = world.run_until_effects()
    assert now == attempt.deadline + ATTEMPT_GRACE
    assert not _finished(effects).success
    assert world.pipeline.statistics.attempts_overdue == 1
    world.pipeline.attempt_succeeded(attempt.id, now)
    world.pipeline.attempt_failed(attempt.id, now, True, "other")
    assert world.drain() == []
    assert world.log.query(HOOK, "{}:{}") is None


def test_integrations_are_served_side_by_side_and_each_has_its_own_record() -> None:
    world = World(hooks=2)
    first, second = world.start()
    assert isinstance(first, Attempt)
    assert isinstance(second, Attempt)
    assert (first.integration.index, second.integration.index) == (0, 1)
    world.pipeline.attempt_failed(second.id, T0, False, "clientError")
    assert world.drain() == [], "the first is still under way"
    world.pipeline.attempt_succeeded(first.id, T0)
    assert not _finished(world.drain()).success, "one failed, so the flush did"
    (retry,) = world.start(now=T0 + 300 * SECOND)
    assert isinstance(retry, Attempt)
    assert retry.integration.index == 1, "only the one that failed is tried again"


def test_attempts_of_one_integration_beyond_the_bound_wait_for_a_place() -> None:
    world = World(max_attempts=1)
    first = _attempt(world.start(key="1"))
    assert world.start(key="2") == []
    assert world.start(key="3") == []
    assert world.pipeline.statistics.attempts_queued == 2
    world.pipeline.attempt_succeeded(first.id, T0)
    second = world.drain()[0]
    assert isinstance(second, Attempt)
    assert second.notification.group_key == "2"
    world.pipeline.attempt_failed(second.id, T0, True, "other")
    third = _attempt(world.drain())
    assert third.notification.group_key == "3"
    assert world.at(T0 + SECOND) == [], "the second comes back, to the end of the queue"
    world.pipeline.attempt_succeeded(third.id, T0 + SECOND)
    again_second = world.drain()[0]
    assert isinstance(again_second, Attempt)
    assert again_second.notification is second.notification


def test_a_delivery_that_never_gets_a_place_ends_at_its_deadline() -> None:
    world = World(max_attempts=1)
    first = _attempt(world.start(key="1"))
    world.start(key="2")
    now, effects = world.run_until_effects()
    assert now == T0 + 300 * SECOND
    assert _finished(effects).flush.group_key == "2"
    assert _finished(effects).error.endswith("after 0 attempts: context deadline exceeded")
    world.pipeline.attempt_succeeded(first.id, now)
    assert all(not isinstance(effect, Attempt) for effect in world.drain())


def test_an_unknown_receiver_is_an_error_and_not_a_silence() -> None:
    world = World()
    world.route = one_route()
    flush = world.flush()
    object.__setattr__(flush.options, "receiver", "gone")
    world.pipeline.start(flush, T0)
    assert _finished(world.drain()).error == "stage for receiver missing"
