"""An aggregation group: the alerts of one route that go out in one notification."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import field

from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.order import AlertOrder, alert_order
from tocsin.alerting.route import Route, RouteOptions
from tocsin.alerting.steps import Steps, sorting
from tocsin.alerting.timestamp import SECOND, ZERO, Nanoseconds
from tocsin.dataclass import dataclass

MANY = 128
"""With more new alerts a group is sorted as a whole."""
SORTED_ANEW = 3
"""How often a group is sorted in steps while alerts of it go; then it is sorted at once."""
COPIED_AT_ONCE = 1024
"""Alerts of a flush in one step."""
MINIMUM_TIMEOUT = 10 * SECOND
"""A flush has the group interval to get through, but never less than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """The alerts of a group at one moment, to be sent through the pipeline.

    ``alerts`` are in Alertmanager's order; the firing ones have no end (``ZERO``), so that none of them
    resolves on its way. ``now`` is when the flush began; ``timer`` when the group's timer was due, which is a
    little earlier, and by which reminders are counted (0: at ``now``). ``deadline`` leaves out the wait for
    earlier peers, which the pipeline adds.
    """

    group_key: str
    route_id: str
    group_labels: Labels
    options: RouteOptions
    alerts: tuple[Alert, ...]
    now: Nanoseconds
    deadline: Nanoseconds
    timer: Nanoseconds = 0
    born: Nanoseconds = field(default=0, compare=False)
    """When the group was made."""
    number: int = field(default=0, compare=False)
    """The how many-th flush of the group it is, from 1."""

    @property
    def due(self) -> Nanoseconds:
        """When the group's timer was due."""
        return self.timer or self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group as the API shows it. ``alerts`` are as last reported, in Alertmanager's order."""

    route: Route
    labels: Labels
    receiver: str
    alerts: tuple[Alert, ...]
    key: str
    id: str
    """The route's id: with ``key`` it names the group."""


@dataclass(eq=False, slots=True)
class AggregationGroup:
    """Holds alerts between flushes. The dispatcher keeps its timer."""

    route: Route
    labels: Labels
    key: str
    alerts: dict[int, Alert]
    born: Nanoseconds = 0
    flushes: int = 0
    in_flight: Flush | None = None
    """The flush that is under way; there is never a second one beside it."""
    due: bool = False
    """The timer went off while a flush was under way: the next one follows at its end."""
    destroyed: bool = False
    next_flush: Nanoseconds = 0
    """When its timer is due."""
    _sorted: tuple[Alert, ...] | None = None
    _order: list[int] = field(default_factory=list)
    """The fingerprints in the alerts' order, which depends on the labels only; without those of ``_new``."""
    _new: list[int] = field(default_factory=list)

    def insert(self, alert: Alert) -> None:
        """Add an alert or replace its last report."""
        fingerprint = alert.labels.fingerprint
        if fingerprint not in self.alerts:
            self._new.append(fingerprint)
        self.alerts[fingerprint] = alert
        self._sorted = None

    @property
    def unsorted(self) -> int:
        """How many alerts :meth:`sorted_alerts` has to compare for the first time."""
        return len(self._new)

    def sorted_alerts(self) -> tuple[Alert, ...]:
        """All alerts in Alertmanager's order.

        To sort thousands takes tens of milliseconds: so what is reported again keeps its position, and what
        is new is put into its own, unless it is much.
        """
        found = self._sorted
        if found is None:
            alerts = self.alerts

            def place(fingerprint: int) -> AlertOrder:
                return alert_order(alerts[fingerprint])

            if len(self._new) > MANY:
                self._order = sorted(alerts, key=place)
            else:
                for fingerprint in self._new:
                    insort(self._order, fingerprint, key=place)
            self._new = []
            found = self._sorted = tuple(map(alerts.__getitem__, self._order))
        return found

    def sorting(self) -> Steps[tuple[Alert, ...]]:
        """:meth:`sorted_alerts` in steps; what comes meanwhile is among them, unless it is much."""
        for _ in range(SORTED_ANEW):
            new = self._new
            if len(new) <= MANY:
                break
            taken, alerts = len(new), dict(self.alerts)
            order = yield from sorting(list(alerts), key=lambda fingerprint: alert_order(alerts[fingerprint]))
            if self._new is new:  # Else all were sorted, or some have gone, meanwhile.
                self._order, self._new = order, new[taken:]
                if len(self._new) > MANY:
                    return tuple(map(self.alerts.__getitem__, order))
        return self.sorted_alerts()

    def alerts_at(self, now: Nanoseconds) -> tuple[Alert, ...]:
        """All alerts as a flush has them: those that fire without an end."""
        return _as_flushed(self.sorted_alerts(), now)

    def flushing(self, now: Nanoseconds, timer: Nanoseconds = 0) -> Steps[Flush]:
        """:meth:`flush` in steps, for a group of thousands; what comes while they are sorted may be in it."""
        held = yield from self.sorting()
        alerts: list[Alert] = []
        for start in range(0, len(held), COPIED_AT_ONCE):
            yield
            alerts += _as_flushed(held[start : start + COPIED_AT_ONCE], now)
        return self._flush(tuple(alerts), now, timer)

    def flush(self, now: Nanoseconds, timer: Nanoseconds = 0) -> Flush:
        """Begin a flush of what the group holds, for the timer that was due at ``timer``."""
        return self._flush(self.alerts_at(now), now, timer)

    def _flush(self, alerts: tuple[Alert, ...], now: Nanoseconds, timer: Nanoseconds) -> Flush:
        options = self.route.options
        self.due = False
        self.flushes += 1
        self.in_flight = Flush(
            group_key=self.key,
            route_id=self.route.id,
            group_labels=self.labels,
            options=options,
            alerts=alerts,
            now=now,
            deadline=now + max(options.group_interval, MINIMUM_TIMEOUT),
            timer=timer,
            born=self.born,
            number=self.flushes,
        )
        return self.in_flight

    def flushed(self, flush: Flush, success: bool) -> None:
        """End the flush. After a success its resolved alerts go, save those reported again meanwhile."""
        self.in_flight = None
        if not success:
            return
        gone: set[int] = set()
        for alert in flush.alerts:
            fingerprint = alert.labels.fingerprint
            # A firing alert went into the flush as a copy: identity holds for unchanged resolved ones only.
            if self.alerts.get(fingerprint) is alert and alert.resolved_at(flush.now):
                del self.alerts[fingerprint]
                gone.add(fingerprint)
        if gone:  # They were in the flush, so they have their positions.
            self._sorted = None
            self._order = [fingerprint for fingerprint in self._order if fingerprint not in gone]
            self._new = list(self._new)  # What is being sorted has some that are gone.
        if not self.alerts:
            self.destroyed = True


def _as_flushed(alerts: Iterable[Alert], now: Nanoseconds) -> tuple[Alert, ...]:
    return tuple([alert if alert.resolved_at(now) else _endless(alert) for alert in alerts])


def _endless(alert: Alert) -> Alert:
    # dataclasses.replace would take several times as long, and a flush may hold thousands.
    return Alert(
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        ends_at=ZERO,
        generator_url=alert.generator_url,
        updated_at=alert.updated_at,
        timeout=alert.timeout,
    )
