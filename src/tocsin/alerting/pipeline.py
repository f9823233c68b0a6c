"""The notification pipeline: what happens to a flush until it is sent, or need not be.

The stages, in Alertmanager's order: wait until the cluster has settled; drop what is inhibited, outside its
active or inside its mute time intervals, or silenced; then for each integration at the same time: wait for
the peers that come before us, look at the notification log, send with retries, record in the log.

Pure: the node performs each ``Attempt`` and reports its end. What earlier peers have sent reaches our log by
gossip while we wait for them; if it does not, we send: rather twice than never.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from random import Random

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.delivery import Delivery, FlushRun, Integration, Lane, integrations
from tocsin.alerting.effects import (
    Attempt,
    FlushFinished,
    PipelineEffect,
    PipelineStatistics,
    Recorded,
    Suppressed,
)
from tocsin.alerting.group import Flush
from tocsin.alerting.intent import GUARD, Intents
from tocsin.alerting.muting import Muter, Muting
from tocsin.alerting.nflog import Entry, ReceiverData
from tocsin.alerting.notification import Notification
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.route import RouteOptions
from tocsin.alerting.sending import ATTEMPT_GRACE, BATCH, BATCH_ALERTS, MAX_ATTEMPTS, Log, Sending
from tocsin.alerting.timestamp import Nanoseconds

__all__ = [
    "ATTEMPT_GRACE",
    "BATCH",
    "BATCH_ALERTS",
    "MAX_ATTEMPTS",
    "Attempt",
    "FlushFinished",
    "Integration",
    "Notification",
    "Pipeline",
    "PipelineEffect",
    "PipelineStatistics",
    "Recorded",
    "Suppressed",
]


class Pipeline:
    """The pipeline of one configuration. A new configuration gets a new one; attempts of the old are void."""

    def __init__(
        self,
        *,
        config: AlertmanagerConfig,
        silences: Muter,
        inhibitor: Muter,
        notification_log: Log,
        peer_timeout_ns: Nanoseconds,
        random: Random,
        intents: Intents | None = None,
        current: Callable[[Flush, Nanoseconds], tuple[Alert, ...] | None] = lambda _flush, _now: None,
        max_attempts: int = MAX_ATTEMPTS,
        remembered: Remembered | None = None,
    ) -> None:
        """``current`` tells what the group of a flush holds now, if it still does: see
        :meth:`tocsin.alerting.dispatch.Dispatcher.current`. Without it, what it held is sent.
        ``remembered``: that of the configuration before."""
        self.position = 0
        """Our place among the cluster's members; 0 also without a cluster. May be set at any time: whoever is
        waiting then waits for the new place; call ``handle_timeout`` after it."""
        self._muting = Muting(inhibitor=inhibitor, silences=silences, time_intervals=config.time_intervals)
        self._peer_timeout = peer_timeout_ns
        self._current = current
        self._lanes = {
            receiver.name: [Lane(integration, max_attempts) for integration in integrations(receiver)]
            for receiver in config.receivers
        }
        self._settled = False
        self._unsettled: deque[FlushRun] = deque()
        self._waiting: deque[Delivery] = deque()
        self._timers: list[tuple[Nanoseconds, int, FlushRun]] = []
        self._sequence = count()
        self._effects: list[PipelineEffect] = []
        self._log = notification_log
        self._intents = intents if intents is not None else Intents()
        self.remembered = remembered if remembered is not None else Remembered()
        self._sending = Sending(
            log=notification_log,
            intents=self._intents,
            random=random,
            effects=self._effects,
            remembered=self.remembered,
            refresh=self._refresh,
            ended=self._delivery_ended,
        )

    @property
    def statistics(self) -> PipelineStatistics:
        """What is counted."""
        return self.remembered.statistics

    def met_peers(self) -> None:
        """There is another member: what the log says may be what others have told, and not yet us."""
        self.remembered.has_had_peers = True

    # Flushes

    def start(self, flush: Flush, now: Nanoseconds) -> None:
        """Take in a flush. It ends with exactly one ``FlushFinished``."""
        lanes = self._lanes.get(flush.options.receiver, ())
        stamps = tuple(self._stamp(lane, flush) for lane in lanes)
        run = FlushRun(flush, flush.deadline + self._wait, stamps)
        if self._settled and not self._unsettled:
            self._begin(run, now)
        else:
            self._unsettled.append(run)
            heappush(self._timers, (run.deadline, next(self._sequence), run))

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
                self._begin(run, now)
                flushes += 1
                alerts += len(run.flush.alerts)

    def _begin(self, run: FlushRun, now: Nanoseconds) -> None:
        run.begun = True
        flush = run.flush
        lanes = self._lanes.get(flush.options.receiver)
        if lanes is None:
            run.errors.append("stage for receiver missing")
            self._finish(run)
            return
        alerts, suppressed = self._muting.unmuted(flush, now)
        for effect in suppressed:
            self.statistics.suppressed[effect.reason] += effect.count
        self._effects.extend(suppressed)
        if not alerts or not lanes:
            self._finish(run)
            return
        run.remaining = len(lanes)
        for lane, stamp in zip(lanes, run.stamps, strict=True):
            delivery = Delivery(run, lane, alerts, flush.alerts, looked_at=flush.now, began=now, seen=stamp)
            if self._silent_wait == 0:
                self._send(delivery, now)
            else:
                self._waiting.append(delivery)

    def _stamp(self, lane: Lane, flush: Flush) -> Nanoseconds:
        entry = self._log.query(lane.integration.log_receiver, flush.group_key)
        return entry.timestamp if entry is not None else 0

    def _finish(self, run: FlushRun) -> None:
        if not run.errors:
            self._remember_ends(run.flush)
        self._effects.append(FlushFinished(run.flush, not run.errors, "\n".join(run.errors)))

    def _remember_ends(self, flush: Flush) -> None:
        """The group lets go of what has ended."""
        ended = [alert for alert in flush.alerts if alert.resolved_at(flush.now)]
        if not ended:
            return
        unheard = self.remembered.unheard
        for lane in self._lanes.get(flush.options.receiver, ()):
            place = lane.integration.log_receiver, flush.group_key
            entry = self._log.query(*place)
            stamp, told = (entry.timestamp, set(entry.resolved_alerts)) if entry is not None else (0, set())
            for alert in ended:
                one = alert.labels.hash
                end = alert.ends_at if one in told else unheard.told_end(place, one)
                unheard.ended(place, one, stamp, end)

    def muted_by(self, options: RouteOptions, now: Nanoseconds) -> tuple[str, ...]:
        """The names of the time intervals that mute a route at ``now``, for the API; empty if none does."""
        return self._muting.muted_by(options, now)

    # Waiting for earlier peers

    @property
    def _wait(self) -> Nanoseconds:
        return self.position * self._peer_timeout

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
            alerts += len(delivery.alerts)
            self._send(delivery, now)

    def _send(self, delivery: Delivery, now: Nanoseconds) -> None:
        # The wait as it turned out, so that a place far behind does not eat up the time for sending.
        deadline = max(delivery.run.deadline, delivery.run.flush.deadline + self._wait)
        self._sending.begin(delivery, deadline, now)

    def _refresh(self, delivery: Delivery, entry: Entry, now: Nanoseconds) -> None:
        """Choose anew, after a peer has told what ``entry`` says. An alert that nobody has told yet is told
        even if it has ended meanwhile."""
        flush = delivery.run.flush
        current = self._current(flush, now)
        if current is None:
            return
        told = {*entry.firing_alerts, *entry.resolved_alerts}
        untold = {
            alert.labels: alert
            for alert in delivery.alerts
            if not alert.resolved_at(delivery.looked_at) and alert.labels.hash not in told
        }
        alerts, _ = self._muting.unmuted(replace(flush, alerts=current), now)
        delivery.alerts = tuple(
            untold.get(alert.labels, alert) if alert.resolved_at(now) else alert for alert in alerts
        )
        delivery.known, delivery.looked_at = current, now

    def _delivery_ended(self, delivery: Delivery) -> None:
        delivery.run.remaining -= 1
        if delivery.run.remaining == 0:
            self._finish(delivery.run)

    # Attempts

    def attempt_succeeded(
        self, attempt: int, now: Nanoseconds, receiver_data: ReceiverData | None = None
    ) -> None:
        """The notification was taken. ``receiver_data``: what the integration is to remember, beside what it
        does. An id that is unknown, or given up meanwhile, is ignored."""
        self._sending.attempt_succeeded(attempt, now, receiver_data)

    def attempt_failed(
        self, attempt: int, now: Nanoseconds, retry: bool, reason: str, error: str = ""
    ) -> None:
        """The attempt failed. ``retry``: another may succeed. ``reason``: Alertmanager's metric label
        (``clientError``, ``serverError``, ``other``); ``error``: text for people."""
        self._sending.attempt_failed(attempt, now, retry, reason, error)

    def wake(self, keys: Iterable[bytes], now: Nanoseconds) -> None:
        """Something was heard of these intents. Call ``handle_timeout`` after it."""
        self._sending.wake(keys, now)

    def retire(self, now: Nanoseconds) -> None:
        """This configuration was replaced: withdraw what was announced and is not being sent."""
        self._sending.retire(now)

    # Time

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` is to be called next."""
        timers = self._timers
        while timers and timers[0][2].begun:
            heappop(timers)
        times = [timers[0][0]] if timers else []
        if self._waiting:
            times.append(self._waiting[0].began + self._silent_wait)
        if self._settled and self._unsettled:
            times.append(self._unsettled[0].flush.now)
        sending = self._sending.next_timeout()
        if sending is not None:
            times.append(sending)
        return min(times, default=None)

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Move on whatever is due, or the first of it if it is much."""
        self._release_unsettled(now)
        self._release_waiting(now)
        for _ in range(BATCH):
            if not self._timers or self._timers[0][0] > now:
                break
            self._settle_timed_out(heappop(self._timers)[2])
        self._sending.handle_timeout(now)

    def _settle_timed_out(self, run: FlushRun) -> None:
        if not run.begun:
            run.begun = True
            run.errors.append("context deadline exceeded")
            self._finish(run)
            while self._unsettled and self._unsettled[0].begun:
                self._unsettled.popleft()

    def drain(self) -> list[PipelineEffect]:
        """What is to be done, in order, since the last call."""
        effects = self._effects[:]
        self._effects.clear()
        return effects
