"""What a delivery has to notify: what its group held, compared with the notification log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.comparison import (
    also_notified,
    as_of_flush,
    fire_anew,
    hashes,
    needs_notification,
    notified_ends,
    unknown_hashes,
    why_not,
)
from tocsin.alerting.decisions import LogAnswer, Muted, NotNeededReason
from tocsin.alerting.group import Flush
from tocsin.alerting.integration import Integration
from tocsin.alerting.intent import Intents, content_of, key_of
from tocsin.alerting.muting import Muting
from tocsin.alerting.nflog import Entry, LogKey, LogView, ReceiverData
from tocsin.alerting.notification import Notification, Reason
from tocsin.alerting.remembered import Remembered
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.dataclass import dataclass

PROMPT = 4
"""A reminder is counted from a timer only if the notification was out within that part of a group interval;
else, as in Alertmanager, from when it was: between two of them there is no less than ``repeat_interval``."""
STALE = 5 * SECOND
"""What has taken longer than this to choose is chosen anew."""
MAX_ANEW = 2
"""How often, for that or since a peer has notified meanwhile: what there is then is sent."""

CurrentAlerts: TypeAlias = Callable[[Flush, Nanoseconds], tuple[Alert, ...] | None]
"""What the group of a flush holds now, if it still does."""


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What all deliveries of a pipeline share."""

    log: LogView
    intents: Intents
    remembered: Remembered
    muting: Muting
    current: CurrentAlerts
    random: Random
    attempt_ids: Iterator[int]
    withhold: bool = False
    """In shadow: nothing is sent, announced or put into the log."""


@dataclass(frozen=True, slots=True)
class Spared:
    """No notification is needed, and when the group would be notified again if nothing changes."""

    reason: NotNeededReason
    remind_at: Nanoseconds | None = None


class Content:
    """The alerts that one integration is to be notified of, and the notification of them once it is
    needed."""

    __slots__ = (
        "_context",
        "_evaluated_at",
        "_flush",
        "_flushed",
        "_integration",
        "_known",
        "_log_key",
        "_notified",
        "_receiver_data",
        "_seen",
        "alerts",
        "firing",
        "notification",
        "now",
        "resolved",
    )

    def __init__(
        self,
        context: DeliveryContext,
        flush: Flush,
        integration: Integration,
        alerts: tuple[Alert, ...],
        seen: Entry | None,
    ) -> None:
        self.alerts = alerts
        self.firing: tuple[int, ...] = ()
        self.resolved: tuple[int, ...] = ()
        """The alerts as of the last evaluation, by their hashes in the log."""
        self.notification: Notification | None = None
        self.now = flush.now
        """The time, for the steps of an evaluation."""
        self._context = context
        self._flush = flush
        self._integration = integration
        self._log_key: LogKey = integration.log_receiver, flush.group_key
        # What fired and what was resolved at the flush, once something else was chosen.
        self._flushed: tuple[Collection[int], Collection[int]] | None = None
        self._known = flush.alerts  # what the group held at _evaluated_at
        self._evaluated_at = flush.now
        # The entry by which the alerts were chosen, and what was notified as firing by then.
        self._seen = seen.timestamp if seen is not None else 0
        self._notified: Collection[int] = seen.firing_alerts if seen is not None else ()
        self._receiver_data: ReceiverData = {}  # what the log and the last attempt say

    @property
    def digest(self) -> int:
        """What intents know it by."""
        return content_of(self.firing, self.resolved)

    def intent_key(self) -> bytes:
        """What intents know the group at the integration by."""
        return key_of(*self._log_key)

    def query(self) -> Entry | None:
        """What the log has of the group at the integration."""
        return self._context.log.query(self._log_key)

    def evaluate(self, entry: Entry | None, deadline: Nanoseconds) -> Steps[list[Muted]] | None:
        """Choose anew if a peer has notified the group, as ``entry`` says; None: there is nothing to choose.
        In steps, after which :attr:`alerts` are those; what is muted now. Past ``deadline`` nothing is sent.

        What was flushed is what is sent, however long a receiver fails: an alert shorter than that would go
        not notified. But once a peer has notified the group, notify what there is after that. (Not in
        shadow, where what is compared is what was flushed.)
        """
        if entry is not None and entry.timestamp != self._seen and not self._context.withhold:
            return self._chosen_lately(entry, deadline)
        self.firing, self.resolved = hashes(self.alerts, self._evaluated_at)
        return None

    def _chosen_lately(self, entry: Entry, deadline: Nanoseconds) -> Steps[list[Muted]]:
        """By ``entry``, and once more if a peer has notified the group, or silences may have come,
        before that was done; unless it would not be done by ``deadline`` if it took as long again: that
        would notify nobody."""
        for _ in range(1 + MAX_ANEW):
            self._seen, began = entry.timestamp, self.now
            muted = yield from self._chosen(entry, began)
            last = self.query() or entry
            took = self.now - began
            if (last.timestamp == entry.timestamp and took <= STALE) or self.now + took >= deadline:
                break
            entry = last
            yield
        return muted

    def _chosen(self, entry: Entry, now: Nanoseconds) -> Steps[list[Muted]]:
        alerts = self.alerts
        if self._flushed is None:
            firing, resolved = hashes(alerts, self._evaluated_at)
            self._flushed = frozenset(firing), frozenset(resolved)
        muted = yield from self._choose(entry, now)
        if alerts != self.alerts:
            self.notification = None
        self.firing, self.resolved = hashes(self.alerts, self._evaluated_at)
        return muted

    def _choose(self, entry: Entry, now: Nanoseconds) -> Steps[list[Muted]]:
        """An alert that no node has notified yet is sent even if it has ended meanwhile. One that was
        notified before the flush, and that the peer has left out since it ended, is not such a one."""
        context, flush = self._context, self._flush
        current = context.current(flush, now)
        if current is None:
            return []
        notified = {*self._notified, *entry.firing_alerts, *entry.resolved_alerts}
        not_notified = {
            alert.labels: alert
            for alert in self.alerts
            if not alert.resolved_at(self._evaluated_at) and alert.labels.hash not in notified
        }
        alerts, muted = yield from context.muting.unmuted(flush, current, lambda: self.now, self._integration)
        self.alerts = tuple(
            not_notified.get(alert.labels, alert) if alert.resolved_at(now) else alert for alert in alerts
        )
        self._known, self._evaluated_at, self._notified = current, now, notified
        return muted

    def compare(self, entry: Entry | None, now: Nanoseconds) -> Reason | Spared:
        """Why a notification is to be sent, or why not. What has come since the flush is no reason for one,
        but is sent along with what is."""
        if not self.alerts:
            return Spared("nothing is left to notify")
        sent = self._sent(entry, now)
        firing: Sequence[int] = self.firing
        resolved: Sequence[int] = self.resolved
        if self._flushed is not None and entry is not None:
            firing, resolved = as_of_flush(entry, self._flushed, firing, resolved)
        reason = self._reason(entry, sent, firing, resolved)
        if reason is None:
            spared = why_not(entry, firing)
            remind_at = sent + self._flush.options.repeat_interval if spared == "already notified" else None
            return Spared(spared, remind_at)
        if self._flushed is not None:
            return self._reason(entry, sent, self.firing, self.resolved) or reason
        return reason

    def _reason(
        self, entry: Entry | None, sent: Nanoseconds, firing: Sequence[int], resolved: Sequence[int]
    ) -> Reason | None:
        unknown = self._context.remembered.unknown
        notified = (
            notified_ends(entry, self._log_key, self.alerts, unknown, self._evaluated_at) if resolved else ()
        )
        return needs_notification(
            entry,
            firing=firing,
            resolved=resolved,
            send_resolved=self._integration.send_resolved,
            repeat_interval=self._flush.options.repeat_interval,
            now=self._flush.due,
            sent=sent,
            notified=notified,
            may_still_fire=not firing and self._may_still_fire(entry),
            anew=fire_anew(entry, self._log_key, self.alerts, firing, unknown),
        )

    def _may_still_fire(self, entry: Entry | None) -> bool:
        remembered = self._context.remembered
        if entry is None or not remembered.has_had_peers:
            return False
        unknown = remembered.unknown
        return bool(unknown_hashes(entry.firing_alerts, entry, self._log_key, self._known, unknown))

    def _sent(self, entry: Entry | None, now: Nanoseconds) -> Nanoseconds:
        if entry is None:
            return now
        return self._context.remembered.first_seen.sent(self._log_key, entry.timestamp, now)

    def make(self, entry: Entry | None, reason: Reason) -> bool:
        """Make the notification anew; False if it would be empty, as resolved alerts are not wanted."""
        self.renew(entry, reason)
        flush, integration, alerts = self._flush, self._integration, self.alerts
        if not integration.send_resolved:
            alerts = tuple(alert for alert in alerts if not alert.resolved_at(self._evaluated_at))
            if not alerts:
                return False
        self.notification = Notification(
            receiver=integration.receiver,
            group_key=flush.group_key,
            group_labels=flush.group_labels,
            alerts=alerts,
            now=self._evaluated_at,
            reason=reason,
            route_labels=flush.options.labels,
            receiver_data=self._receiver_data,
        )
        return True

    def renew(self, entry: Entry | None, reason: Reason) -> None:
        """Go by what the log says now: why to notify, and what the integration remembers of the group."""
        known: ReceiverData = {} if entry is None or reason == "first notification" else entry.receiver_data
        self._receiver_data = known
        made = self.notification
        if made is not None and (made.reason, made.receiver_data) != (reason, known):
            self.notification = replace(made, reason=reason, receiver_data=known)

    def answer(self, entry: Entry | None) -> LogAnswer:
        """What the log said, and who notified as far as that is known."""
        if entry is None:
            return LogAnswer(None)
        intents, stamp = self._context.intents, entry.timestamp
        if self._context.remembered.first_seen.is_ours(self._log_key, stamp):
            return LogAnswer(entry, intents.name)
        return LogAnswer(entry, intents.notified_by(self.intent_key(), stamp) if intents.knows_any else "")

    def record(self, now: Nanoseconds, receiver_data: ReceiverData | None = None) -> Entry:
        """The entry of a notification that was sent at ``now``; from here on :meth:`query` finds it.
        ``receiver_data``: what the integration is to remember beside what it does."""
        context, key, flush = self._context, self._log_key, self._flush
        remembered = context.remembered
        if receiver_data:
            self._receiver_data = {**self._receiver_data, **receiver_data}
        firing: Sequence[int] = ()
        resolved: Sequence[int] = ()
        muted: Sequence[int] = ()
        if remembered.has_had_peers:
            entry = context.log.query(key)
            muted = self._muted_ends(entry)
            firing, resolved = also_notified(
                entry,
                key,
                self._known,
                remembered.unknown,
                now=now,
                sent=self._sent(entry, now),
                group_interval=flush.options.group_interval,
            )
        fresh = remembered.unknown.fresh(key, (*firing, *resolved), now)
        recorded = context.log.record(
            key,
            (*[one for one in firing if one in fresh], *self.firing),
            (*[one for one in resolved if one in fresh], *muted, *self.resolved),
            now,
            2 * flush.options.repeat_interval,
            self._receiver_data,
        )
        remembered.unknown.wrote(key, recorded.timestamp)
        prompt = now - flush.due <= flush.options.group_interval // PROMPT
        remembered.first_seen.began(key, recorded.timestamp, flush.due if prompt else now + 1)
        return recorded

    def _muted_ends(self, entry: Entry | None) -> list[int]:
        """Whose end the log's entry has, among the alerts that the group holds and that are muted now:
        without them in the next entry their end would be notified again once they are not muted."""
        notified = set(entry.resolved_alerts).difference(self.resolved) if entry is not None else ()
        held = self._known if notified else ()
        return [
            alert.labels.hash
            for alert in held
            if alert.labels.hash in notified and alert.resolved_at(self._evaluated_at)
        ]

    def clear(self) -> None:
        """Release the alerts: a delivery that is done may be referenced for a while."""
        self.alerts = self._known = ()
        self.notification = None
