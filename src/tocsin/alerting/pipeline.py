"""The notification pipeline: what happens to a flush until it is sent, or need not be.

The stages, in Alertmanager's order: wait until the cluster has settled; drop what is inhibited, outside its
active or inside its mute time intervals, or silenced; then for each integration at the same time: wait for
the peers that come before us, read the notification log, send with retries, record in the log. From the
end of that wait on a flush at one integration is a :class:`~tocsin.alerting.delivery.Delivery`.

Pure: the node performs each ``Attempt`` and reports its end, and stores each ``Record``. What earlier peers
have sent reaches our log by gossip while we wait for them; if it does not, we send: a duplicate is better
than a loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import field
from itertools import count
from random import Random
from typing import TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.content import CurrentAlerts, DeliveryContext
from tocsin.alerting.decisions import Decision, Muted, Needed, Queued, Unsettled, Waiting
from tocsin.alerting.delivery import TIMED_OUT, Delivery, DeliveryEffect, DeliveryState
from tocsin.alerting.effects import Attempt, FlushFinished, PipelineEffect, Record
from tocsin.alerting.group import Flush
from tocsin.alerting.integration import IntegrationQueue, integrations
from tocsin.alerting.intent import GUARD, Intents
from tocsin.alerting.muting import Inhibitions, Muter, Muting, Unmuted
from tocsin.alerting.nflog import Entry, LogReader, LogView, ReceiverData
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.route import RouteOptions
from tocsin.alerting.statistics import PipelineStatistics
from tocsin.alerting.steps import Rounds
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.bounded import Timers
from tocsin.dataclass import dataclass

MAX_ATTEMPTS = 64
"""Attempts that one integration has under way at a time. Each has its own bound: a receiver that hangs holds
up nobody else."""
BATCH = 128
BATCH_ALERTS = 2048
"""Flushes and deliveries that one ``handle_timeout`` moves at most, and alerts that it evaluates: a few
milliseconds of work. It is then due again at once."""
BATCH_STEPS = 16
"""In which is found what is muted: in all that one ``handle_timeout`` begins or goes on with."""
MAX_WAITED_FOR = 20
"""Members before us that are waited for: five minutes. One can take very many names, and 128 of them would
keep us silent for half an hour. The price is a duplicate, where more than twenty are down."""
BATCH_QUEUED = 16
"""Deliveries that move up at the end of one attempt."""

Queue: TypeAlias = IntegrationQueue[Delivery]


@dataclass(eq=False, slots=True)
class FlushRun:
    """A flush on its way through the pipeline, and what is left of it."""

    flush: Flush
    deadline: Nanoseconds
    entries: tuple[Entry | None, ...] = ()
    """For each integration, the log's entry when the flush came."""
    remaining: int = 0
    """Deliveries that are not done."""
    errors: list[str] = field(default_factory=list)
    begun: bool = False


class Pipeline:
    """The pipeline of one configuration. A new configuration gets a new one; attempts of the old are void."""

    def __init__(
        self,
        *,
        config: AlertmanagerConfig,
        silences: Muter,
        inhibitor: Inhibitions,
        notification_log: LogReader,
        peer_timeout_ns: Nanoseconds,
        random: Random,
        intents: Intents | None = None,
        current: CurrentAlerts = lambda _flush, _now: None,
        max_attempts: int = MAX_ATTEMPTS,
        remembered: Remembered | None = None,
        withhold: bool = False,
    ) -> None:
        """``current`` returns what the group of a flush holds now, if it still does: see
        :meth:`tocsin.alerting.dispatch.Dispatcher.current`. Without it, what it held is sent.
        ``remembered``: that of the configuration before. ``withhold``: in shadow; all is decided, and
        where an attempt would begin there is a ``Withheld`` instead of it, so that no ``Attempt`` and no
        ``Record`` ever leaves."""
        self.position = 0
        """Our position among the cluster's members; 0 also without a cluster. May be set at any time: whoever
        is waiting then waits for the new position; call ``handle_timeout`` after it."""
        self.remembered = remembered if remembered is not None else Remembered()
        self._muting = Muting(inhibitor=inhibitor, silences=silences, time_intervals=config.time_intervals)
        self._peer_timeout = peer_timeout_ns
        self._queues: dict[str, list[Queue]] = {
            receiver.name: [IntegrationQueue(each, max_attempts) for each in integrations(receiver)]
            for receiver in config.receivers
        }
        self._intents = intents if intents is not None else Intents()
        self._log = LogView(notification_log, self.remembered.recorded)
        self._context = DeliveryContext(
            self._log, self._intents, self.remembered, self._muting, current, random, count(1), withhold
        )
        self._settled = False
        self._unsettled: deque[FlushRun] = deque()
        self._now: Nanoseconds = 0  # as last passed in, for what goes on in steps
        self._begun: Rounds[FlushRun, Unmuted] = Rounds(BATCH_STEPS)  # whose muted alerts are not known yet
        self._waiting: deque[Delivery] = deque()
        self._timers: Timers[FlushRun | Delivery | Queue, Nanoseconds] = Timers()
        self._open: dict[Delivery, tuple[FlushRun, Queue]] = {}
        self._attempts: dict[int, Delivery] = {}
        self._yielding: dict[bytes, dict[Delivery, None]] = {}
        self._claiming: dict[Delivery, None] = {}
        self._effects: list[PipelineEffect] = []

    @property
    def statistics(self) -> PipelineStatistics:
        """What is counted."""
        return self.remembered.statistics

    def peers_seen(self) -> None:
        """There is another member: what the log has may be what others have notified, and not yet this
        node."""
        self.remembered.has_had_peers = True

    # Flushes

    def start(self, flush: Flush, now: Nanoseconds) -> None:
        """Take in a flush. It ends with exactly one ``FlushFinished``."""
        queues = self._queues.get(flush.options.receiver, ())
        entries = tuple(
            self._log.query((queue.integration.log_receiver, flush.group_key)) for queue in queues
        )
        run = FlushRun(flush, flush.deadline + self._wait, entries)
        if self._settled and not self._unsettled:
            self._begin(run, now)
        else:
            self._unsettled.append(run)
            self._timers.set(run, run.deadline)
            self._effects.append(Unsettled(flush, now, run.deadline))

    def settled(self, now: Nanoseconds) -> None:
        """The cluster has settled, or there is none: flushes may go on. Call ``handle_timeout`` after it."""
        self._settled = True
        self._release_unsettled(now)

    def unsettled(self) -> None:
        """It is no longer known that we know what the others have sent: flushes wait for :meth:`settled`."""
        self._settled = False

    def _release_unsettled(self, now: Nanoseconds) -> None:
        flushes = alerts = 0
        while self._settled and self._unsettled and flushes < BATCH and alerts < BATCH_ALERTS:
            run = self._unsettled.popleft()
            if not run.begun:
                self._timers.cancel(run)
                self._begin(run, now)
                flushes += 1
                alerts += len(run.flush.alerts)

    def _begin(self, run: FlushRun, now: Nanoseconds) -> None:
        run.begun = True
        flush = run.flush
        queues = self._queues.get(flush.options.receiver)
        if queues is None:
            run.errors.append("stage for receiver missing")
            self._finish(run)
            return
        self._begun.add(run, self._muting.unmuted(flush, flush.alerts, lambda: self._now))
        self._mute(now)

    def _mute(self, now: Nanoseconds) -> None:
        """Find out what is muted, as far as that may be done now."""
        self._now = now
        for run, found in self._begun.go_on():
            if isinstance(found, Exception):  # A bug costs this flush; the group is flushed again.
                run.errors.append(f"finding out what is muted failed: {found!r}")
                self._finish(run)
            else:
                alerts, muted = found
                self._deliver(run, alerts, muted, now)

    def _deliver(
        self, run: FlushRun, alerts: tuple[Alert, ...], muted: Sequence[Muted], now: Nanoseconds
    ) -> None:
        flush, queues = run.flush, self._queues[run.flush.options.receiver]
        for decision in muted:
            self.statistics.count(decision)
        self._effects += muted
        if not alerts or not queues:
            self._finish(run)
            return
        run.remaining = len(queues)
        for queue, entry in zip(queues, run.entries, strict=True):
            delivery = Delivery(self._context, flush, queue.integration, alerts, seen=entry, now=now)
            self._open[delivery] = run, queue
            if self._silent_wait == 0:
                self._begin_delivery(delivery, now)
            else:
                self._waiting.append(delivery)
                until = now + self._silent_wait
                self._effects.append(Waiting(flush, queue.integration, now, self.position, until))

    def _finish(self, run: FlushRun) -> None:
        if not run.errors:
            self._remember_ends(run.flush)
        self._effects.append(FlushFinished(run.flush, not run.errors, "\n".join(run.errors)))

    def _remember_ends(self, flush: Flush) -> None:
        """The group lets go of what has ended."""
        ended = [alert for alert in flush.alerts if alert.resolved_at(flush.now)]
        if not ended:
            return
        unknown = self.remembered.unknown
        for queue in self._queues.get(flush.options.receiver, ()):
            key = queue.integration.log_receiver, flush.group_key
            entry = self._log.query(key)
            stamp, told = (entry.timestamp, set(entry.resolved_alerts)) if entry is not None else (0, set())
            for alert in ended:
                one = alert.labels.hash
                end = alert.ends_at if one in told else unknown.notified_end(key, one)
                unknown.ended(key, one, stamp, end)

    def muted_by(self, options: RouteOptions, now: Nanoseconds) -> tuple[str, ...]:
        """The names of the time intervals that mute a route at ``now``, for the API; empty if none does."""
        return self._muting.muted_by(options, now)

    # Waiting for earlier peers

    @property
    def _wait(self) -> Nanoseconds:
        return min(self.position, MAX_WAITED_FOR) * self._peer_timeout

    @property
    def _silent_wait(self) -> Nanoseconds:
        """The part of the wait that comes before a claim, which takes its own time."""
        return max(self._wait - GUARD, 0) if self._intents.peers else self._wait

    def _release_waiting(self, now: Nanoseconds) -> None:
        # All wait equally long, so the order in which they began is the order in which they end.
        latest_began = now - self._silent_wait
        deliveries = alerts = 0
        while self._waiting and deliveries < BATCH and alerts < BATCH_ALERTS:
            if self._waiting[0].began > latest_began:
                break
            delivery = self._waiting.popleft()
            deliveries += 1
            alerts += delivery.size
            self._begin_delivery(delivery, now)

    # Deliveries

    def _begin_delivery(self, delivery: Delivery, now: Nanoseconds) -> None:
        # The wait as it turned out, so that a late position does not use up the time for sending.
        run = self._open[delivery][0]
        delivery.begin(max(run.deadline, run.flush.deadline + self._wait), now)
        self._follow(delivery, now)

    def _follow(self, delivery: Delivery, now: Nanoseconds) -> None:
        """Take up what became of a delivery: after everything that happens to it."""
        run, queue = self._open[delivery]
        self._take_effects(delivery.drain())
        if delivery.state is DeliveryState.READY:
            if queue.begin():
                delivery.attempt(now)
                self._attempts[delivery.attempt_id] = delivery
                self._take_effects(delivery.drain())
            else:
                queue.waiting.append(delivery)
                queued = Queued(run.flush, queue.integration, now, queue.under_way)
                self._take_effects([queued])
        self._index(delivery)
        self._timers.follow(delivery, delivery.next_timeout())
        if delivery.state is DeliveryState.DONE:
            del self._open[delivery]
            if delivery.error:
                run.errors.append(delivery.error)
            run.remaining -= 1
            if run.remaining == 0:
                self._finish(run)

    def _take_effects(self, effects: Iterable[DeliveryEffect]) -> None:
        for effect in effects:
            if not isinstance(effect, (Attempt, Record)) and not self._is_imagined(effect):
                self.statistics.count(effect)
            self._effects.append(effect)

    def _is_imagined(self, decision: Decision) -> bool:
        """A notification that is needed is counted as one, which in shadow it is not."""
        return self._context.withhold and isinstance(decision, Needed)

    def _index(self, delivery: Delivery) -> None:
        key = delivery.intent_key
        if delivery.state is DeliveryState.YIELDING:
            self._yielding.setdefault(key, {})[delivery] = None
        elif key in self._yielding:
            self._yielding[key].pop(delivery, None)
            if not self._yielding[key]:
                del self._yielding[key]
        if delivery.claims:
            self._claiming[delivery] = None
        else:
            self._claiming.pop(delivery, None)

    # Attempts

    def attempt_succeeded(
        self, attempt: int, now: Nanoseconds, receiver_data: ReceiverData | None = None
    ) -> None:
        """The notification was taken. ``receiver_data``: what the integration is to remember, beside what it
        does. An id that is unknown, or given up meanwhile, is ignored."""
        delivery = self._attempts.pop(attempt, None)
        if delivery is not None:
            self._attempt_ended(delivery, now)
            delivery.attempt_succeeded(now, receiver_data)
            self._follow(delivery, now)

    def attempt_failed(
        self, attempt: int, now: Nanoseconds, retry: bool, reason: str, error: str = ""
    ) -> None:
        """The attempt failed. ``retry``: another may succeed. ``reason``: Alertmanager's metric label
        (``clientError``, ``serverError``, ``other``); ``error``: text for people."""
        delivery = self._attempts.pop(attempt, None)
        if delivery is not None:
            self._attempt_ended(delivery, now)
            delivery.attempt_failed(now, retry, reason, error)
            self._follow(delivery, now)

    def _attempt_ended(self, delivery: Delivery, now: Nanoseconds) -> None:
        queue = self._open[delivery][1]
        queue.end()
        self._move_up(queue, now)

    def _move_up(self, queue: Queue, now: Nanoseconds) -> None:
        """Assign free slots to queued deliveries. Peers may have notified meanwhile: each evaluates again."""
        for _ in range(BATCH_QUEUED):
            queued = queue.next()
            if queued is None:
                return
            if queued.state is DeliveryState.READY:
                queued.evaluate_again(now)
                self._follow(queued, now)
        if queue.waiting:
            self._timers.set(queue, now)

    def wake(self, keys: Iterable[bytes], now: Nanoseconds) -> None:
        """Something was heard of these intents. Call ``handle_timeout`` after it."""
        for key in keys:
            for delivery in self._yielding.get(key, ()):
                delivery.wake(now)
                self._timers.follow(delivery, delivery.next_timeout())

    def retire(self, now: Nanoseconds) -> None:
        """This configuration was replaced: withdraw what was announced and is not being sent.

        Queued deliveries get no attempt any more: it would be announced, and never made. In shadow what
        waits for its peer position is decided at once: the others send it all the same.
        """
        while self._context.withhold and self._begun.next() is not None:
            self._mute(now)
            self._begun.renew()
        while self._context.withhold and self._waiting:
            self._begin_delivery(self._waiting.popleft(), now)
        for delivery in self._claiming:
            delivery.withdraw(now)
        self._claiming.clear()
        for queues in self._queues.values():
            for queue in queues:
                queue.waiting.clear()

    # Time

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` is to be called next."""
        timer = self._timers.next_timeout()
        times = [timer] if timer is not None else []
        if self._waiting:
            times.append(self._waiting[0].began + self._silent_wait)
        if self._settled and self._unsettled:
            times.append(self._unsettled[0].flush.now)
        begun = self._begun.next()
        if begun is not None:
            times.append(begun.flush.now)
        return min(times, default=None)

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Move on whatever is due, or the first of it if it is much."""
        self._release_unsettled(now)
        self._mute(now)
        self._begun.renew()
        self._release_waiting(now)
        for _ in range(BATCH):
            due = self._timers.pop_due(now)
            if due is None:
                break
            if isinstance(due, Delivery):
                self._delivery_due(due, now)
            elif isinstance(due, FlushRun):
                self._settle_timed_out(due)
            else:
                self._move_up(due, now)

    def _delivery_due(self, delivery: Delivery, now: Nanoseconds) -> None:
        queue = self._open[delivery][1]
        was_sending = delivery.state is DeliveryState.SENDING
        delivery.handle_timeout(now)
        overdue = was_sending and delivery.state is not DeliveryState.SENDING
        if overdue:
            del self._attempts[delivery.attempt_id]
            queue.end()
        self._follow(delivery, now)
        if overdue:
            self._move_up(queue, now)

    def _settle_timed_out(self, run: FlushRun) -> None:
        run.begun = True
        run.errors.append(TIMED_OUT)
        self._finish(run)
        while self._unsettled and self._unsettled[0].begun:
            self._unsettled.popleft()

    def drain(self) -> list[PipelineEffect]:
        """What is to be done and what was decided, in order, since the last call."""
        effects, self._effects = self._effects, []
        return effects
