"""What queues for an attempt when its configuration is replaced."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from simulation.alerting import NoSilences
from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.effects import Attempt
from tocsin.alerting.group import Flush
from tocsin.alerting.intent import Intents, Kind
from tocsin.alerting.intent.codec import decode
from tocsin.alerting.intent.intents import STABLE
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.timestamp import SECOND

ROUTE = one_route()
FLUSH = Flush(
    group_key="{}:{}",
    route_id="{}",
    group_labels=Labels(),
    options=ROUTE.options,
    alerts=(alert(alertname="A"),),
    now=T0,
    deadline=T0 + 300 * SECOND,
)


def _kinds(intents: Intents) -> list[Kind]:
    return [record.kind for payload in intents.drain() for record in decode(payload)[1]]


def _attempts(pipeline: Pipeline) -> list[int]:
    return [effect.id for effect in pipeline.drain() if isinstance(effect, Attempt)]


@pytest.mark.parametrize("succeeds", [True, False])
def test_what_queues_at_a_reload_is_neither_announced_nor_begun(succeeds: bool) -> None:
    intents, log = Intents("a", now=T0 - 2 * STABLE), NotificationLog(3600 * SECOND)
    intents.members(0, frozenset("b"), T0 - 2 * STABLE)
    pipeline = Pipeline(
        config=one_receiver(ROUTE),
        silences=NoSilences(),
        inhibitor=NoSilences(),
        notification_log=log,
        peer_timeout_ns=15 * SECOND,
        random=Random(1),
        intents=intents,
        max_attempts=1,
    )
    pipeline.settled(T0)
    pipeline.start(FLUSH, T0)
    pipeline.start(replace(FLUSH, group_key="{}:{b}"), T0)
    [attempt] = _attempts(pipeline)
    assert _kinds(intents) == [Kind.SENDING]
    pipeline.retire(T0 + SECOND)

    if succeeds:
        pipeline.attempt_succeeded(attempt, T0 + 2 * SECOND)
    else:
        pipeline.attempt_failed(attempt, T0 + 2 * SECOND, retry=False, reason="clientError")
    # An intent that nobody ends would keep this node's successor and its peers from the other group.
    assert _kinds(intents) == [Kind.DONE if succeeds else Kind.RELEASED]
    assert _attempts(pipeline) == []
    assert len(intents) == 0
