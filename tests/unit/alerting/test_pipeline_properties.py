"""However attempts end: each flush ends once, and the log holds what was sent and nothing else."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simulation.alerting import NoSilences
from tests.support.amounts import many
from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.delivery import ATTEMPT_GRACE
from tocsin.alerting.effects import Attempt, FlushFinished, Record
from tocsin.alerting.group import Flush
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.timestamp import SECOND, Nanoseconds

HOOKS = 2
ROUTE = one_route(group_interval=30 * SECOND)
DeliveryName = tuple[str, int]


class PipelineMachine(RuleBasedStateMachine):
    """Flushes of fresh groups, each for two integrations; attempts end in any way, at any time or never."""

    def __init__(self) -> None:
        super().__init__()
        self.now: Nanoseconds = T0
        self.log = NotificationLog(120 * 3600 * SECOND)
        self.pipeline = Pipeline(
            config=one_receiver(ROUTE, hooks=HOOKS),
            silences=NoSilences(),
            inhibitor=NoSilences(),
            notification_log=self.log,
            peer_timeout_ns=5 * SECOND,
            random=Random(7),
            max_attempts=2,
        )
        self.started: dict[str, Flush] = {}
        self.finished: dict[str, FlushFinished] = {}
        self.open: dict[int, Attempt] = {}
        self.overdue: dict[int, Attempt] = {}
        self.records = 0
        self.succeeded: Counter[DeliveryName] = Counter()
        self.failed: set[DeliveryName] = set()

    def _drain(self) -> None:
        for effect in self.pipeline.drain():
            if isinstance(effect, Attempt):
                name = effect.notification.group_key, effect.integration.index
                assert effect.id not in self.open
                assert name not in {
                    (a.notification.group_key, a.integration.index) for a in self.open.values()
                }
                assert not self.succeeded[name], "sent again after a success"
                assert name not in self.failed, "sent again after the end"
                assert self.now < effect.deadline, "begun when its time was over"
                self.open[effect.id] = effect
                under_way = Counter(a.integration.index for a in self.open.values())
                assert under_way[effect.integration.index] <= 2
            elif isinstance(effect, Record):
                self.records += 1
                self.log.put(effect.entry, self.now)
                self.pipeline.remembered.recorded.stored(effect.entry)
            elif isinstance(effect, FlushFinished):
                key = effect.flush.group_key
                assert key not in self.finished, "finished twice"
                assert effect.flush is self.started[key]
                self.finished[key] = effect

    @rule(position=st.integers(0, 2))
    def take_position(self, position: int) -> None:
        self.pipeline.position = position

    @rule()
    def settle(self) -> None:
        self.pipeline.settled(self.now)
        self._drain()

    @rule()
    def start(self) -> None:
        key = f"group-{len(self.started)}"
        flush = Flush(
            group_key=key,
            route_id="{}",
            group_labels=Labels(),
            options=ROUTE.options,
            alerts=(alert(alertname=key),),
            now=self.now,
            deadline=self.now + 30 * SECOND,
        )
        self.started[key] = flush
        self.pipeline.start(flush, self.now)
        self._drain()

    @rule(milliseconds=st.sampled_from([0, 1, 300, 1000, 5000, 12000]))
    def wait(self, milliseconds: int) -> None:
        end = self.now + milliseconds * 1_000_000
        steps = 0
        while (due := self.pipeline.next_timeout()) is not None and due <= end:
            self.now = max(self.now, due)
            self.pipeline.handle_timeout(self.now)
            for number, attempt in list(self.open.items()):
                if self.now >= attempt.deadline + ATTEMPT_GRACE:
                    self.overdue[number] = self.open.pop(number)
                    self.failed.add((attempt.notification.group_key, attempt.integration.index))
            self._drain()
            steps += 1
            assert steps < 1000, "time does not pass"
        self.now = end

    def _some_attempt(self, which: int) -> Attempt:
        number = sorted(self.open)[which % len(self.open)]
        return self.open.pop(number)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 5))
    def succeed(self, which: int) -> None:
        attempt = self._some_attempt(which)
        self.succeeded[attempt.notification.group_key, attempt.integration.index] += 1
        self.pipeline.attempt_succeeded(attempt.id, self.now)
        self._drain()

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 5), retry=st.booleans())
    def fail(self, which: int, retry: bool) -> None:
        attempt = self._some_attempt(which)
        if not retry or self.now >= attempt.deadline:
            self.failed.add((attempt.notification.group_key, attempt.integration.index))
        self.pipeline.attempt_failed(attempt.id, self.now, retry, "other")
        self._drain()

    @precondition(lambda self: self.overdue)
    @rule(success=st.booleans())
    def report_too_late(self, success: bool) -> None:
        number, _ = self.overdue.popitem()
        if success:
            self.pipeline.attempt_succeeded(number, self.now)
        else:
            self.pipeline.attempt_failed(number, self.now, True, "other")
        assert self.pipeline.drain() == []

    @invariant()
    def the_log_holds_each_success_once_and_nothing_else(self) -> None:
        logged = {(key[0].decode(), key[1].index) for key in (entry.key for entry in self.log)}
        assert logged == set(self.succeeded)
        assert self.records == len(self.succeeded)

    @invariant()
    def a_flush_is_a_success_if_every_integration_was(self) -> None:
        for key, finished in self.finished.items():
            assert finished.success is all(self.succeeded[key, index] for index in range(HOOKS))

    def teardown(self) -> None:
        for _ in range(10):
            self.wait(12_000)
        assert set(self.finished) == set(self.started), "every flush ends"
        assert self.pipeline.next_timeout() is None


TestPipelineMachine = PipelineMachine.TestCase
TestPipelineMachine.settings = settings(max_examples=many(100), stateful_step_count=40)


def test_what_queued_until_its_time_was_over_is_not_begun() -> None:
    """The places of the first two are free a second after their deadline, which is the third one's."""
    machine = PipelineMachine()
    machine.settle()
    machine.start()
    machine.start()
    machine.wait(1000)
    machine.start()
    machine.teardown()
    assert not machine.finished["group-2"].success
