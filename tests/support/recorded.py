"""A pipeline whose decisions are recorded: the real one, with a log that takes at once what it is given."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any

from tests.support.pipelines import PipelineBench
from tests.support.routing import T0
from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import Decision
from tocsin.alerting.effects import Attempt, FlushFinished, Record
from tocsin.alerting.nflog import Entry
from tocsin.alerting.record.model import FlushRecord
from tocsin.alerting.record.recorder import Recorder
from tocsin.alerting.timestamp import Nanoseconds


class RecordedPipeline(PipelineBench):
    """``node`` keeps a record of what it decides."""

    def __init__(self, *, node: str = "here", **more: Any) -> None:
        super().__init__(**more)
        self.recorder = Recorder(node, number=partial(next, count(1)))
        self.attempts: list[Attempt] = []
        self.told: list[FlushRecord] = []
        """Each record as it was to be kept, in order: the last one of a flush is the whole."""

    @property
    def last(self) -> FlushRecord:
        return self.told[-1]

    def under_way(self) -> list[FlushRecord]:
        return [raw.record() for raw in self.recorder.open()]

    def start(self, *alerts: Alert, now: Nanoseconds = T0, key: str = "{}:{}") -> None:
        self.pipeline.start(self.flush(*alerts, now=now, key=key), now)
        while (due := self.pipeline.next_timeout()) is not None and due <= now:  # It looks at many in steps.
            self.pipeline.handle_timeout(now)
        self._drain(now)

    def at(self, now: Nanoseconds) -> None:
        self.pipeline.handle_timeout(now)
        self._drain(now)

    def succeed(self, now: Nanoseconds, attempt: int = -1) -> None:
        self.pipeline.attempt_succeeded(self.attempts[attempt].id, now, {})
        self._drain(now)

    def fail(self, now: Nanoseconds, error: str, *, retry: bool = True, reason: str = "serverError") -> None:
        self.pipeline.attempt_failed(self.attempts[-1].id, now, retry, reason, error)
        self._drain(now)

    def merge(self, entry: Entry, now: Nanoseconds) -> None:
        """A peer has notified."""
        self.log.put(entry, now)
        self.at(now)

    def _drain(self, now: Nanoseconds) -> None:
        decided: list[Decision | FlushFinished] = []
        for effect in self.effects(now):
            match effect:
                case Attempt():
                    self.attempts.append(effect)
                case Record():
                    pass
                case _:
                    decided.append(effect)
        self.told += [raw.record() for raw in self.recorder.take(decided, now)]
