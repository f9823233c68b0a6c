"""A real alert flow, followed: what it decides is in the journal after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.support.routing import alert
from tests.support.stores import HOUR
from tests.support.transports import eventually
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.record.model import FlushRecord
from tocsin.alerting.record.recorder import Recorder
from tocsin.alerting.record.ring import Bounds
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.silence import Silences
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node.clock import Clock
from tocsin.node.config import parse_config
from tocsin.node.decisionrecord import DecisionRecord
from tocsin.node.engine import Engine, EngineServices
from tocsin.node.log import Logger
from tocsin.node.store import Store
from tocsin.node.store.changes import NotificationWriter
from tocsin.notify.integrations.base import Outcome

CONFIG = parse_config(
    """
route: {receiver: sink, group_by: [alertname], group_wait: 10ms, group_interval: 1h, repeat_interval: 4h}
receivers: [{name: sink, webhook_configs: [{url: "http://127.0.0.1:1/"}]}]
""",
    path="test.yml",
)
BOUNDS = Bounds(entries=100, size=1 << 20, age=0)


class Sink:
    """Fails the first attempt, takes the second."""

    needs = ()

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, notification: object, deadline: Nanoseconds) -> Outcome:
        self.sent += 1
        if self.sent == 1:
            return Outcome(
                success=False, retry=True, reason="serverError", error="unexpected status code 503"
            )
        return Outcome(success=True)

    async def close(self) -> None:
        pass


def store_in(folder: Path, bounds: Bounds = BOUNDS) -> tuple[Store, NotificationLog]:
    log = NotificationLog(HOUR)
    return Store(
        folder, {"sil": Silences(HOUR, random=Random(0)).replicated, "nfl": log}, records=bounds
    ), log


async def notified(folder: Path, bounds: Bounds = BOUNDS) -> Store:
    """One life in which one alert is notified at the second attempt. The store, closed."""
    store, log = store_in(folder, bounds)
    clock, remembered, sink = Clock(), Remembered(), Sink()
    await store.open(clock.now())
    writer = NotificationWriter(
        log,
        remembered.recorded,
        commit=store.commit,
        now=clock.now,
        broadcast=lambda key, changes: None,
        logger=Logger("tocsin.test"),
    )
    record = DecisionRecord(store, clock, "here", Logger("tocsin.test"))
    follower = record.follow(CONFIG)
    services = EngineServices(
        clock=clock,
        silences=Silences(HOUR, random=Random(0)),
        notification_log=log,
        remembered=remembered,
        peer_timeout=SECOND,
        random=Random(0),
        log=Logger("tocsin.test"),
        on_recorded=writer.keep,
        on_latency=lambda kind, receiver, seconds: None,
    )
    engine = Engine(CONFIG, {("sink", "webhook", 0): sink}, services, on_decided=follower.decided)
    engine.settle()
    now = clock.now()
    engine.insert([alert(alertname="A", starts_at=now, ends_at=now + HOUR, updated_at=now)])
    await eventually(lambda: len(log) == 1)
    await engine.close(1.0)
    await writer.drained()
    await store.close()
    return store


async def kept(folder: Path) -> list[FlushRecord]:
    store, _ = store_in(folder)
    await store.open(Clock().now())
    try:
        return [record async for found in store.read_records() for _, record in found]
    finally:
        await store.close()


def test_what_was_decided_is_there_after_a_restart(tmp_path: Path) -> None:
    asyncio.run(notified(tmp_path))
    (found,) = asyncio.run(kept(tmp_path))
    assert (found.receiver, found.node, found.success) == ("sink", "here", True)
    assert found.ended is not None
    (delivery,) = found.deliveries
    assert [(each.outcome, each.error) for each in delivery.attempts] == [
        ("failed", "unexpected status code 503"),
        ("sent", ""),
    ]


def test_a_node_that_keeps_no_record_notifies_all_the_same(tmp_path: Path) -> None:
    store = asyncio.run(notified(tmp_path, Bounds(entries=0, size=0, age=0)))
    assert store.records.statistics.failures == 0
    assert asyncio.run(kept(tmp_path)) == []


def test_a_bug_of_the_record_costs_no_notification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Recorder, "take", broken)
    store = asyncio.run(notified(tmp_path))
    assert store.records.statistics.failures > 1
    assert asyncio.run(kept(tmp_path)) == []
