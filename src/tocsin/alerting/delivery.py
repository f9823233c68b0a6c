"""The delivery of one flush to one integration: whether it is needed, and how it is tried again.

Deliveries are moved along by :mod:`tocsin.alerting.pipeline`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import IntegrationConfig, ReceiverConfig
from tocsin.alerting.group import Flush
from tocsin.alerting.intent import Lease
from tocsin.alerting.nflog import Entry, Receiver
from tocsin.alerting.notification import Notification, Reason
from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds

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


@dataclass(eq=False, slots=True)
class FlushRun:
    """A flush on its way through the pipeline, and what is left of it."""

    flush: Flush
    deadline: Nanoseconds
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
    """Those of :attr:`known` that are not muted."""
    known: tuple[Alert, ...]
    """What the group held at ``looked_at``."""
    looked_at: Nanoseconds
    began: Nanoseconds
    """Since when it has been waiting for earlier peers."""
    state: DeliveryState = DeliveryState.WAITING
    deadline: Nanoseconds = 0
    firing: tuple[int, ...] = ()
    resolved: tuple[int, ...] = ()
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


def also_notified(
    entry: Entry | None, delivery: Delivery, now: Nanoseconds, sent: Nanoseconds
) -> tuple[Sequence[int], Sequence[int]]:
    """What fires and what is resolved by the log's entry, and we do not know: to be kept in the next entry.

    Alerts do not reach all nodes at the same time. If our entry left out what another node has just notified
    and we are still to hear of, that node would soon notify it again, and then we ours. Only of a recent
    entry, and only so many: what nobody knows any more is to be forgotten. Muted alerts are known, and left
    out as upstream. ``sent``: when the entry's notification was, as far as can be told.
    """
    flush = delivery.run.flush
    if entry is None or abs(now - sent) > max(KEEP_UNKNOWN, 2 * flush.options.group_interval):
        return (), ()
    known = {alert.labels.hash for alert in delivery.known}
    firing = [one for one in entry.firing_alerts if one not in known]
    resolved = [one for one in entry.resolved_alerts if one not in known]
    return firing[-MAX_UNKNOWN:], resolved[-MAX_UNKNOWN:]


def needs_notification(
    entry: Entry | None,
    *,
    firing: Sequence[int],
    resolved: Sequence[int],
    send_resolved: bool,
    repeat_interval: Nanoseconds,
    now: Nanoseconds,
    sent: Nanoseconds | None = None,
) -> Reason | None:
    """Why a notification has to be sent, given what was last sent; ``None`` if it has not (spec 4.6).

    ``sent``: when that was, if not at the entry's timestamp.
    """
    if entry is None:
        return "first notification" if firing else None
    if not set(entry.firing_alerts).issuperset(firing):
        return "new alerts added" if entry.firing_alerts else "first notification"
    if not firing:
        # Also without send_resolved: the log has to forget the alerts that were firing.
        # Upstream sends as soon as anything fired: also a node that has not heard of what still does.
        return None if set(entry.firing_alerts).isdisjoint(resolved) else "all alerts resolved"
    if send_resolved and not set(entry.resolved_alerts).issuperset(resolved):
        return "some alerts resolved"
    if (entry.timestamp if sent is None else sent) < now - repeat_interval:
        return "repeat interval elapsed"
    return None
