"""The pipeline of a node in shadow: it decides as any other, and nothing leaves it."""

from __future__ import annotations

from random import Random

from simulation.alerting import NoSilences
from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.decisions import NotNeeded, Waiting, Withheld
from tocsin.alerting.effects import Attempt, FlushFinished, PipelineEffect, Record
from tocsin.alerting.group import Flush
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.record.recorder import Recorder
from tocsin.alerting.shadow.shadow import Shadow
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds

HOUR = 3600 * SECOND
ROUTE = one_route()


def flush(*, ends_at: Nanoseconds = ZERO) -> Flush:
    return Flush(
        group_key="{}:{}",
        route_id="{}",
        group_labels=Labels(),
        options=ROUTE.options,
        alerts=(alert(alertname="A", ends_at=ends_at),),
        now=T0,
        deadline=T0 + 300 * SECOND,
    )


def pipeline(position: int = 0, *, send_resolved: bool = True) -> tuple[Pipeline, Shadow]:
    shadow = Shadow(NotificationLog(HOUR), peer_timeout=15 * SECOND)
    made = Pipeline(
        config=one_receiver(ROUTE, send_resolved=send_resolved),
        silences=NoSilences(),
        inhibitor=NoSilences(),
        notification_log=shadow,
        peer_timeout_ns=15 * SECOND,
        random=Random(1),
        withhold=True,
    )
    made.position = position
    made.settled(T0)
    return made, shadow


def kinds(effects: list[PipelineEffect]) -> list[type]:
    assert not [each for each in effects if isinstance(each, (Attempt, Record))]
    return [type(each) for each in effects if isinstance(each, (Withheld, FlushFinished, Waiting))]


def test_where_an_attempt_would_begin_it_says_what_would_be_sent() -> None:
    made, _ = pipeline()
    made.start(flush(), T0)
    effects = made.drain()
    assert kinds(effects) == [Withheld, FlushFinished]
    (withheld,) = [each for each in effects if isinstance(each, Withheld)]
    assert withheld.reason == "first notification"
    assert withheld.entry.firing_alerts == (alert(alertname="A").labels.hash,)
    assert not made.statistics.notifications
    assert made.next_timeout() is None


def test_it_waits_for_its_turn() -> None:
    made, _ = pipeline(2)
    made.start(flush(), T0)
    assert kinds(made.drain()) == [Waiting]
    assert made.next_timeout() == T0 + 30 * SECOND
    made.handle_timeout(T0 + 30 * SECOND)
    assert kinds(made.drain()) == [Withheld, FlushFinished]


def test_what_waits_for_its_turn_when_the_configuration_changes_is_decided_at_once() -> None:
    made, _ = pipeline(2)
    made.start(flush(), T0)
    made.drain()
    made.retire(T0 + SECOND)
    assert kinds(made.drain()) == [Withheld, FlushFinished]


def test_an_end_of_which_nobody_is_told_is_logged_and_not_said_to_be_sent() -> None:
    made, shadow = pipeline(send_resolved=False)
    made.start(flush(), T0)
    shadow.decided([each for each in made.drain() if not isinstance(each, (Attempt, Record))], T0)
    made.start(flush(ends_at=T0 - 1), T0 + SECOND)
    effects = [each for each in made.drain() if not isinstance(each, (Attempt, Record))]
    assert [type(each) for each in effects if isinstance(each, (NotNeeded, Withheld))] == [
        NotNeeded,
        Withheld,
    ]
    record = Recorder("shadow", number=lambda: 1).take(effects, T0 + SECOND)[-1].record()
    assert record.deliveries[0].outcome == "not needed"
