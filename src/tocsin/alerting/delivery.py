"""The delivery of one flush to one integration: whether it is needed, and how it is tried again.

Deliveries are moved along by :mod:`tocsin.alerting.pipeline`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import IntegrationConfig, ReceiverConfig
from tocsin.alerting.group import Flush
from tocsin.alerting.intent import Lease
from tocsin.alerting.nflog import Entry, Receiver, ReceiverData
from tocsin.alerting.notification import Notification, Reason
from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds
from tocsin.alerting.unheard import Unheard

INITIAL_INTERVAL = 500 * MILLISECOND
MAX_INTERVAL = 60 * SECOND
MAX_YIELD = 30 * SECOND
KEEP_UNKNOWN = 600 * SECOND
"""How recent an entry must be, by either's clock, for what it says of alerts that we do not know."""
MAX_UNKNOWN = 256
"""How many of them, firing and resolved each, are kept at most: the latest added."""


@dataclass(frozen=True, slots=True)
class Integration:
    """One integration of a receiver. ``index`` counts within its kind; ``str`` is ``name/webhook[0]``."""

    receiver: str
    integration: str
    """The kind: ``webhook``."""
    index: int
    send_resolved: bool
    config: IntegrationConfig | None = field(default=None, compare=False, repr=False)

    @property
    def log_receiver(self) -> Receiver:
        """Its name within the notification log."""
        return Receiver(self.receiver, self.integration, self.index)

    def __str__(self) -> str:
        return f"{self.receiver}/{self.integration}[{self.index}]"


def integrations(receiver: ReceiverConfig) -> Iterator[Integration]:
    """The integrations of a receiver, in the order of the file."""
    indices: Counter[str] = Counter()
    for config in receiver.integrations:
        kind = config.kind
        yield Integration(receiver.name, kind, indices[kind], config.send_resolved, config)
        indices[kind] += 1


class Backoff:
    """The waits between attempts: 0.5 s, then half as much again each time up to a minute, each ±50 %."""

    __slots__ = ("_interval",)

    def __init__(self) -> None:
        self._interval = INITIAL_INTERVAL

    def next(self, random: Random) -> Nanoseconds:
        """The wait from the beginning of the attempt that is just under way to the next one."""
        interval = self._interval
        self._interval = min(interval * 3 // 2, MAX_INTERVAL)
        return interval // 2 + int(interval * random.random())


class DeliveryState(Enum):
    """Where a delivery is."""

    WAITING = "waiting"
    """For the peers that come before us."""
    QUEUED = "queued"
    """For one of the attempts that its integration may have under way."""
    YIELDING = "yielding"
    """To another node's intent."""
    CLAIMING = "claiming"
    """Announced, and listening whether another node has a better claim."""
    SENDING = "sending"
    BACKING_OFF = "backing off"
    DONE = "done"


Place: TypeAlias = tuple[Receiver, str]
"""A group at one integration: what the notification log has an entry for."""


@dataclass(eq=False, slots=True)
class FlushRun:
    """A flush on its way through the pipeline, and what is left of it."""

    flush: Flush
    deadline: Nanoseconds
    stamps: tuple[Nanoseconds, ...] = ()
    """For each integration, the timestamp of the log's entry when the flush began; 0: there was none."""
    remaining: int = 0
    """Deliveries that are not done."""
    errors: list[str] = field(default_factory=list)
    begun: bool = False


@dataclass(eq=False, slots=True)
class Delivery:
    """A flush for one integration."""

    run: FlushRun
    lane: Lane
    alerts: tuple[Alert, ...]
    """What is to be told: those of the flush that are not muted; after a peer's word, see ``Sending``."""
    known: tuple[Alert, ...]
    """What the group held at ``looked_at``."""
    looked_at: Nanoseconds
    began: Nanoseconds
    """Since when it has been waiting for earlier peers."""
    seen: Nanoseconds
    """The timestamp of the log's entry by which ``alerts`` were chosen; 0: there was none."""
    state: DeliveryState = DeliveryState.WAITING
    deadline: Nanoseconds = 0
    firing: tuple[int, ...] = ()
    resolved: tuple[int, ...] = ()
    receiver_data: ReceiverData = field(default_factory=dict)
    """What the integration remembers of the group, by the log and by its last attempt."""
    notification: Notification | None = None
    attempt: int = 0
    """The id of the attempt under way."""
    attempts: int = 0
    attempt_started: Nanoseconds = 0
    backoff: Backoff = field(default_factory=Backoff)
    due: Nanoseconds = 0
    """When to look again, if it is waiting for something."""
    lease: Lease | None = None
    """Our announced intent."""
    intent_key: bytes = b""
    content: int = 0
    yielded_at: Nanoseconds = 0
    patience: Nanoseconds = MAX_YIELD
    """By how much the deadline may still be put off for the time of yielding."""
    counted: bool = False
    failure_reason: str = ""
    error: str = ""

    @property
    def integration(self) -> Integration:
        """Whom it is for."""
        return self.lane.integration

    @property
    def place(self) -> Place:
        """What the log has its entry by."""
        return self.lane.integration.log_receiver, self.run.flush.group_key


@dataclass(eq=False, slots=True)
class Lane:
    """The deliveries of one integration: how many attempts are under way, and who waits for a place."""

    integration: Integration
    max_attempts: int
    under_way: int = 0
    queue: deque[Delivery] = field(default_factory=deque)


def hashes(alerts: Sequence[Alert], now: Nanoseconds) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The log's numbers of the alerts that are firing and of those that are resolved."""
    firing: list[int] = []
    resolved: list[int] = []
    for alert in alerts:
        (resolved if alert.resolved_at(now) else firing).append(alert.labels.hash)
    return tuple(firing), tuple(resolved)


def not_heard_of(hashes: Iterable[int], entry: Entry, delivery: Delivery, unheard: Unheard) -> list[int]:
    """Which of ``hashes``, of the log's entry, are of alerts that the group neither holds nor saw end."""
    known, place, stamp = {alert.labels.hash for alert in delivery.known}, delivery.place, entry.timestamp
    return [one for one in hashes if one not in known and not unheard.is_over(place, one, stamp)]


def also_notified(
    entry: Entry | None, delivery: Delivery, unheard: Unheard, now: Nanoseconds, sent: Nanoseconds
) -> tuple[Sequence[int], Sequence[int]]:
    """What fires and what is resolved by the log's entry, and we do not know: to be kept in the next entry.

    Alerts do not reach all nodes at the same time. If our entry left out what another node has just notified
    and we are still to hear of, that node would soon notify it again, and then we ours. Only of a recent
    entry, and only so many: what nobody knows any more is to be forgotten. Muted alerts are known, and left
    out as upstream; what fires by the entry and ended here is over, and may fire anew. ``sent``: when the
    entry's notification was, as far as can be told.
    """
    flush = delivery.run.flush
    if entry is None or abs(now - sent) > max(KEEP_UNKNOWN, 2 * flush.options.group_interval):
        return (), ()
    firing = not_heard_of(entry.firing_alerts, entry, delivery, unheard)
    known = {alert.labels.hash for alert in delivery.known}
    resolved = [one for one in entry.resolved_alerts if one not in known]
    return firing[-MAX_UNKNOWN:], resolved[-MAX_UNKNOWN:]


def told_ends(entry: Entry | None, delivery: Delivery, unheard: Unheard) -> Collection[int]:
    """Which alerts were told to be resolved: those of the entry, and those whose end was told before it.

    Upstream has the entry only. There an end that is reported again (Prometheus does so for a quarter of an
    hour, and a reload does it for all) is told again if another notification came in between.
    """
    if entry is None or not delivery.resolved:
        return ()
    place, firing, told = delivery.place, set(entry.firing_alerts), set(entry.resolved_alerts)
    passed_on = unheard.passed_on(place)
    for alert in delivery.alerts:
        one = alert.labels.hash
        end = unheard.told_end(place, one)
        if end is None or not alert.resolved_at(delivery.looked_at):
            continue
        if alert.ends_at <= end and one not in firing:
            told.add(one)
        elif one in passed_on:
            told.discard(one)  # It has fired anew since.
    return told


def needs_notification(
    entry: Entry | None,
    *,
    firing: Sequence[int],
    resolved: Sequence[int],
    send_resolved: bool,
    repeat_interval: Nanoseconds,
    now: Nanoseconds,
    sent: Nanoseconds | None = None,
    may_still_fire: bool = False,
    told: Collection[int] | None = None,
) -> Reason | None:
    """Why a notification has to be sent, given what was last sent; ``None`` if it has not (wire 4.6).

    ``sent``: when that was, if not at the entry's timestamp. ``may_still_fire``: the entry has an alert as
    firing of which this node has not heard; then not all are resolved that we do not see fire. ``told``: the
    alerts whose end was told, if not those of the entry.
    """
    if entry is None:
        return "first notification" if firing else None
    if not set(entry.firing_alerts).issuperset(firing):
        return "new alerts added" if entry.firing_alerts else "first notification"
    if not firing:
        # Also without send_resolved: the log has to forget the alerts that were firing.
        if not entry.firing_alerts or (may_still_fire and set(entry.firing_alerts).isdisjoint(resolved)):
            return None
        return "all alerts resolved"
    if send_resolved and not set(entry.resolved_alerts if told is None else told).issuperset(resolved):
        return "some alerts resolved"
    if (entry.timestamp if sent is None else sent) < now - repeat_interval:
        return "repeat interval elapsed"
    return None
