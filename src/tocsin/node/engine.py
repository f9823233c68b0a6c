"""From alerts to notifications, for one configuration: runs dispatcher and pipeline, makes the attempts."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import field
from importlib import import_module
from random import Random
from typing import Any, Final, Protocol

from tocsin.aio import MachineShell
from tocsin.alerting.alert import Alert
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.decisions import Decision
from tocsin.alerting.effects import Attempt, FlushFinished, Record
from tocsin.alerting.flow import AlertFlow, FlowEffect, FlushHeld, IntentsPending
from tocsin.alerting.group import Flush
from tocsin.alerting.grouping import Grouping
from tocsin.alerting.intent import Intents
from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import PatientMuter
from tocsin.alerting.nflog import Entry, LogKey, LogReader
from tocsin.alerting.notification import Notification
from tocsin.alerting.pipeline import Pipeline
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.timestamp import Nanoseconds, in_seconds
from tocsin.dataclass import dataclass
from tocsin.errors import StateError
from tocsin.node.clock import Clock
from tocsin.node.log import Logger
from tocsin.node.lookups import KNOWN_AT_ONCE, LookUps
from tocsin.notify.integrations.base import Outcome
from tocsin.notify.integrations.sender import Pace, Sender

ANNOUNCE_DELAY: Final = 0.003
"""Seconds in which announcements gather, so that many leave in few packets."""
LOADING_SECONDS: Final = 3.0
"""For how long groups wait for what senders load; attempts wait for the rest on a machine that is so busy."""
UnderWay = tuple[Notification, asyncio.Task[Outcome]]
Around = Callable[[Attempt, Coroutine[Any, Any, Outcome]], Awaitable[Outcome]]
"""Awaits what makes an attempt."""


class Latency(Protocol):
    """Gets the time of an attempt, in seconds."""

    def __call__(self, integration: str, receiver: str, seconds: float, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineServices:
    """What all engines of a node share; it outlives them."""

    clock: Clock
    silences: PatientMuter
    notification_log: LogReader
    remembered: Remembered
    peer_timeout: Nanoseconds
    random: Random
    log: Logger
    on_recorded: Callable[[Sequence[Entry]], None]
    """Gets entries of the notification log, to be persisted and gossiped."""
    on_latency: Latency
    intents: Intents = field(default_factory=Intents)
    on_announced: Callable[[Sequence[bytes]], None] = lambda _payloads: None
    """Gets the payloads for the peers that understand intents."""
    around: Around | None = None
    """Awaits what makes an attempt."""
    look_ups: LookUps | None = None
    """Default: one of its own."""
    start_delay: Callable[[], Nanoseconds] = lambda: 0
    """What is left of ``--dispatch.start-delay``, whatever is reloaded: for so long no group is flushed."""
    withhold: bool = False
    """In shadow: nothing is sent, recorded or announced, and what would be is among what was decided."""


class Engine:
    """The alert flow of one configuration. A reload makes a new engine and retires the old one.

    ``senders`` has one for each integration of each receiver, by (receiver, kind, index). ``on_decided`` gets
    what was decided about each flush, and why, and its end.
    """

    def __init__(
        self,
        config: AlertmanagerConfig,
        senders: Mapping[tuple[str, str, int], Sender],
        services: EngineServices,
        *,
        on_decided: Callable[[Sequence[Decision | FlushFinished]], None] = lambda _decided: None,
        previous: Engine | None = None,
    ) -> None:
        now = services.clock.now()
        self.config = config
        regrouped = previous._regrouping if previous is not None else None
        grouping = regrouped if regrouped is not None else Grouping(config, now, services.start_delay())
        self.inhibitor, self.dispatcher = grouping.inhibitor, grouping.dispatcher
        self._grouping = grouping
        self._regrouping: Grouping | None = None
        self.intents = services.intents
        self.pipeline: Pipeline = Pipeline(
            config=config,
            silences=services.silences,
            inhibitor=self.inhibitor,
            notification_log=services.notification_log,
            peer_timeout_ns=services.peer_timeout,
            random=services.random,
            intents=self.intents,
            current=self.dispatcher.current,
            remembered=services.remembered,
            withhold=services.withhold,
        )
        if previous is not None:  # Counters only grow, whatever is reloaded.
            self.dispatcher.statistics = previous.dispatcher.statistics
        self._clock = services.clock
        self._senders = senders
        self._log = services.log
        self._on_recorded = services.on_recorded
        self._on_latency = services.on_latency
        self._on_announced = services.on_announced
        self._on_decided = on_decided
        self._around = services.around
        self._look_ups = services.look_ups or LookUps(services.silences)
        self._looking_up: set[asyncio.Task[None]] = set()
        self._starts = Pace()
        self._start_delay = services.start_delay
        self._withhold = services.withhold
        self._retired = False
        self._attempts: set[asyncio.Task[Outcome]] = set()
        self._under_way: dict[LogKey, UnderWay] = {}
        self._inherited: dict[LogKey, UnderWay] = {}
        if previous is not None:  # Earlier engines finish the attempts that they have begun.
            earlier = {**previous._inherited, **previous._under_way}
            self._inherited = {group: each for group, each in earlier.items() if not each[1].done()}
        self._closing: asyncio.Task[None] | None = None
        self._flow = AlertFlow(grouping, self.pipeline, self.intents, hold=self._must_look_up)
        self._shell = MachineShell(self._flow, services.clock, self._perform)
        self._loading: asyncio.Task[None] | None = None
        needed = {module for sender in senders.values() for module in sender.needs}
        self._missing = needed - sys.modules.keys()
        if len(self.dispatcher):
            self._load_missing()

    def insert(self, alerts: Iterable[Alert]) -> None:
        """Take in alerts as the store has merged them."""
        now = self._clock.now()
        listed = list(alerts)
        self._grouping.insert(listed, now)
        if self._regrouping is not None:
            self._regrouping.insert(listed, now)
        if self._missing and self._loading is None:
            self._load_missing()
        self._shell.arm()

    async def regroup(self, config: AlertmanagerConfig, alerts: Alerts) -> None:
        """Group all alerts by ``config``, in small steps, while this engine goes on: its successor
        begins with that."""
        grouping = self._regrouping = Grouping(config, self._clock.now(), self._start_delay())
        for each in grouping.slices(alerts.all()):
            # What was reported meanwhile is grouped already.
            grouping.insert((one for one in each if alerts.get(one.fingerprint) is one), self._clock.now())
            await asyncio.sleep(0)

    def settle(self) -> None:
        """The cluster has settled, or there is none: notifications may go out."""
        now = self._clock.now()
        self.pipeline.settled(now)
        self._run(now)

    def unsettle(self) -> None:
        """The node may have missed something: nothing new goes out until :meth:`settle`."""
        self.pipeline.unsettled()

    def set_members(self, position: int, peers: frozenset[str], others: int) -> None:
        """Our position among the cluster's members, the names of those others that understand intents, and
        how many others there are."""
        now = self._clock.now()
        if others:
            self.pipeline.peers_seen()
        self.pipeline.wake(self.intents.members(position, peers, now), now)
        self.pipeline.position = position
        self._run(now)

    def receive_intents(self, payload: bytes, source: str) -> None:
        """A peer announced what it is about to send, or has sent."""
        now = self._clock.now()
        try:
            keys = self.intents.receive(payload, now)
        except StateError as error:
            self._log.debug("intents from peer refused", source=source, error=str(error))
            return
        if keys:
            self.pipeline.wake(keys, now)
        self._shell.arm()

    def rearm(self) -> None:
        """The notification log or the silences changed from outside."""
        self._shell.arm()

    def retire(self) -> None:
        """Begin nothing more. What is being sent ends and is recorded, so that the successor knows of it."""
        self._retired = True
        for task in self._looking_up:
            task.cancel()
        if self._loading is not None:
            self._loading.cancel()
        self._shell.stop()
        self.pipeline.retire(self._clock.now())
        if self._withhold:  # The decisions just made are to be compared.
            self._shell.perform()
        if not self._attempts:
            self._spawn_close()

    async def close(self, grace: float) -> None:
        """Retire, and give what is being sent ``grace`` seconds to end."""
        self.retire()
        if self._attempts:
            _, pending = await asyncio.wait(self._attempts, timeout=grace)
            for task in pending:
                task.cancel()
            if pending:
                self._log.warn("notifications cancelled by the shutdown", count=len(pending))
                await asyncio.wait(pending)
        if self._closing is not None:
            await self._closing

    def _run(self, now: Nanoseconds) -> None:
        try:
            if not self._retired:
                self._flow.handle_timeout(now)
        finally:  # A bug in one flush keeps nothing else from being recorded or sent.
            self._shell.run()

    def _load_missing(self) -> None:
        """Load what the senders need, and flush groups once that is done: an attempt that waits for it would
        have less than its time, which begins with the flush."""
        if self._missing and not self._withhold:
            self._flow.pause()
            self._loading = asyncio.get_running_loop().create_task(self._loaded())

    async def _loaded(self) -> None:
        loading = asyncio.ensure_future(asyncio.to_thread(self._import_missing))
        await asyncio.wait([loading], timeout=LOADING_SECONDS)
        self._missing = set()
        self._flow.resume()
        self._run(self._clock.now())

    def _import_missing(self) -> None:
        try:
            for module in sorted(self._missing):
                import_module(module)
        except Exception as error:  # Each attempt that needs it reports it once more.
            self._log.warn("loading a library of receivers failed", err=repr(error))

    def _must_look_up(self, flush: Flush) -> bool:
        if len(flush.alerts) > KNOWN_AT_ONCE:
            return True
        try:
            return not self._look_ups.at_once([alert.labels for alert in flush.alerts])
        except Exception:  # A bug, which _start_later comes upon and reports.
            return True

    async def _start_later(self, flush: Flush) -> None:
        """Start a flush once it is known which silences match its alerts."""
        try:
            await self._look_ups.find_all([alert.labels for alert in flush.alerts])
        except Exception as error:
            # A bug there must not keep the group from being notified: they are looked up once more below.
            self._log.error("looking up silences failed", group_key=flush.group_key, err=repr(error))
        await self._starts.wait()  # Hundreds of lookups may end at the same moment.
        if not self._retired:
            now = self._clock.now()
            self._flow.start(flush, now)
            self._run(now)

    def _perform(self, effects: Sequence[FlowEffect]) -> None:
        recorded: list[Entry] = []
        decided: list[Decision | FlushFinished] = []
        for effect in effects:
            match effect:
                case Attempt():
                    if not self._retired:
                        self._begin(effect)
                case Record(entry=entry):
                    recorded.append(entry)
                case FlushFinished(flush=flush, success=success, error=error):
                    decided.append(effect)
                    if not success:
                        self._log.error("notify for alerts failed", num_alerts=len(flush.alerts), err=error)
                    self.dispatcher.flushed(flush, self._clock.now(), success)
                case FlushHeld(flush=flush):
                    task = asyncio.get_running_loop().create_task(self._start_later(flush))
                    self._looking_up.add(task)
                    task.add_done_callback(self._looking_up.discard)
                case IntentsPending():
                    asyncio.get_running_loop().call_later(ANNOUNCE_DELAY, self._announce)
                case decision:
                    decided.append(decision)
        if decided:  # before the entries: the transaction that keeps them takes these along
            self._on_decided(decided)
        if recorded:
            self._on_recorded(recorded)

    def _announce(self) -> None:
        self._on_announced(self._flow.announcements())

    def _begin(self, attempt: Attempt) -> None:
        group = (attempt.integration.log_receiver, attempt.notification.group_key)
        task = asyncio.get_running_loop().create_task(self._attempt(attempt, group))
        self._attempts.add(task)
        self._under_way[group] = attempt.notification, task
        task.add_done_callback(lambda task: self._ended(group, task))

    def _ended(self, group: LogKey, task: asyncio.Task[Outcome]) -> None:
        self._attempts.discard(task)
        if group in self._under_way and self._under_way[group][1] is task:
            del self._under_way[group]
        if self._retired and not self._attempts:
            self._spawn_close()

    async def _attempt(self, attempt: Attempt, group: LogKey) -> Outcome:
        integration = attempt.integration
        sender = self._senders[integration.receiver, integration.integration, integration.index]
        began = self._clock.now()
        try:
            outcome = await self._inherit(attempt, group)
            if outcome is None:
                sending = sender.send(attempt.notification, attempt.deadline)
                outcome = await (self._around(attempt, sending) if self._around is not None else sending)
        except Exception as error:
            # A sender's bug must cost this one attempt, not the flow.
            outcome = Outcome(success=False, retry=True, reason="other", error=repr(error))
        now = self._clock.now()
        self._on_latency(integration.integration, integration.receiver, in_seconds(max(now - began, 0)))
        if outcome.success:
            self._log.debug("notify success", integration=str(integration))
            self.pipeline.attempt_succeeded(attempt.id, now, outcome.receiver_data)
        else:
            self._log.warn("notify attempt failed", integration=str(integration), err=outcome.error)
            self.pipeline.attempt_failed(attempt.id, now, outcome.retry, outcome.reason, outcome.error)
        self._run(now)
        return outcome

    async def _inherit(self, attempt: Attempt, group: LogKey) -> Outcome | None:
        """A reload while the group was being notified: wait for that, and take its outcome if it sent the
        same."""
        if group not in self._inherited:
            return None
        notification, task = self._inherited.pop(group)
        left = in_seconds(attempt.deadline - self._clock.now())
        await asyncio.wait([task], timeout=max(left, 0.0))
        told = task.done() and not task.cancelled() and task.exception() is None and task.result().success
        if told and _content(notification) == _content(attempt.notification):
            return task.result()
        if self._retired:
            return Outcome(success=False, retry=True, reason="other", error="the configuration was replaced")
        return None

    def _spawn_close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close_senders())

    async def _close_senders(self) -> None:
        for sender in self._senders.values():
            await sender.close()
        # Each holds what belongs to this engine: groups, alerts and a configuration would stay until the next
        # full collection, and there would be one of each for every reload until then.
        self._shell.end()
        self._flow.end()


def _content(notification: Notification) -> set[tuple[Labels, bool]]:
    return {(alert.labels, alert.resolved_at(notification.now)) for alert in notification.alerts}
