"""The alert flow of the node: real dispatcher, pipeline and notification log, and senders that we hold."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Awaitable, Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from random import Random
from threading import Event
from types import ModuleType

import pytest

from tests.support.transports import eventually
from tocsin.alerting.alert import Alert
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.flow import AlertFlow
from tocsin.alerting.group import MINIMUM_TIMEOUT, Flush
from tocsin.alerting.grouping import SLICE
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import Entry, NotificationLog
from tocsin.alerting.notification import Notification
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.silence import Silences
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node import engine as engine_module
from tocsin.node.clock import Clock
from tocsin.node.config import parse_config
from tocsin.node.engine import Engine, EngineServices
from tocsin.node.log import Logger
from tocsin.node.lookups import LookUps
from tocsin.notify.integrations.base import Outcome

HOUR = 3600 * SECOND
CONFIG = parse_config(
    """
route: {receiver: sink, group_by: [alertname], group_wait: 10ms, group_interval: 100ms, repeat_interval: 1h}
receivers: [{name: sink, webhook_configs: [{url: "http://127.0.0.1:1/"}]}]
""",
    path="test.yml",
)
DONE = Outcome(success=True)


class HeldSender:
    """Keeps each notification and answers what it is told, or what it is told next."""

    def __init__(self, *needs: str) -> None:
        self.needs = needs
        self.sent: list[Notification] = []
        self.deadlines: list[Nanoseconds] = []
        self.answers: list[Outcome | Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False

    async def send(self, notification: Notification, deadline: Nanoseconds) -> Outcome:
        self.sent.append(notification)
        self.deadlines.append(deadline)
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else DONE
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True


class Bench:
    """What engines share."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.log = NotificationLog(HOUR)
        self.remembered = Remembered()
        self.recorded: list[Entry] = []
        self.latencies: list[float] = []
        self.services = EngineServices(
            clock=self.clock,
            silences=Silences(HOUR, random=Random(0)),
            notification_log=self.log,
            remembered=self.remembered,
            peer_timeout=SECOND,
            random=Random(0),
            log=Logger("tocsin.test"),
            on_recorded=self._record,
            on_latency=lambda kind, receiver, seconds: self.latencies.append(seconds),
        )

    def engine(self, sender: HeldSender, *, previous: Engine | None = None, settled: bool = True) -> Engine:
        engine = Engine(CONFIG, {("sink", "webhook", 0): sender}, self.services, previous=previous)
        if previous is not None:
            previous.retire()
        if settled:
            engine.settle()
        return engine

    def _record(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.log.put(entry, self.clock.now())
            self.remembered.recorded.stored(entry)
        self.recorded += entries

    def alert(self, name: str, **labels: str) -> Alert:
        now = self.clock.now()
        return Alert(
            Labels.from_mapping({"alertname": name, **labels}),
            Labels(),
            starts_at=now,
            ends_at=now + HOUR,
            updated_at=now,
        )


class SlowLibrary(MetaPathFinder, Loader):
    """A module whose import ends when somebody says so."""

    def __init__(self, name: str, error: str = "") -> None:
        self.name, self.error = name, error
        self.begun, self.may_end = Event(), Event()

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        self.begun.set()
        assert self.may_end.wait(60)
        if self.error:
            raise ImportError(self.error)


def run(story: Callable[[Bench], Awaitable[None]]) -> None:
    asyncio.run(story(Bench()))  # type: ignore[arg-type]


def test_an_alert_becomes_one_notification_and_one_record() -> None:
    async def story(bench: Bench) -> None:
        sender = HeldSender()
        engine = bench.engine(sender)
        engine.insert([bench.alert("x")])
        await eventually(lambda: bench.recorded)
        assert [each.alerts[0].name for each in sender.sent] == ["x"]
        assert len(bench.latencies) == 1
        await eventually(lambda: engine.dispatcher.statistics.flushes >= 3)
        assert len(sender.sent) == 1
        await engine.close(1)
        assert sender.closed

    run(story)


@pytest.mark.parametrize("error", ["", "broken"])
def test_groups_are_flushed_once_the_senders_libraries_are_loaded_so_attempts_have_all_their_time(
    error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(bench: Bench) -> None:
        library = SlowLibrary(f"slow_library_{error}", error)
        monkeypatch.setattr(sys, "meta_path", [library, *sys.meta_path])
        sender = HeldSender(library.name)
        engine = bench.engine(sender)
        await asyncio.sleep(0)
        assert not library.begun.is_set()  # A node without alerts needs none.
        engine.insert([bench.alert("x")])
        await eventually(library.begun.is_set)
        due = engine.dispatcher.next_timeout()
        assert due is not None
        await eventually(lambda: bench.clock.now() > due)
        engine.rearm()
        await asyncio.sleep(0)
        assert engine.dispatcher.statistics.flushes == 0
        loaded = bench.clock.now()
        library.may_end.set()
        await eventually(lambda: sender.sent)
        assert sender.deadlines[0] >= loaded + MINIMUM_TIMEOUT
        await engine.close(1)
        sys.modules.pop(library.name, None)

    run(story)


def test_groups_wait_for_libraries_no_longer_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(bench: Bench) -> None:
        library = SlowLibrary("slow_library_for_ever")
        monkeypatch.setattr(sys, "meta_path", [library, *sys.meta_path])
        monkeypatch.setattr(engine_module, "LOADING_SECONDS", 0.01)
        sender = HeldSender(library.name)
        engine = bench.engine(sender)
        engine.insert([bench.alert("x")])
        await eventually(lambda: sender.sent)
        library.may_end.set()
        await engine.close(1)
        sys.modules.pop(library.name, None)

    run(story)


def test_an_engine_that_is_replaced_while_libraries_are_loaded_flushes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(bench: Bench) -> None:
        library = SlowLibrary("slow_library_again")
        monkeypatch.setattr(sys, "meta_path", [library, *sys.meta_path])
        first, second = HeldSender(library.name), HeldSender()
        engine = bench.engine(first)
        engine.insert([bench.alert("x")])
        await eventually(library.begun.is_set)
        successor = bench.engine(second, previous=engine)
        library.may_end.set()
        successor.insert([bench.alert("x")])
        await eventually(lambda: second.sent)
        assert not first.sent
        await engine.close(1)
        await successor.close(1)
        sys.modules.pop(library.name, None)

    run(story)


def test_nothing_leaves_before_the_cluster_has_settled() -> None:
    async def story(bench: Bench) -> None:
        sender = HeldSender()
        engine = bench.engine(sender, settled=False)
        engine.insert([bench.alert("x")])
        await eventually(lambda: engine.dispatcher.statistics.flushes >= 1)
        assert not sender.sent
        engine.settle()
        await eventually(lambda: bench.recorded)
        await engine.close(1)

    run(story)


def test_a_failure_is_tried_again_and_a_senders_bug_costs_one_attempt() -> None:
    async def story(bench: Bench) -> None:
        sender = HeldSender()
        sender.answers = [
            Outcome(success=False, retry=True, reason="serverError", error="503"),
            RuntimeError("a bug"),
        ]
        engine = bench.engine(sender)
        engine.insert([bench.alert("x")])
        await eventually(lambda: bench.recorded, 30)
        assert len(sender.sent) == 3
        assert engine.pipeline.statistics.requests_failed["webhook"] == 2
        await engine.close(1)

    run(story)


def test_a_fault_of_looking_silences_up_costs_no_notification(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Engine, "_must_look_up", lambda *_: True)
    monkeypatch.setattr(LookUps, "find_all", fails)

    async def story(bench: Bench) -> None:
        engine = bench.engine(HeldSender())
        engine.insert([bench.alert("x")])
        await eventually(lambda: bench.recorded)
        await engine.close(1)

    run(story)


def test_a_fault_of_a_look_up_at_once_costs_no_notification(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> bool:
        raise RuntimeError("a bug")

    monkeypatch.setattr(LookUps, "at_once", fails)

    async def story(bench: Bench) -> None:
        sender = HeldSender()
        engine = bench.engine(sender)
        engine.insert([bench.alert("x"), bench.alert("y")])
        await eventually(lambda: len(bench.recorded) == 2)
        await engine.close(1)

    run(story)


def test_a_flush_that_cannot_be_started_costs_no_other_and_its_group_is_flushed_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin, bugs = Pipeline.start, ["a bug"]

    def fails_once(pipeline: Pipeline, flush: Flush, now: Nanoseconds) -> None:
        if bugs:
            raise RuntimeError(bugs.pop())
        begin(pipeline, flush, now)

    monkeypatch.setattr(Pipeline, "start", fails_once)

    async def story(bench: Bench) -> None:
        sender = HeldSender()
        engine = bench.engine(sender)
        engine.insert([bench.alert("x"), bench.alert("y")])
        await eventually(lambda: len(bench.recorded) == 2)
        assert {each.group_labels["alertname"] for each in sender.sent} == {"x", "y"}
        [error] = [each.__dict__["fields"]["err"] for each in caplog.records if each.levelname == "ERROR"]
        assert error == "starting the flush failed: RuntimeError('a bug')"
        await engine.close(1)

    run(story)


def test_a_bug_in_making_a_flush_keeps_no_notification_from_being_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    async def story(bench: Bench) -> None:
        sender = HeldSender()
        sender.gate.clear()
        engine = bench.engine(sender)
        engine.insert([bench.alert("x")])
        await eventually(lambda: sender.sent)
        with monkeypatch.context() as patch:
            patch.setattr(AlertFlow, "handle_timeout", fails)
            sender.gate.set()
            await eventually(lambda: bench.recorded)
        await engine.close(1)

    run(story)


def test_a_reload_neither_repeats_nor_loses_what_is_being_sent() -> None:
    async def story(bench: Bench) -> None:
        first, second = HeldSender(), HeldSender()
        first.gate.clear()
        old = bench.engine(first)
        old.insert([bench.alert("under way")])
        await eventually(lambda: first.sent)
        new = bench.engine(second, previous=old)
        first.gate.set()
        await eventually(lambda: bench.recorded)
        await eventually(lambda: first.closed)
        new.insert([bench.alert("under way"), bench.alert("new")])
        await eventually(lambda: len(bench.recorded) == 2)
        await eventually(lambda: new.dispatcher.statistics.flushes >= 4)
        assert [each.alerts[0].name for each in second.sent] == ["new"]
        assert new.pipeline.statistics.notifications["webhook"] == 2
        await new.close(1)

    run(story)


def test_what_a_reload_replaces_is_free_at_once_without_a_collection() -> None:
    """Once, each reload kept its groups and alerts until the next full collection, 15 minutes later."""

    async def story(bench: Bench) -> None:
        sender = HeldSender()
        engine = bench.engine(sender)
        replaced: list[weakref.ref[object]] = []
        alerts = Alerts()

        def told() -> bool:
            return len(sender.sent) == len(bench.recorded) > len(replaced) // 3

        for name in ("first", "second", "third"):
            engine.insert([bench.alert(name)])
            await eventually(told)
            await engine.regroup(CONFIG, alerts)
            replaced += map(weakref.ref, (engine, engine.dispatcher, engine.pipeline))
            engine = bench.engine(sender, previous=engine)
        await eventually(lambda: all(each() is None for each in replaced))
        await engine.close(1)

    gc.disable()
    try:
        run(story)
    finally:
        gc.enable()


def test_reloads_while_a_receiver_is_slow_do_not_notify_again() -> None:
    """The node hands all alerts to the new engine at once, before the slow attempt is recorded."""

    async def story(bench: Bench) -> None:
        slow, second, third = HeldSender(), HeldSender(), HeldSender()
        slow.gate.clear()
        alert = bench.alert("under way")
        engine = bench.engine(slow)
        engine.insert([alert])
        await eventually(lambda: slow.sent)
        for sender in (second, third):
            engine = bench.engine(sender, previous=engine)
            engine.insert([alert])
            await eventually(lambda e=engine: e.pipeline.statistics.notifications["webhook"] > 1)  # type: ignore[misc]
        slow.gate.set()
        await eventually(lambda: slow.closed and second.closed and bench.recorded)
        flushes = engine.dispatcher.statistics.flushes
        await eventually(lambda: engine.dispatcher.statistics.flushes >= flushes + 2)
        assert not second.sent
        assert not third.sent
        await engine.close(1)

    run(story)


def test_a_reload_sends_what_the_slow_attempt_did_not_tell() -> None:
    async def story(bench: Bench) -> None:
        for answer, extra in ((DONE, True), (Outcome(success=False, retry=True, reason="other"), False)):
            slow, second = HeldSender(), HeldSender()
            slow.gate.clear()
            slow.answers = [answer]
            name = f"under way {extra}"
            old = bench.engine(slow)
            old.insert([bench.alert(name)])
            await eventually(lambda s=slow: s.sent)  # type: ignore[misc]
            new = bench.engine(second, previous=old)
            new.insert([bench.alert(name), *([bench.alert(name, instance="b")] if extra else [])])
            await eventually(lambda e=new: e.pipeline.statistics.notifications["webhook"] > 1)  # type: ignore[misc]
            assert not second.sent
            slow.gate.set()
            await eventually(lambda s=second: s.sent)  # type: ignore[misc]
            assert len(second.sent[0].alerts) == 1 + extra
            await new.close(1)

    run(story)


def test_a_stop_waits_for_what_is_being_sent_but_not_for_ever() -> None:
    async def story(bench: Bench) -> None:
        sender = HeldSender()
        sender.gate.clear()
        engine = bench.engine(sender)
        engine.insert([bench.alert("x")])
        await eventually(lambda: sender.sent)
        closing = asyncio.create_task(engine.close(30))
        sender.gate.set()
        await closing
        assert bench.recorded

        stuck = HeldSender()
        stuck.gate.clear()
        engine = bench.engine(stuck)
        engine.insert([bench.alert("y")])
        await eventually(lambda: stuck.sent)
        await engine.close(0.01)
        assert len(bench.recorded) == 1
        await eventually(lambda: stuck.closed)

    run(story)


def test_a_reload_takes_all_alerts_in_in_small_turns_and_misses_none_that_comes_meanwhile() -> None:
    async def story(bench: Bench) -> None:
        sender, alerts = HeldSender(), Alerts()
        old = bench.engine(sender, settled=False)
        stored = alerts.put([bench.alert(f"A{number}") for number in range(3 * SLICE)], bench.clock.now())
        old.insert(stored)
        turns = 0

        async def others() -> None:
            nonlocal turns
            for number in range(3):
                turns += 1
                old.insert(alerts.put([bench.alert(f"B{number}"), bench.alert("A0")], bench.clock.now()))
                await asyncio.sleep(0)

        await asyncio.gather(old.regroup(old.config, alerts), others())
        new = bench.engine(sender, previous=old, settled=False)
        old.retire()
        assert turns == 3
        assert len(new.dispatcher) == 3 * SLICE + 3
        held = {alert.fingerprint: alert for group in new.dispatcher.groups() for alert in group.alerts}
        assert all(held[alert.fingerprint] is alert for alert in alerts.all())
        await new.close(1)

    run(story)
