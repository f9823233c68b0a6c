"""From the decision to notify to the end of it: turns, attempts, retries, and the record in the log.

Of each group and integration one node at a time makes an attempt; whoever has failed lets the others try
while it backs off. What nodes tell each other for it is in :mod:`tocsin.alerting.intent`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Protocol

from tocsin.alerting.alert import Alert
from tocsin.alerting.delivery import (
    Delivery,
    DeliveryState,
    Lane,
    also_notified,
    hashes,
    needs_notification,
    not_heard_of,
    told_ends,
)
from tocsin.alerting.effects import Attempt, PipelineEffect, Recorded
from tocsin.alerting.intent import GUARD, Intents, content_of, key_of
from tocsin.alerting.nflog import Entry, Receiver, ReceiverData
from tocsin.alerting.notification import Notification, Reason
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.timestamp import SECOND, Nanoseconds

MAX_ATTEMPTS = 64
"""Attempts that one integration has under way at a time. Each has its own bound: a receiver that hangs holds
up nobody else."""
ATTEMPT_GRACE = SECOND
"""How long after its deadline an attempt that the node has not reported is given up."""
BATCH = 128
BATCH_ALERTS = 2048
"""Flushes and deliveries that one ``handle_timeout`` moves at most, and alerts that it looks at: a few
milliseconds of work. It is then due again at once."""
BATCH_QUEUED = 16
"""Deliveries that move up at the end of one attempt."""


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
        *,
        receiver_data: ReceiverData | None = None,
    ) -> list[bytes]: ...


def _counted(delivery: Delivery) -> tuple[str, str]:
    return delivery.integration.integration, delivery.integration.receiver


class Sending:
    """Takes deliveries whose wait for earlier peers is over to their end, and tells ``ended`` of it."""

    def __init__(
        self,
        *,
        log: Log,
        intents: Intents,
        random: Random,
        effects: list[PipelineEffect],
        remembered: Remembered,
        refresh: Callable[[Delivery, Entry, Nanoseconds], None],
        ended: Callable[[Delivery], None],
    ) -> None:
        self.statistics = remembered.statistics
        self._counts = remembered.statistics.by_receiver
        self._remembered = remembered
        self._log = log
        self._intents = intents
        self._random = random
        self._effects = effects
        self._refresh = refresh
        self._ended = ended
        # Entries of what is over, or due later, meanwhile are skipped when they come up.
        self._timers: list[tuple[Nanoseconds, int, Delivery | Lane]] = []
        self._sequence = count()
        self._attempts: dict[int, Delivery] = {}
        self._attempt_ids = count(1)
        self._yielding: dict[bytes, list[Delivery]] = {}
        self._claiming: dict[Delivery, None] = {}

    # -- turns

    def begin(self, delivery: Delivery, deadline: Nanoseconds, now: Nanoseconds) -> None:
        """The wait for earlier peers is over, or nearly."""
        delivery.deadline = deadline
        if now >= deadline:
            self._fail(delivery, "context deadline exceeded", now)
            return
        self._look_again(delivery, now)

    def _look_again(self, delivery: Delivery, now: Nanoseconds) -> None:
        """What was flushed is what is told, however long a receiver fails: an alert shorter than that would
        go untold. But once a peer has told the group something, tell what there is to tell after that."""
        entry = self._log.query(*delivery.place)
        if entry is not None and entry.timestamp != delivery.seen:
            delivery.seen = entry.timestamp
            alerts = delivery.alerts
            self._refresh(delivery, entry, now)
            if alerts != delivery.alerts:
                delivery.notification = None
        if not delivery.alerts:
            self._end(delivery, now)
            return
        delivery.firing, delivery.resolved = hashes(delivery.alerts, delivery.looked_at)
        if delivery.intent_key:
            delivery.content = content_of(delivery.firing, delivery.resolved)
        self._turn(delivery, entry, now)

    def _turn(self, delivery: Delivery, entry: Entry | None, now: Nanoseconds) -> None:
        """Look at the log and at what others intend, and go on if need be and nobody else is at it."""
        flush, integration, intents = delivery.run.flush, delivery.integration, self._intents
        reason = needs_notification(
            entry,
            firing=delivery.firing,
            resolved=delivery.resolved,
            send_resolved=integration.send_resolved,
            repeat_interval=flush.options.repeat_interval,
            now=flush.due,
            sent=self._sent(delivery, entry, now),
            told=told_ends(entry, delivery, self._remembered.unheard),
            may_still_fire=not delivery.firing and self._may_still_fire(delivery, entry),
        )
        if reason is None:
            self._end(delivery, now)
            return
        known = {} if entry is None or reason == "first notification" else entry.receiver_data
        if delivery.receiver_data != known:
            delivery.receiver_data = known
            if delivery.notification is not None:
                delivery.notification = replace(delivery.notification, receiver_data=known)
        if delivery.notification is None and not self._prepare(delivery, reason, now):
            return
        if not intents.alone(now):
            if not delivery.intent_key:
                delivery.intent_key = key_of(integration.log_receiver, flush.group_key)
                delivery.content = content_of(delivery.firing, delivery.resolved)
            stamp = entry.timestamp if entry is not None else 0
            lease = delivery.lease
            until = intents.blocked(delivery.intent_key, delivery.content, stamp, now, lease)
            if until is not None:
                self._yield(delivery, until, now)
                return
            if delivery.state is DeliveryState.CLAIMING and now < delivery.due:
                return
            if lease is None and not intents.immediate(now):
                self._claim(delivery, now)
                return
        self._attempt(delivery, now)

    def _may_still_fire(self, delivery: Delivery, entry: Entry | None) -> bool:
        if entry is None or not self._remembered.has_had_peers:
            return False
        return bool(not_heard_of(entry.firing_alerts, entry, delivery, self._remembered.unheard))

    def _sent(self, delivery: Delivery, entry: Entry | None, now: Nanoseconds) -> Nanoseconds:
        if entry is None:
            return now
        return self._remembered.met.sent(delivery.place, entry.timestamp, now)

    def _prepare(self, delivery: Delivery, reason: Reason, now: Nanoseconds) -> bool:
        """Make the notification; False if it was empty, and with that is over."""
        flush, integration = delivery.run.flush, delivery.integration
        if not delivery.counted:
            delivery.counted = True
            self._counts.notifications[integration.integration, integration.receiver] += 1
            self._arm(delivery.deadline, delivery)
        alerts: tuple[Alert, ...] = delivery.alerts
        if not integration.send_resolved:
            alerts = tuple(alert for alert in alerts if not alert.resolved_at(delivery.looked_at))
            if not alerts:
                self._record(delivery, now)
                return False
        delivery.notification = Notification(
            receiver=integration.receiver,
            group_key=flush.group_key,
            group_labels=flush.group_labels,
            alerts=alerts,
            now=delivery.looked_at,
            reason=reason,
            route_labels=flush.options.labels,
            receiver_data=delivery.receiver_data,
        )
        return True

    def _yield(self, delivery: Delivery, until: Nanoseconds, now: Nanoseconds) -> None:
        self._release(delivery, now)
        if delivery.state is not DeliveryState.YIELDING:
            self._intents.statistics.yielded += 1
            delivery.state = DeliveryState.YIELDING
            delivery.yielded_at = now
            self._yielding.setdefault(delivery.intent_key, []).append(delivery)
        self._due(delivery, until)

    def _claim(self, delivery: Delivery, now: Nanoseconds) -> None:
        bound = delivery.deadline + ATTEMPT_GRACE
        delivery.lease = self._intents.claim(delivery.intent_key, delivery.content, bound, now)
        if delivery.lease is None:
            self._attempt(delivery, now)
            return
        self._leave(delivery, now)
        delivery.state = DeliveryState.CLAIMING
        self._claiming[delivery] = None
        self._due(delivery, now + GUARD)

    def _release(self, delivery: Delivery, now: Nanoseconds) -> None:
        self._intents.release(delivery.lease, now)
        delivery.lease = None
        self._claiming.pop(delivery, None)

    def _leave(self, delivery: Delivery, now: Nanoseconds) -> None:
        """It waits for others no more. What it waited does not eat up the time for sending, within bounds."""
        if delivery.state is DeliveryState.YIELDING:
            more = min(max(now - delivery.yielded_at, 0), delivery.patience)
            if more:
                delivery.patience -= more
                delivery.deadline += more
                self._arm(delivery.deadline, delivery)
            waiting = self._yielding.get(delivery.intent_key, [])
            if delivery in waiting:
                waiting.remove(delivery)
            if not waiting:
                self._yielding.pop(delivery.intent_key, None)

    def wake(self, keys: Iterable[bytes], now: Nanoseconds) -> None:
        """Look again, at the next timeout, whether these are still taken."""
        for key in keys:
            for delivery in self._yielding.get(key, ()):
                self._due(delivery, now)

    def retire(self, now: Nanoseconds) -> None:
        """Withdraw the claims under which nothing is being sent."""
        for delivery in list(self._claiming):
            self._release(delivery, now)

    # -- attempts

    def _attempt(self, delivery: Delivery, now: Nanoseconds) -> None:
        self._leave(delivery, now)
        lane = delivery.lane
        if lane.under_way >= lane.max_attempts:
            delivery.state = DeliveryState.QUEUED
            lane.queue.append(delivery)
            self.statistics.attempts_queued += 1
            return
        assert delivery.notification is not None  # noqa: S101  (made by _turn, dropped by _end)
        bound = delivery.deadline + 2 * ATTEMPT_GRACE
        if not self._intents.alone(now):
            delivery.lease = self._intents.sending(
                delivery.lease, delivery.intent_key, delivery.content, bound, now
            )
            self._claiming.pop(delivery, None)
        lane.under_way += 1
        delivery.state = DeliveryState.SENDING
        delivery.attempt = next(self._attempt_ids)
        delivery.attempt_started = now
        self._attempts[delivery.attempt] = delivery
        self._effects.append(
            Attempt(delivery.attempt, delivery.integration, delivery.notification, delivery.deadline)
        )

    def attempt_succeeded(
        self, attempt: int, now: Nanoseconds, receiver_data: ReceiverData | None = None
    ) -> None:
        """See :meth:`tocsin.alerting.pipeline.Pipeline.attempt_succeeded`."""
        delivery = self._attempt_ended(attempt)
        if delivery is not None:
            if receiver_data:
                delivery.receiver_data = {**delivery.receiver_data, **receiver_data}
            self._move_up(delivery.lane, now)
            self._record(delivery, now)

    def attempt_failed(self, attempt: int, now: Nanoseconds, retry: bool, reason: str, error: str) -> None:
        """See :meth:`tocsin.alerting.pipeline.Pipeline.attempt_failed`."""
        delivery = self._attempt_ended(attempt)
        if delivery is None:
            return
        self._release(delivery, now)
        self._counts.requests_failed[_counted(delivery)] += 1
        error = error or reason
        if not retry:
            delivery.failure_reason = reason
            self._give_up(delivery, "due to unrecoverable error ", error, now)
        elif now >= delivery.deadline:
            self._time_out(delivery, now)
        else:
            delivery.failure_reason, delivery.error = reason, error
            delivery.state = DeliveryState.BACKING_OFF
            self._due(delivery, max(now, delivery.attempt_started + delivery.backoff.next(self._random)))
        self._move_up(delivery.lane, now)

    def _attempt_ended(self, attempt: int) -> Delivery | None:
        delivery = self._attempts.pop(attempt, None)
        if delivery is None:
            return None
        delivery.attempts += 1
        self._counts.requests[_counted(delivery)] += 1
        delivery.lane.under_way -= 1
        return delivery

    def _move_up(self, lane: Lane, now: Nanoseconds) -> None:
        """Give free places to those that queue. Others may have sent meanwhile: each looks again."""
        for _ in range(BATCH_QUEUED):
            if not lane.queue or lane.under_way >= lane.max_attempts:
                return
            queued = lane.queue.popleft()
            if queued.state is DeliveryState.QUEUED:
                self._look_again(queued, now)
        if lane.queue:
            self._arm(now, lane)

    # -- ends of a delivery

    def _record(self, delivery: Delivery, now: Nanoseconds) -> None:
        place, flush, unheard = delivery.place, delivery.run.flush, self._remembered.unheard
        firing: Sequence[int] = ()
        resolved: Sequence[int] = ()
        if self._remembered.has_had_peers:
            entry = self._log.query(*place)
            sent = self._sent(delivery, entry, now)
            firing, resolved = also_notified(entry, delivery, unheard, now, sent)
        fresh = unheard.fresh(place, (*firing, *resolved), now)
        changes = self._log.log(
            *place,
            (*[one for one in firing if one in fresh], *delivery.firing),
            (*[one for one in resolved if one in fresh], *delivery.resolved),
            now,
            2 * flush.options.repeat_interval,
            receiver_data=delivery.receiver_data,
        )
        if changes:
            self._effects.append(Recorded(tuple(changes)))
            entry = self._log.query(*place)
            if entry is not None:
                self._remembered.met.began(place, entry.timestamp, flush.due)
                self._intents.done(delivery.lease, entry.timestamp, now)
        self._end(delivery, now)

    def _time_out(self, delivery: Delivery, now: Nanoseconds) -> None:
        """The deadline has passed: the last failure before it is the one to tell of."""
        if not delivery.error:
            delivery.failure_reason, delivery.error = "contextDeadlineExceeded", "context deadline exceeded"
        self._give_up(delivery, "", delivery.error, now)

    def _give_up(self, delivery: Delivery, why: str, error: str, now: Nanoseconds) -> None:
        self._counts.notifications_failed[(*_counted(delivery), delivery.failure_reason)] += 1
        attempts = delivery.attempts
        self._fail(
            delivery,
            f"{delivery.integration}: notify retry canceled {why}after {attempts} attempts: {error}",
            now,
        )

    def _fail(self, delivery: Delivery, error: str, now: Nanoseconds) -> None:
        delivery.run.errors.append(error)
        self._end(delivery, now)

    def _end(self, delivery: Delivery, now: Nanoseconds) -> None:
        self._leave(delivery, now)
        self._release(delivery, now)
        delivery.state = DeliveryState.DONE
        # A timer may hold the delivery until its deadline: not its alerts as well.
        delivery.alerts = ()
        delivery.notification = None
        self._ended(delivery)

    # -- time

    def _due(self, delivery: Delivery, when: Nanoseconds) -> None:
        delivery.due = when
        self._arm(when, delivery)

    def _arm(self, when: Nanoseconds, what: Delivery | Lane) -> None:
        heappush(self._timers, (when, next(self._sequence), what))

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` is to be called next."""
        timers = self._timers
        while timers and _over(timers[0][2]):
            heappop(timers)
        return timers[0][0] if timers else None

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Move on whatever is due, or the first of it if it is much."""
        timers = self._timers
        for _ in range(BATCH):
            if not timers or timers[0][0] > now:
                break
            what = heappop(timers)[2]
            if isinstance(what, Lane):
                self._move_up(what, now)
            else:
                self._handle_delivery_timeout(what, now)

    def _handle_delivery_timeout(self, delivery: Delivery, now: Nanoseconds) -> None:
        state = delivery.state
        if state is DeliveryState.DONE:
            return
        if state is DeliveryState.SENDING:
            if now >= delivery.deadline + ATTEMPT_GRACE:
                self.statistics.attempts_overdue += 1
                self._attempt_ended(delivery.attempt)
                self._time_out(delivery, now)
                self._move_up(delivery.lane, now)
            elif now >= delivery.deadline:
                self._arm(delivery.deadline + ATTEMPT_GRACE, delivery)
        elif now >= delivery.deadline:
            self._time_out(delivery, now)
        elif state is not DeliveryState.QUEUED and now >= delivery.due:
            self._look_again(delivery, now)


def _over(what: Delivery | Lane) -> bool:
    return isinstance(what, Delivery) and what.state is DeliveryState.DONE
