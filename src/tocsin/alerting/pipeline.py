"""The notification pipeline: what happens to a flush until it is sent, or need not be.

The stages, in Alertmanager's order: wait until the cluster has settled; drop what is inhibited, outside its
active or inside its mute time intervals, or silenced; then for each integration at the same time: wait for
the peers that come before us, look at the notification log, send with retries, record in the log.

Pure: the node performs each ``Attempt`` and reports its end. What earlier peers have sent reaches our log by
gossip while we wait for them; if it does not, we send: rather twice than never.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Protocol

from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.delivery import (
    Delivery,
    DeliveryState,
    FlushRun,
    Integration,
    Lane,
    hashes,
    integrations,
    needs_notification,
)
from tocsin.alerting.effects import (
    Attempt,
    FlushFinished,
    PipelineEffect,
    PipelineStatistics,
    Recorded,
    Suppressed,
)
from tocsin.alerting.group import Flush
from tocsin.alerting.muting import Muter, Muting
from tocsin.alerting.nflog import Entry, Receiver
from tocsin.alerting.notification import Notification
from tocsin.alerting.route import RouteOptions
from tocsin.alerting.timestamp import SECOND, Nanoseconds

__all__ = [
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

MAX_ATTEMPTS = 64
"""Attempts that one integration has under way at a time. Each has its own bound: a receiver that hangs holds
up nobody else."""
ATTEMPT_GRACE = SECOND
"""How long after its deadline an attempt that the node has not reported is given up."""
BATCH = 128
BATCH_ALERTS = 2048
"""Flushes and deliveries that one ``handle_timeout`` moves at most, and alerts that it looks at: a few
milliseconds of work. It is then due again at once."""


class Log(Protocol):
    """What the pipeline needs of the notification log."""

    def query(self, receiver: Receiver, group_key: str) -> Entry | None: ...

    def log(
        self,
        receiver: Receiver,
        group_key: str,
        firing: Sequence[int],
        resolved: Sequence[int],
        now: Nanoseconds,
        expiry_ns: Nanoseconds,
    ) -> list[bytes]: ...


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
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self.position = 0
        """Our place among the cluster's members; 0 also without a cluster. May be set at any time: whoever is
        waiting then waits for the new place; call ``handle_timeout`` after it."""
        self.statistics = PipelineStatistics()
        self._muting = Muting(inhibitor=inhibitor, silences=silences, time_intervals=config.time_intervals)
        self._log = notification_log
        self._peer_timeout = peer_timeout_ns
        self._random = random
        self._lanes = {
            receiver.name: [Lane(integration, max_attempts) for integration in integrations(receiver)]
            for receiver in config.receivers
        }
        self._settled = False
        self._unsettled: deque[FlushRun] = deque()
        self._waiting: deque[Delivery] = deque()
        # Retries and deadlines. Entries of what is over meanwhile are skipped when they come up.
        self._timers: list[tuple[Nanoseconds, int, Delivery | FlushRun]] = []
        self._sequence = count()
        self._attempts: dict[int, Delivery] = {}
        self._attempt_ids = count(1)
        self._effects: list[PipelineEffect] = []

    # Flushes

    def start(self, flush: Flush, now: Nanoseconds) -> None:
        """Take in a flush. It ends with exactly one ``FlushFinished``."""
        run = FlushRun(flush, deadline=flush.deadline + self._wait)
        if self._settled and not self._unsettled:
            self._begin(run, now)
        else:
            self._unsettled.append(run)
            self._arm(run.deadline, run)

    def settled(self, now: Nanoseconds) -> None:
        """The cluster has settled, or there is none: flushes may go on. Call ``handle_timeout`` after it."""
        self._settled = True
        self._release_unsettled(now)

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
        for lane in lanes:
            delivery = Delivery(run, lane, alerts, began=now)
            if self._wait == 0:
                self._send(delivery, now)
            else:
                self._waiting.append(delivery)

    def _finish(self, run: FlushRun) -> None:
        self._effects.append(FlushFinished(run.flush, not run.errors, "\n".join(run.errors)))

    def muted_by(self, options: RouteOptions, now: Nanoseconds) -> tuple[str, ...]:
        """The names of the time intervals that mute a route at ``now``, for the API; empty if none does."""
        return self._muting.muted_by(options, now)

    # Waiting for earlier peers

    @property
    def _wait(self) -> Nanoseconds:
        return self.position * self._peer_timeout

    def _release_waiting(self, now: Nanoseconds) -> None:
        # All wait equally long, so the order in which they began is the order in which they end.
        latest_began = now - self._wait
        deliveries = alerts = 0
        while self._waiting and deliveries < BATCH and alerts < BATCH_ALERTS:
            if self._waiting[0].began > latest_began:
                break
            delivery = self._waiting.popleft()
            deliveries += 1
            alerts += len(delivery.alerts)
            self._send(delivery, now)

    # Sending

    def _send(self, delivery: Delivery, now: Nanoseconds) -> None:
        """The wait is over: look at the log, and begin to send if need be."""
        flush, integration = delivery.run.flush, delivery.integration
        # The wait as it turned out, so that a place far behind does not eat up the time for sending.
        delivery.deadline = max(delivery.run.deadline, flush.deadline + self._wait)
        if now >= delivery.deadline:
            self._fail(delivery, "context deadline exceeded")
            return
        firing, resolved = hashes(delivery.alerts, flush.now)
        reason = needs_notification(
            self._log.query(integration.log_receiver, flush.group_key),
            firing=firing,
            resolved=resolved,
            send_resolved=integration.send_resolved,
            repeat_interval=flush.options.repeat_interval,
            now=flush.now,
        )
        if reason is None:
            self._end(delivery)
            return
        delivery.firing, delivery.resolved = firing, resolved
        self.statistics.notifications[integration.integration] += 1
        alerts = delivery.alerts
        if not integration.send_resolved:
            alerts = tuple(alert for alert in alerts if not alert.resolved_at(flush.now))
            if not alerts:
                self._record(delivery, now)
                return
        delivery.notification = Notification(
            receiver=integration.receiver,
            group_key=flush.group_key,
            group_labels=flush.group_labels,
            alerts=alerts,
            now=flush.now,
            reason=reason,
        )
        self._arm(delivery.deadline, delivery)
        self._attempt(delivery, now)

    def _attempt(self, delivery: Delivery, now: Nanoseconds) -> None:
        lane = delivery.lane
        if lane.under_way >= lane.max_attempts:
            delivery.state = DeliveryState.QUEUED
            lane.queue.append(delivery)
            self.statistics.attempts_queued += 1
            return
        assert delivery.notification is not None  # noqa: S101  (made by _send, dropped by _end)
        lane.under_way += 1
        delivery.state = DeliveryState.SENDING
        delivery.attempt = next(self._attempt_ids)
        delivery.attempt_started = now
        self._attempts[delivery.attempt] = delivery
        self._effects.append(
            Attempt(delivery.attempt, delivery.integration, delivery.notification, delivery.deadline)
        )

    def attempt_succeeded(self, attempt: int, now: Nanoseconds) -> None:
        """The notification was taken. An id that is unknown, or given up meanwhile, is ignored."""
        delivery = self._attempt_ended(attempt, now)
        if delivery is not None:
            self._record(delivery, now)

    def attempt_failed(
        self, attempt: int, now: Nanoseconds, retry: bool, reason: str, error: str = ""
    ) -> None:
        """The attempt failed. ``retry``: another may succeed. ``reason``: Alertmanager's metric label
        (``clientError``, ``serverError``, ``other``); ``error``: text for people."""
        delivery = self._attempt_ended(attempt, now)
        if delivery is None:
            return
        self.statistics.requests_failed[delivery.integration.integration] += 1
        error = error or reason
        if not retry:
            delivery.failure_reason = reason
            self._give_up(delivery, "due to unrecoverable error ", error)
        elif now >= delivery.deadline:
            self._time_out(delivery)
        else:
            delivery.failure_reason, delivery.error = reason, error
            delivery.state = DeliveryState.BACKING_OFF
            self._arm(max(now, delivery.attempt_started + delivery.backoff.next(self._random)), delivery)

    def _attempt_ended(self, attempt: int, now: Nanoseconds) -> Delivery | None:
        delivery = self._attempts.pop(attempt, None)
        if delivery is None:
            return None
        delivery.attempts += 1
        self.statistics.requests[delivery.integration.integration] += 1
        lane = delivery.lane
        lane.under_way -= 1
        while lane.queue and lane.under_way < lane.max_attempts:
            queued = lane.queue.popleft()
            if queued.state is DeliveryState.QUEUED:
                self._attempt(queued, now)
        return delivery

    # Ends of a delivery

    def _record(self, delivery: Delivery, now: Nanoseconds) -> None:
        flush = delivery.run.flush
        changes = self._log.log(
            delivery.integration.log_receiver,
            flush.group_key,
            delivery.firing,
            delivery.resolved,
            now,
            2 * flush.options.repeat_interval,
        )
        if changes:
            self._effects.append(Recorded(tuple(changes)))
        self._end(delivery)

    def _time_out(self, delivery: Delivery) -> None:
        """The deadline has passed: the last failure before it is the one to tell of."""
        if not delivery.error:
            delivery.failure_reason, delivery.error = "contextDeadlineExceeded", "context deadline exceeded"
        self._give_up(delivery, "", delivery.error)

    def _give_up(self, delivery: Delivery, why: str, error: str) -> None:
        kind = delivery.integration.integration
        self.statistics.notifications_failed[kind, delivery.failure_reason] += 1
        self._fail(
            delivery,
            f"{delivery.integration}: notify retry canceled {why}after {delivery.attempts} attempts: {error}",
        )

    def _fail(self, delivery: Delivery, error: str) -> None:
        delivery.run.errors.append(error)
        self._end(delivery)

    def _end(self, delivery: Delivery) -> None:
        delivery.state = DeliveryState.DONE
        # A timer may hold the delivery until its deadline: not its alerts as well.
        delivery.alerts = ()
        delivery.notification = None
        delivery.run.remaining -= 1
        if delivery.run.remaining == 0:
            self._finish(delivery.run)

    # Time

    def _arm(self, when: Nanoseconds, what: Delivery | FlushRun) -> None:
        heappush(self._timers, (when, next(self._sequence), what))

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` is to be called next."""
        timers = self._timers
        while timers and _over(timers[0][2]):
            heappop(timers)
        times = []
        if timers:
            times.append(timers[0][0])
        if self._waiting:
            times.append(self._waiting[0].began + self._wait)
        if self._settled and self._unsettled:
            times.append(self._unsettled[0].flush.now)
        return min(times, default=None)

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Move on whatever is due, or the first of it if it is much."""
        self._release_unsettled(now)
        self._release_waiting(now)
        timers = self._timers
        for _ in range(BATCH):
            if not timers or timers[0][0] > now:
                break
            _, _, what = heappop(timers)
            if isinstance(what, FlushRun):
                self._settle_timed_out(what)
            else:
                self._handle_delivery_timeout(what, now)

    def _settle_timed_out(self, run: FlushRun) -> None:
        if not run.begun:
            run.begun = True
            run.errors.append("context deadline exceeded")
            self._finish(run)
            while self._unsettled and self._unsettled[0].begun:
                self._unsettled.popleft()

    def _handle_delivery_timeout(self, delivery: Delivery, now: Nanoseconds) -> None:
        state = delivery.state
        if state is DeliveryState.DONE:
            return
        if state is DeliveryState.SENDING:
            if now >= delivery.deadline + ATTEMPT_GRACE:
                self.statistics.attempts_overdue += 1
                self._attempt_ended(delivery.attempt, now)
                self._time_out(delivery)
            elif now >= delivery.deadline:
                self._arm(delivery.deadline + ATTEMPT_GRACE, delivery)
        elif now >= delivery.deadline:
            self._time_out(delivery)
        elif state is DeliveryState.BACKING_OFF:
            self._attempt(delivery, now)

    def drain(self) -> list[PipelineEffect]:
        """What is to be done, in order, since the last call."""
        effects, self._effects = self._effects, []
        return effects


def _over(what: Delivery | FlushRun) -> bool:
    return what.begun if isinstance(what, FlushRun) else what.state is DeliveryState.DONE
