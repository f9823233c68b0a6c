"""What is muted is found in steps: there may be thousands of alerts, and of silences for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest

from tests.support.routing import T0, alert, one_receiver, one_route
from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import Muted
from tocsin.alerting.delivery import STEPS
from tocsin.alerting.effects import Attempt, FlushFinished, PipelineEffect
from tocsin.alerting.group import Flush
from tocsin.alerting.inhibit import Inhibitor
from tocsin.alerting.labels import Labels
from tocsin.alerting.nflog import NotificationLog, Receiver
from tocsin.alerting.pipeline import BATCH_STEPS, Pipeline
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.node.config.alertmanager import AlertmanagerConfig

HOOK = Receiver("hook", "webhook", 0)


class Costly:
    """Silences ``muted``; the answer about an alert named ``slow`` takes many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.taken = 0
        self.asked_as_of: list[Nanoseconds] = []

    def mutes(self, labels: Labels, _now: Nanoseconds, /) -> tuple[str, ...]:
        return ("by",) if labels.value("alertname") == "muted" else ()

    def muting(self, labels: Labels, now: Nanoseconds, _most: int, /) -> Steps[tuple[str, ...]]:
        self.asked_as_of.append(now)
        for _ in range(self.steps if labels.value("alertname") == "slow" else 0):
            self.taken += 1
            yield
        return self.mutes(labels, now)


class World:
    """A pipeline at a time that does not pass. ``current``: what every group holds."""

    def __init__(
        self, steps: int, *, current: tuple[Alert, ...] | None = None, withhold: bool = False
    ) -> None:
        config = one_receiver(one_route())
        self.options = config.route.options
        self.silences = Costly(steps)
        self.log = NotificationLog(3600 * SECOND)
        self.pipeline = Pipeline(
            config=AlertmanagerConfig(route=config.route, receivers=config.receivers),
            silences=self.silences,
            inhibitor=Inhibitor(()),
            notification_log=self.log,
            peer_timeout_ns=15 * SECOND,
            random=Random(1),
            current=lambda _flush, _now: current,
            withhold=withhold,
        )
        self.pipeline.settled(T0)
        self.turns: list[int] = []

    def start(self, key: str, *names: str) -> None:
        alerts = tuple(alert(alertname=name, number=str(each)) for each, name in enumerate(names))
        options = self.options
        flush = Flush(
            group_key=key,
            route_id="{}",
            group_labels=Labels(),
            options=options,
            alerts=alerts,
            now=T0,
            deadline=T0 + options.group_interval,
        )
        self._turn(lambda: self.pipeline.start(flush, T0))

    def turn(self, now: Nanoseconds) -> list[PipelineEffect]:
        self._turn(lambda: self.pipeline.handle_timeout(now))
        return list(self.pipeline.drain())

    def _turn(self, act: Callable[[], None]) -> None:
        before = self.silences.taken
        act()
        self.turns.append(self.silences.taken - before)

    def play(self) -> list[PipelineEffect]:
        """Until nothing is due at once."""
        effects = list(self.pipeline.drain())
        while (due := self.pipeline.next_timeout()) is not None and due <= T0 + SECOND:
            effects += self.turn(due)
        return effects


def told(effects: Sequence[PipelineEffect]) -> list[tuple[str, int]]:
    return [
        (each.notification.group_key, len(each.notification.alerts))
        for each in effects
        if isinstance(each, Attempt)
    ]


def test_a_flush_gives_way_while_it_is_found_what_is_muted() -> None:
    world = World(10 * BATCH_STEPS)
    world.start("a", "slow", "muted", "slow")
    effects = world.play()
    assert told(effects) == [("a", 2)]
    [muted] = [each for each in effects if isinstance(each, Muted)]
    assert [each.by for each in muted.alerts] == [("by",)]
    assert sum(world.turns) == 20 * BATCH_STEPS
    assert max(world.turns) == BATCH_STEPS


def test_another_group_does_not_wait_until_a_costly_one_is_through() -> None:
    world = World(100 * BATCH_STEPS)
    world.start("costly", "slow", "muted")
    world.start("quick", "muted", "told")
    effects: list[PipelineEffect] = list(world.pipeline.drain())
    while not told(effects):
        effects += world.turn(T0)
    assert told(effects) == [("quick", 1)]
    assert len(world.turns) < 8
    assert told(world.play()) == [("costly", 1)]


def test_what_all_flushes_of_a_turn_take_together_is_bounded() -> None:
    world = World(BATCH_STEPS - 1)
    for number in range(20):
        world.start(str(number), "slow")
    assert sum(world.turns) == BATCH_STEPS, "no time has passed for the pipeline"
    assert len(told(world.play())) == 20


def test_a_costly_flush_of_muted_alerts_ends() -> None:
    world = World(2 * BATCH_STEPS)
    world.start("a", "muted", "muted")
    [_, finished] = world.play()
    assert isinstance(finished, FlushFinished)
    assert finished.success


def test_what_was_begun_in_shadow_is_decided_when_the_configuration_is_replaced() -> None:
    world = World(5 * BATCH_STEPS, withhold=True)
    world.start("a", "slow")
    world.pipeline.retire(T0)
    [*_, finished] = world.pipeline.drain()
    assert isinstance(finished, FlushFinished)


def test_what_is_chosen_anew_after_a_peer_has_told_is_found_in_steps_too() -> None:
    held = (alert(alertname="slow"), alert(alertname="muted"), alert(alertname="new"))
    world = World(0, current=held)
    world.start("{}:{}", "slow", "new")
    world.turns.clear()
    [attempt] = [each for each in world.pipeline.drain() if isinstance(each, Attempt)]
    world.silences.steps = 4 * STEPS
    world.log.log(HOOK, "{}:{}", (1,), (), T0, 0)
    world.pipeline.attempt_failed(attempt.id, T0, retry=True, reason="other")
    effects = world.play()
    assert max(world.turns) == STEPS
    assert sum(world.turns) == 4 * STEPS
    assert [len(each.alerts) for each in effects if isinstance(each, Muted)] == [1]
    assert told(effects) == [("{}:{}", 2)]


def test_silences_are_asked_as_of_the_turn_and_not_of_the_beginning() -> None:
    """Those that have ended meanwhile would be put back into the index, in one go and again and again."""
    world = World(2 * BATCH_STEPS, current=(alert(alertname="slow"), alert(alertname="told")))
    world.start("{}:{}", "slow", "told")
    effects: list[PipelineEffect] = []
    for second in range(1, 5):
        effects += world.turn(T0 + second * SECOND)
    [attempt] = [each for each in effects if isinstance(each, Attempt)]
    assert world.silences.asked_as_of[0] == T0
    assert world.silences.asked_as_of[1] > T0
    world.silences.steps = 2 * STEPS
    world.log.log(HOOK, "{}:{}", (1,), (), T0, 0)
    world.pipeline.attempt_failed(attempt.id, T0 + 4 * SECOND, retry=True, reason="other")
    for second in range(6, 10):
        world.turn(T0 + second * SECOND)
    [_, _, began, ended] = world.silences.asked_as_of
    assert began < ended


def test_what_a_peer_notifies_while_it_is_found_what_to_send_is_not_notified_again() -> None:
    held = alert(alertname="slow", number="0"), alert(alertname="short", number="1", ends_at=T0 + SECOND)
    world = World(0, current=held)
    world.start("{}:{}", "slow", "short")
    [attempt] = [each for each in world.pipeline.drain() if isinstance(each, Attempt)]
    world.silences.steps = 4 * STEPS
    world.log.log(HOOK, "{}:{}", (1,), (), T0 + SECOND, 0)
    world.pipeline.attempt_failed(attempt.id, T0 + SECOND, retry=True, reason="other")
    world.turn(T0 + 4 * SECOND)
    slow, short = [each.labels.hash for each in held]
    world.log.log(HOOK, "{}:{}", (slow,), (short,), T0 + 4 * SECOND, 0)
    effects = [effect for each in range(40) for effect in world.turn(T0 + 4 * SECOND + each + 1)]
    assert told(effects) == []
    assert any(isinstance(each, FlushFinished) and each.success for each in effects)


@pytest.mark.parametrize("notifies", [True, False])
def test_a_choice_that_took_long_is_made_anew_and_not_for_ever(notifies: bool) -> None:
    held = (alert(alertname="slow"), alert(alertname="told"))
    world = World(0, current=held)
    world.start("{}:{}", "slow")
    [attempt] = [each for each in world.pipeline.drain() if isinstance(each, Attempt)]
    world.silences.steps = 2 * STEPS
    world.log.log(HOOK, "{}:{}", (1,), (), T0, 0)
    world.pipeline.attempt_failed(attempt.id, T0, retry=True, reason="other")
    began = len(world.silences.asked_as_of)
    effects: list[PipelineEffect] = []
    for turn in range(1, 20):
        now = T0 + turn * (SECOND if notifies else 4 * SECOND)
        effects += world.turn(now)
        if told(effects):
            break
        if notifies:  # A peer that has always just notified something else.
            world.log.log(HOOK, "{}:{}", (1 + turn,), (), now, 0)
    assert told(effects) == [("{}:{}", 2)]
    assert len(world.silences.asked_as_of) - began == 3 * len(held)


def test_a_choice_is_not_made_anew_where_it_would_not_be_done_by_the_deadline() -> None:
    held = (alert(alertname="slow"), alert(alertname="told"))
    world = World(0, current=held)
    world.start("{}:{}", "slow")
    [attempt] = [each for each in world.pipeline.drain() if isinstance(each, Attempt)]
    world.silences.steps = 2 * STEPS
    world.log.log(HOOK, "{}:{}", (1,), (), T0, 0)
    world.pipeline.attempt_failed(attempt.id, T0, retry=True, reason="other")
    effects: list[PipelineEffect] = []
    for turn in range(1, 6):  # Two fifths of the time pass with the first choice.
        effects += world.turn(T0 + turn * world.options.group_interval // 5)
    assert told(effects) == [("{}:{}", 2)]


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_a_deadline_that_passes_meanwhile_ends_the_delivery(turns: int) -> None:
    world = World(0, current=(alert(alertname="slow"),))
    world.start("{}:{}", "slow")
    [attempt] = [each for each in world.pipeline.drain() if isinstance(each, Attempt)]
    world.silences.steps = 10 * STEPS
    world.log.log(HOOK, "{}:{}", (1,), (), T0, 0)
    world.pipeline.attempt_failed(attempt.id, T0, retry=True, reason="other")
    world.pipeline.drain()
    for _ in range(turns):
        world.turn(T0 + SECOND)
    [*_, finished] = world.turn(T0 + world.options.group_interval)
    assert isinstance(finished, FlushFinished)
    assert not finished.success
    assert world.pipeline.next_timeout() is None
