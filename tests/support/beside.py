"""Two alert flows under virtual time: one that notifies, and one in shadow that compares."""

from __future__ import annotations

from random import Random

from simulation.alerting import NoSilences
from tocsin.alerting.alert import Alert
from tocsin.alerting.effects import Attempt, FlushFinished, PipelineEffect, Record
from tocsin.alerting.grouping import Grouping
from tocsin.alerting.muting import Muter
from tocsin.alerting.nflog import NotificationLog
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.shadow.model import Judgement
from tocsin.alerting.shadow.shadow import Shadow
from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds
from tocsin.node.config.alertmanager import AlertmanagerConfig

HOUR = 3600 * SECOND


class Side:
    """Groups and a pipeline."""

    def __init__(
        self,
        config: AlertmanagerConfig,
        log: NotificationLog | Shadow,
        silences: Muter,
        now: Nanoseconds,
        *,
        withhold: bool,
    ) -> None:
        self.grouping = Grouping(config, now)
        self.remembered = Remembered()
        self.pipeline = Pipeline(
            config=config,
            silences=silences,
            inhibitor=self.grouping.inhibitor,
            notification_log=log,
            peer_timeout_ns=SECOND,
            random=Random(1),
            current=self.grouping.dispatcher.current,
            remembered=self.remembered,
            withhold=withhold,
        )
        self.pipeline.settled(now)

    def next_timeout(self) -> Nanoseconds | None:
        due = self.grouping.dispatcher.next_timeout(), self.pipeline.next_timeout()
        return min((each for each in due if each is not None), default=None)

    def step(self, now: Nanoseconds) -> list[PipelineEffect]:
        dispatcher = self.grouping.dispatcher
        dispatcher.handle_timeout(now)
        for flush in dispatcher.drain():
            self.pipeline.start(flush, now)
        self.pipeline.handle_timeout(now)
        effects = self.pipeline.drain()
        for each in effects:
            if isinstance(each, FlushFinished):
                dispatcher.flushed(each.flush, now, each.success)
        return effects


class Beside:
    """``theirs`` sends and logs ``latency`` later; ``ours`` is in shadow."""

    def __init__(
        self,
        theirs: AlertmanagerConfig,
        ours: AlertmanagerConfig,
        now: Nanoseconds,
        *,
        latency: Nanoseconds = 20 * MILLISECOND,
        silences: tuple[Muter, Muter] = (NoSilences(), NoSilences()),
    ) -> None:
        self.now = now
        self.latency = latency
        self.log = NotificationLog(
            100 * HOUR, heard=lambda entry, previous: self.shadow.heard(entry, previous, self.now)
        )
        self.shadow = Shadow(self.log, peer_timeout=SECOND)
        self.shadow.members(1)
        self.shadow.configured(ours, changed=False)
        self.shadow.begin(now)
        self.theirs = Side(theirs, self.log, silences[0], now, withhold=False)
        self.ours = Side(ours, self.shadow, silences[1], now, withhold=True)
        self.sent: list[Attempt] = []
        self.judged: list[Judgement] = []
        self._under_way: list[tuple[Nanoseconds, Attempt]] = []

    def post(self, *alerts: Alert) -> None:
        """Both sides get alerts."""
        for side in (self.theirs, self.ours):
            side.grouping.insert(alerts, self.now)
        self.settle()

    def settle(self) -> None:
        """All that is due now."""
        while self._step():
            pass

    def _step(self) -> bool:
        moved = False
        for when, attempt in list(self._under_way):
            if when <= self.now:
                self._under_way.remove((when, attempt))
                self.theirs.pipeline.attempt_succeeded(attempt.id, self.now)
                moved = True
        effects = self.theirs.step(self.now)
        for each in effects:
            if isinstance(each, Attempt):
                self.sent.append(each)
                self._under_way.append((self.now + self.latency, each))
            elif isinstance(each, Record):
                assert self.log.put(each.entry, self.now)
                self.theirs.remembered.recorded.stored(each.entry)
        decided = self.ours.step(self.now)
        assert not [each for each in decided if isinstance(each, (Attempt, Record))]
        withheld = [each for each in decided if not isinstance(each, (Attempt, Record))]
        for entry in self.shadow.decided(withheld, self.now):
            self.ours.remembered.recorded.stored(entry)
        self.shadow.handle_timeout(self.now)
        self.judged += self.shadow.drain()
        return moved or bool(effects) or bool(decided)

    def pass_time(self, span: Nanoseconds) -> None:
        """Let time pass, with everything that is due in it."""
        end = self.now + span
        while True:
            due = [self.theirs.next_timeout(), self.ours.next_timeout(), self.shadow.next_timeout()]
            due += [when for when, _ in self._under_way]
            next_one = min([each for each in due if each is not None], default=end)
            if next_one > end:
                break
            self.now = max(next_one, self.now)
            self.settle()
            if next_one >= end:
                break
        self.now = end
        self.settle()

    @property
    def counts(self) -> dict[str, int]:
        """By result."""
        found: dict[str, int] = {}
        for (result, _), count in self.shadow.results.counts.items():
            found[result] = found.get(result, 0) + count
        return found
