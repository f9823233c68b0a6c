"""Queues events and writes them: only the writing task waits for an output."""

from __future__ import annotations

import asyncio
import platform
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from tocsin import ALERTMANAGER_VERSION, __version__
from tocsin.aio.beside import Beside
from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.decisions import Decision
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.effects import FlushFinished
from tocsin.alerting.eventrecorder import events, schema
from tocsin.alerting.eventrecorder.events import Events, FlowEvents
from tocsin.alerting.eventrecorder.schema import Kind
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.node.clock import Clock
from tocsin.node.config.observing import EventRecorderConfig
from tocsin.node.eventrecorder.metrics import RecorderCollector
from tocsin.node.eventrecorder.outputs import Means, Output, Statistics, outputs_of
from tocsin.node.eventrecorder.recording import Decided
from tocsin.node.log import Logger
from tocsin.node.metrics import Metrics
from tocsin.notify.integrations.statistics import ClientStatistics

MAX_QUEUED: Final = 8192
"""Events that wait to be written; more are dropped and counted. As in Alertmanager."""
SLICE: Final = 64
"""Events that are encoded and written at a time."""
STOP: Final = 10.0
"""Seconds for writing queued events when the node stops."""
GRACE: Final = 5.0
"""Seconds of those for a webhook to post what it has accepted."""
OLD_GRACE: Final = 30.0
"""Seconds that a webhook gets after a reload has replaced it. As in Alertmanager."""

_Queued = tuple[Nanoseconds, int, Events]
_One = tuple[Nanoseconds, int, Events, tuple[Any, ...]]
"""An event: the time, the position at that time, its kind, and the arguments that it is made of."""


class EventRecorder:
    """Implements :class:`tocsin.node.eventrecorder.recording.Recording`. To be called on the event loop."""

    def __init__(
        self,
        config: EventRecorderConfig | None,
        *,
        silence: Callable[[str], Silence | None],
        clock: Clock,
        clients: ClientStatistics,
        log: Logger,
        instance: str = "",
    ) -> None:
        """``silence`` finds a silence by its id."""
        self.statistics = Statistics()
        self._config = config or EventRecorderConfig()
        self._wanted: EventRecorderConfig | None = None
        self._silence_of = silence
        self._clock = clock
        self._log = log
        self._clients = clients
        self._instance = instance or socket.gethostname()
        self._position: Callable[[], int] = int
        self._queue: deque[_Queued] = deque()
        self._first = 0  # of those that the queue begins with: what comes before is being written
        self.queued = 0
        """Events that wait to be written."""
        self._new: list[Alert] = []
        self._woken = asyncio.Event()
        self._closing = False
        self._outputs: list[Output] = []
        self._whole = False
        self._failing: set[str] = set()
        self._old: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        build = f"(python={platform.python_version()}, platform={sys.platform}/{platform.machine()}"
        self._put([events.started(ALERTMANAGER_VERSION, f"{build}, tocsin={__version__})")])

    def created(self, alert: Alert) -> None:
        """An alert that was not known was taken in, and will be put into its groups."""
        self._new.append(alert)

    def inserted(self, alerts: Sequence[Alert], dispatcher: Dispatcher) -> None:
        """Alerts were put into their groups."""
        now, new, self._new = self._clock.now(), self._new, []
        self._put((events.created(new, now), events.inserted(alerts, dispatcher, now)))

    def silence(self, verb: str, silence: Silence) -> None:
        """A silence was changed at this node."""
        self._put(events.silence_changed(verb, silence))

    def follow(self, config: AlertmanagerConfig) -> Decided:
        """Takes in what is decided under ``config``."""
        flow = FlowEvents(config, self._silence_of, self._instance)

        def decided(found: Sequence[Decision | FlushFinished]) -> None:
            self._put(flow.take(found, self._clock.now()))
            self.statistics.own.flushes_forgotten += flow.take_forgotten()

        return decided

    def start(self, position: Callable[[], int], metrics: Metrics) -> None:
        """Write from now on."""
        metrics.registry.register(RecorderCollector(self.statistics, lambda: self.queued))
        metrics.watch_statistics("event_recorder", lambda: self.statistics.own)
        self._position = position
        self._task = asyncio.get_running_loop().create_task(self._run())

    def configure(self, config: EventRecorderConfig | None) -> None:
        """Use the outputs of another configuration, if all of them can be opened."""
        self._wanted = config or EventRecorderConfig()
        self._woken.set()

    async def close(self) -> None:
        """The node has stopped: write the queued events."""
        self._put((events.stopped(),))
        self._closing = True
        self._woken.set()
        if self._task is None:
            return
        tasks = {self._task, *self._old}
        _, late = await asyncio.wait(tasks, timeout=STOP)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=GRACE)
        if self.queued:
            self._log.error("the event recorder loses events", count=self.queued, err="the node has stopped")

    def _put(self, happened: Iterable[Events]) -> None:
        try:
            now, position = self._clock.now(), self._position()
            for some in happened:
                room = MAX_QUEUED - self.queued
                each = some.each
                if len(each) > room:
                    self.statistics.dropped[some.kind] += len(each) - room
                    each = each[:room]
                if each:
                    self._queue.append((now, position, some._replace(each=each)))
                    self.queued += len(each)
        except Exception as error:  # A bug here must cost events only.
            self._failed(error)
        self._woken.set()

    async def _run(self) -> None:
        thread = Beside("events")
        means = Means(self.statistics, self._clients, self._log, thread)
        self._outputs, self._whole = await self._made(self._config, means)
        try:
            while await self._step(means):
                pass
        finally:
            await self._end(self._outputs, GRACE)
            thread.close()

    async def _step(self, means: Means) -> bool:
        """Do the next piece of work, or wait for it. False once the recorder has ended."""
        try:
            if self._wanted is not None:
                wanted, self._wanted = self._wanted, None
                await self._reconfigure(wanted, means)
            elif self.queued:
                await self._write(means.thread)
            elif self._closing:
                return False
            else:
                self._woken.clear()
                await self._woken.wait()
        except Exception as error:
            self._failed(error)
        return True

    async def _write(self, thread: Beside) -> None:
        some = self._next()
        try:
            lines = await thread.run(lambda: [self._encoded(each) for each in some])
            for output in self._outputs:
                await self._write_to(output, some, lines)
        finally:
            self.queued -= len(some)

    def _next(self) -> list[_One]:
        """The events to be written next. They count as queued until they are written."""
        found: list[_One] = []
        while self._queue and len(found) < SLICE:
            at, position, of = self._queue[0]
            each = of.each[self._first : self._first + SLICE - len(found)]
            found += [(at, position, of, one) for one in each]
            self._first += len(each)
            if self._first == len(of.each):
                self._queue.popleft()
                self._first = 0
        return found

    def _encoded(self, event: _One) -> bytes | str:
        """The event as a line, or the error."""
        at, position, of, one = event
        try:
            message = schema.envelope(
                of.kind, of.make(*one), at=at, instance=self._instance, position=max(position, 0)
            )
            return schema.encode(message, many=of.long)
        except ValueError as error:
            return str(error)

    async def _write_to(self, output: Output, some: Sequence[_One], lines: Sequence[bytes | str]) -> None:
        statistics, name = self.statistics, output.name
        good: list[tuple[Kind, bytes]] = []
        for (_, _, of, _), line in zip(some, lines, strict=True):
            if isinstance(line, bytes):
                good.append((of.kind, line))
                continue
            statistics.unencodable[of.kind] += 1
            statistics.recorded[of.kind, name, "error"] += 1
            self._log.warn("an event has no JSON", event_type=of.kind, output=name, err=line)
        results = await output.write([line for _, line in good])
        for (kind, _), result in zip(good, results, strict=True):
            if isinstance(result, int):
                statistics.recorded[kind, name, "success"] += 1
                statistics.written_bytes[kind, name] += result
            else:
                statistics.recorded[kind, name, "error"] += 1
        failed = next((result for result in results if isinstance(result, str)), "")
        if failed and name not in self._failing:
            self._failing.add(name)
            self._log.error("the event recorder loses events", output=name, err=failed)
        elif results and not failed and name in self._failing:
            self._failing.remove(name)
            self._log.info("events can be written again", output=name)

    async def _reconfigure(self, wanted: EventRecorderConfig, means: Means) -> None:
        if wanted == self._config and self._whole:
            return
        made, whole = await self._made(wanted, means)
        if not whole:
            self.statistics.own.reloads_failed += 1
            self._log.warn("the event recorder keeps its old outputs: not all of the new ones can be opened")
            await self._end(made, GRACE)
            return
        old, self._outputs, self._config, self._whole = self._outputs, made, wanted, True
        task = asyncio.get_running_loop().create_task(self._end(old, OLD_GRACE))
        self._old.add(task)
        task.add_done_callback(self._old.discard)
        self._log.info("event recorder configured", outputs=len(made))

    async def _made(self, config: EventRecorderConfig, means: Means) -> tuple[list[Output], bool]:
        """The outputs that can be opened, and whether these are all."""
        made: list[Output] = []
        whole = True
        for each in await means.thread.run(lambda: list(outputs_of(config, means))):
            try:
                made.append(await means.thread.run(each.make))
            except Exception as error:
                whole = False
                self._log.error(
                    "an output of the event recorder cannot be opened", output=each.name, err=error
                )
        return made, whole

    async def _end(self, outputs: Sequence[Output], grace: float) -> None:
        if outputs:
            await asyncio.gather(*(each.close(grace) for each in outputs), return_exceptions=True)

    def _failed(self, error: Exception) -> None:
        if not self.statistics.own.failures:
            self._log.warn("an event could not be recorded", err=repr(error))
        self.statistics.own.failures += 1
