"""Deliveries among nodes that tell each other their intents."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from simulation.alerting import NoSilences
from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.effects import Attempt, FlushFinished, Record
from tocsin.alerting.group import Flush
from tocsin.alerting.intent import GUARD, Intents, Kind
from tocsin.alerting.intent.codec import Record as Intent
from tocsin.alerting.intent.codec import decode, encode
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.timestamp import LATEST, SECOND

ROUTE = one_route()


def _pipeline(intents: Intents, log: NotificationLog) -> Pipeline:
    pipeline = Pipeline(
        config=one_receiver(ROUTE),
        silences=NoSilences(),
        inhibitor=NoSilences(),
        notification_log=log,
        peer_timeout_ns=15 * SECOND,
        random=Random(1),
        intents=intents,
    )
    pipeline.position = intents.position
    pipeline.settled(T0)
    return pipeline


def _drain(pipeline: Pipeline, log: NotificationLog) -> list[Attempt | FlushFinished]:
    """What is to be done, after the log was written; decisions are left out."""
    effects: list[Attempt | FlushFinished] = []
    for effect in pipeline.drain():
        if isinstance(effect, Record):
            log.put(effect.entry, T0)
            pipeline.remembered.recorded.stored(effect.entry)
        elif isinstance(effect, (Attempt, FlushFinished)):
            effects.append(effect)
    return effects


def _flush() -> Flush:
    return Flush(
        group_key="{}:{}",
        route_id="{}",
        group_labels=Labels(),
        options=ROUTE.options,
        alerts=(alert(alertname="A"),),
        now=T0,
        deadline=T0 + 300 * SECOND,
    )


def _newcomer() -> Intents:
    """First, but not for long: it has to claim."""
    intents = Intents("a", now=T0)
    intents.members(0, frozenset("b"), T0)
    return intents


def _kinds(intents: Intents) -> list[Kind]:
    return [record.kind for payload in intents.drain() for record in decode(payload)[1]]


def test_a_claim_is_announced_and_after_the_guard_it_is_sent() -> None:
    intents = _newcomer()
    log = NotificationLog(3600 * SECOND)
    pipeline = _pipeline(intents, log)
    pipeline.start(_flush(), T0)
    assert _drain(pipeline, log) == []
    assert _kinds(intents) == [Kind.CLAIM]
    assert pipeline.next_timeout() == T0 + GUARD
    pipeline.handle_timeout(T0 + GUARD)
    (attempt,) = _drain(pipeline, log)
    assert isinstance(attempt, Attempt)
    assert _kinds(intents) == [Kind.SENDING]
    pipeline.attempt_succeeded(attempt.id, T0 + SECOND)
    assert _kinds(intents) == [Kind.DONE]


def test_a_reload_withdraws_claims_and_the_successor_waits_for_what_is_being_sent() -> None:
    intents, log = _newcomer(), NotificationLog(3600 * SECOND)
    old = _pipeline(intents, log)
    old.start(_flush(), T0)
    old.retire(T0)
    assert _kinds(intents) == [Kind.RELEASED]

    sending = _pipeline(intents, log)
    sending.start(_flush(), T0)
    sending.handle_timeout(T0 + GUARD)
    (attempt,) = _drain(sending, log)
    assert isinstance(attempt, Attempt)
    sending.retire(T0 + GUARD)
    successor = _pipeline(intents, log)
    successor.start(_flush(), T0 + GUARD)
    assert _drain(successor, log) == []
    sending.attempt_succeeded(attempt.id, T0 + SECOND)
    _drain(sending, log)
    successor.handle_timeout(T0 + SECOND)
    assert not any(isinstance(effect, Attempt) for effect in _drain(successor, log)), "the log has it"


@pytest.mark.parametrize("kind", [Kind.CLAIM, Kind.SENDING, Kind.DONE])
def test_a_member_that_is_always_about_to_send_does_not_keep_the_group_silent(kind: Kind) -> None:
    """Each time with a new intent, so that none is held for long: until the deadline, and no longer."""
    intents, log = _newcomer(), NotificationLog(3600 * SECOND)
    pipeline = _pipeline(intents, log)
    pipeline.start(_flush(), T0)
    [claim] = [record for payload in intents.drain() for record in decode(payload)[1]]
    now, attempts = T0, list[Attempt]()
    for number in range(400):
        now = T0 + number * SECOND
        payloads = encode("A", [Intent(kind, 0, 30_000, number + 1, LATEST, claim.key)])
        pipeline.wake([each for payload in payloads for each in intents.receive(payload, now)], now)
        pipeline.handle_timeout(now)
        attempts += [each for each in _drain(pipeline, log) if isinstance(each, Attempt)]
        if attempts:
            break
    assert len(attempts) == 1
    assert T0 + 300 * SECOND <= now <= T0 + 302 * SECOND
    assert attempts[0].deadline > now
    assert intents.statistics.held_too_long


def test_a_node_that_stood_still_while_others_were_about_to_send_does_not_send_what_it_held() -> None:
    intents, log = _newcomer(), NotificationLog(3600 * SECOND)
    pipeline = _pipeline(intents, log)
    pipeline.start(_flush(), T0)
    [claim] = [record for payload in intents.drain() for record in decode(payload)[1]]
    payloads = encode("A", [Intent(Kind.SENDING, 0, 30_000, 1, LATEST, claim.key)])
    pipeline.wake([each for payload in payloads for each in intents.receive(payload, T0)], T0)
    pipeline.handle_timeout(T0 + SECOND)
    pipeline.handle_timeout(T0 + 1200 * SECOND)
    effects = _drain(pipeline, log)
    assert not [each for each in effects if isinstance(each, Attempt)]
    assert [each.success for each in effects if isinstance(each, FlushFinished)] == [False]


def test_what_an_integration_remembers_goes_through_the_log() -> None:
    log = NotificationLog(3600 * SECOND)
    pipeline = _pipeline(Intents(), log)

    def told(flush: Flush, now: int, **remember: str) -> Attempt:
        pipeline.start(flush, now)
        pipeline.handle_timeout(now)
        [attempt] = [each for each in _drain(pipeline, log) if isinstance(each, Attempt)]
        pipeline.attempt_succeeded(attempt.id, now, remember or None)
        pipeline.handle_timeout(now)
        _drain(pipeline, log)
        return attempt

    first = told(_flush(), T0, threadTs="1", channelId="C")
    assert first.notification.receiver_data == {}
    more = replace(_flush(), alerts=(*_flush().alerts, alert(alertname="B")), now=T0 + SECOND)
    second = told(more, T0 + SECOND, threadTs="2")
    assert second.notification.receiver_data == {"threadTs": "1", "channelId": "C"}
    ended = tuple(replace(each, ends_at=T0 + SECOND) for each in more.alerts)
    third = told(replace(more, alerts=ended, now=T0 + 2 * SECOND), T0 + 2 * SECOND)
    assert third.notification.receiver_data == {"threadTs": "2", "channelId": "C"}
    entry = log.query(third.integration.log_receiver, "{}:{}")
    assert entry is not None
    assert entry.receiver_data == {"threadTs": "2", "channelId": "C"}
    # What fires again is another matter, and has another message.
    anew = told(replace(_flush(), now=T0 + 3 * SECOND), T0 + 3 * SECOND)
    assert (anew.notification.reason, anew.notification.receiver_data) == ("first notification", {})
