"""The alert flow of one configuration, as one machine: groups, intents and pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tocsin.alerting.effects import FlushFinished, PipelineEffect
from tocsin.alerting.group import Flush
from tocsin.alerting.grouping import Grouping
from tocsin.alerting.intent import Intents
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class FlushHeld:
    """A group has begun a flush that :meth:`AlertFlow.start` is to be called with, once it can be."""

    flush: Flush


@dataclass(frozen=True, slots=True)
class IntentsPending:
    """There is something to announce to peers: call :meth:`AlertFlow.announcements`. A few milliseconds later
    is early enough, so that many leave in few packets."""


FlowEffect: TypeAlias = PipelineEffect | FlushHeld | IntentsPending


def _never(_flush: Flush) -> bool:
    return False


class AlertFlow:
    """What the dispatcher flushes goes into the pipeline; with ``hold`` true of it, when it is started.
    ``hold`` must not raise."""

    def __init__(
        self,
        grouping: Grouping,
        pipeline: Pipeline,
        intents: Intents,
        *,
        hold: Callable[[Flush], bool] = _never,
    ) -> None:
        self.dispatcher = grouping.dispatcher
        self.pipeline = pipeline
        self.intents = intents
        self._hold = hold
        self._held: list[FlowEffect] = []
        self._pending_reported = False
        self._paused = False

    def pause(self) -> None:
        """Flush no group until :meth:`resume`: attempts could not begin yet, and would lose of their time."""
        self._paused = True

    def resume(self) -> None:
        """Flush groups again; those that came due meanwhile at the next timeout."""
        self._paused = False

    def end(self) -> None:
        """Flush no group any more, and let go of who holds flushes."""
        self._paused = True
        self._hold = _never

    def start(self, flush: Flush, now: Nanoseconds) -> None:
        """Let a flush that was held go on."""
        try:
            self.pipeline.start(flush, now)
        except Exception as error:  # A bug costs this flush and no other; the group is flushed again.
            failed = FlushFinished(flush, success=False, error=f"starting the flush failed: {error!r}")
            self._held.append(failed)

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` is to be called next."""
        flush = None if self._paused else self.dispatcher.next_timeout()
        due = (flush, self.pipeline.next_timeout(), self.intents.next_timeout())
        return min((when for when in due if when is not None), default=None)

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Flush the groups that are due, and move on whatever is."""
        self.intents.handle_timeout(now)
        if not self._paused:
            self.dispatcher.handle_timeout(now)
        for flush in self.dispatcher.drain():
            if self._hold(flush):
                self._held.append(FlushHeld(flush))
            else:
                self.start(flush, now)
        self.pipeline.handle_timeout(now)

    def drain(self) -> list[FlowEffect]:
        """What is to be done and what was decided, in order, since the last call."""
        effects, self._held = self._held, []
        effects += self.pipeline.drain()
        if self.intents.pending and not self._pending_reported:
            self._pending_reported = True
            effects.append(IntentsPending())
        return effects

    def announcements(self) -> list[bytes]:
        """Payloads for every live peer that knows intents."""
        self._pending_reported = False
        return self.intents.drain()
