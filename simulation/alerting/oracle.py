"""What a lone Alertmanager must tell: a plain, slow model to hold notifications against.

Written from what Alertmanager does, and with nothing of our pipeline: groups with one timer each, what a
flush holds, the last notification of each integration, the answers of receivers. It is given what happened
and what was sent, plays the first, and follows the second: each attempt that must be made is looked for among
those that were, with its alerts and its reason, and its answer decides how it goes on. What is left over must
not have been sent.

Where we differ on purpose, so does it: a repeat interval counts from timer to timer if the receiver took a
notification promptly, and a reload does not tell the end of an alert once more.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Final, Literal

from tocsin.alerting.alert import Alert
from tocsin.alerting.alerts import Alerts
from tocsin.alerting.labels import Labels
from tocsin.alerting.route import Route
from tocsin.alerting.timestamp import MILLISECOND, SECOND, ZERO, Nanoseconds

LEAST_DEADLINE: Final = 10 * SECOND
FIRST_WAIT: Final = 500 * MILLISECOND
LONGEST_WAIT: Final = 60 * SECOND

Place = tuple[str, str, int]
"""A group's key, a receiver, and which of its integrations."""


@dataclass(frozen=True, slots=True)
class Observed:
    """An attempt that was made, and how it ended."""

    at: Nanoseconds
    ended: Nanoseconds
    place: Place
    firing: frozenset[Labels]
    resolved: frozenset[Labels]
    reason: str
    taken: bool
    retry: bool = True


@dataclass(frozen=True, slots=True)
class Happened:
    """A report of an alert, or (``alert`` is None) a reload."""

    at: Nanoseconds
    alert: Alert | None


@dataclass(slots=True)
class _Entry:
    firing: frozenset[Labels]
    resolved: frozenset[Labels]
    timer: Nanoseconds


@dataclass(eq=False, slots=True)
class _Group:
    route: Route
    key: str
    alerts: dict[Labels, Alert] = field(default_factory=dict)
    flying: _Flight | None = None
    due: bool = False
    gone: bool = False


@dataclass(eq=False, slots=True)
class _Flight:
    timer: Nanoseconds
    deadline: Nanoseconds
    held: tuple[Alert, ...]
    """What the group held, as the very objects."""
    left: int = 0
    failed: bool = False


def why(
    entry: tuple[frozenset[Labels], frozenset[Labels]] | None,
    firing: frozenset[Labels],
    resolved: frozenset[Labels],
    send_resolved: bool,
    elapsed: bool,
) -> str:
    """Why Alertmanager notifies, or empty if it does not."""
    if entry is None:
        return "first notification" if firing else ""
    was_firing, was_resolved = entry
    if firing - was_firing:
        return "new alerts added" if was_firing else "first notification"
    if not firing:
        return "all alerts resolved" if was_firing else ""
    if send_resolved and resolved - was_resolved:
        return "some alerts resolved"
    return "repeat interval elapsed" if elapsed else ""


class Oracle:
    """Judges what one node sent. ``receivers``: for each of a receiver's integrations, ``send_resolved``.
    ``muted`` says whether a silence or another alert mutes a label set, ``closed`` whether time intervals
    mute a route. ``late``: by how much an attempt may come after its time."""

    def __init__(
        self,
        route: Route,
        receivers: Mapping[str, Sequence[bool]],
        *,
        muted: Callable[[Labels, Nanoseconds], bool] = lambda _labels, _now: False,
        closed: Callable[[Route, Nanoseconds], bool] = lambda _route, _now: False,
        late: Nanoseconds = 0,
    ) -> None:
        self.complaints: list[str] = []
        self._route = route
        self._receivers = receivers
        self._muted = muted
        self._closed = closed
        self._late = late
        self._now: Nanoseconds = 0
        self._agenda: list[tuple[Nanoseconds, int, int, Callable[[], None]]] = []
        self._sequence = count()
        self._store = Alerts()
        self._groups: dict[tuple[str, Labels], _Group] = {}
        self._log: dict[Place, _Entry] = {}
        self._observed: defaultdict[Place, deque[Observed]] = defaultdict(deque)
        self._given_up: set[Place] = set()
        self._ends: dict[tuple[Place, Labels], Nanoseconds] = {}
        """When an alert ended whose end was told."""

    def judge(
        self, happened: Iterable[Happened], observed: Iterable[Observed], until: Nanoseconds
    ) -> list[str]:
        """What is wrong with ``observed``, which reaches to ``until``; nothing if all is right."""
        for one in sorted((each for each in observed if each.at < until), key=lambda each: each.at):
            self._observed[one.place].append(one)
        for event in happened:
            self._at(event.at, 0, self._doing(event))
        while self._agenda and self._agenda[0][0] < until:
            self._now, _, _, action = heappop(self._agenda)
            action()
        for place, rest in self._observed.items():
            for one in rest:
                self._complain(place, f"must not be told: {show(one.firing, one.resolved)}", one.at)
        return self.complaints

    def _at(self, when: Nanoseconds, rank: int, action: Callable[[], None]) -> None:
        heappush(self._agenda, (when, rank, next(self._sequence), action))

    def _complain(self, place: Place, what: str, at: Nanoseconds) -> None:
        """One for each place: what follows from it says nothing new."""
        if place not in self._given_up:
            self._given_up.add(place)
            self.complaints.append(f"at {at / SECOND:.3f} {place[1]}[{place[2]}] {place[0]}: {what}")

    # -- alerts and groups

    def _doing(self, event: Happened) -> Callable[[], None]:
        return lambda: self._reload() if event.alert is None else self._post(event.alert)

    def _post(self, alert: Alert) -> None:
        (stored,) = self._store.put([alert], self._now)
        self._sort_in(stored)

    def _sort_in(self, alert: Alert) -> None:
        for route in self._route.match(alert.labels):
            labels = route.group_labels(alert.labels)
            group = self._groups.get((route.id, labels))
            if group is None:
                group = self._groups[route.id, labels] = _Group(route, f"{route.key}:{labels}")
                old = alert.starts_at + route.options.group_wait < self._now
                self._arm(group, self._now if old else self._now + route.options.group_wait)
            group.alerts[alert.labels] = alert

    def _reload(self) -> None:
        """All alerts are sorted in anew, those that have ended too: they are kept for half an hour."""
        for group in self._groups.values():
            group.gone = True
        self._groups.clear()
        for alert in self._store.all():
            self._sort_in(alert)

    def _arm(self, group: _Group, when: Nanoseconds) -> None:
        self._at(when, 1, lambda: self._timer(group))

    def _timer(self, group: _Group) -> None:
        if group.gone:
            return
        if group.flying is not None:
            group.due = True
            return
        interval = group.route.options.group_interval
        group.due = False
        self._arm(group, self._now + interval)
        group.flying = _Flight(
            self._now, self._now + max(interval, LEAST_DEADLINE), tuple(group.alerts.values())
        )
        self._flush(group, group.flying)

    def _flush(self, group: _Group, flight: _Flight) -> None:
        told = [alert for alert in flight.held if not self._muted(alert.labels, self._now)]
        if self._closed(group.route, self._now):
            told = []
        firing = frozenset(alert.labels for alert in told if not alert.resolved_at(self._now))
        resolved = frozenset(alert.labels for alert in told) - firing
        sends = self._receivers[group.route.options.receiver]
        flight.left = len(sends) if told else 0
        if not flight.left:
            self._landed(group, flight)
            return
        for index, send_resolved in enumerate(sends):
            place = group.key, group.route.options.receiver, index
            entry = self._log.get(place)
            elapsed = entry is not None and entry.timer <= flight.timer - group.route.options.repeat_interval
            before = (entry.firing, entry.resolved) if entry is not None else None
            known = {
                alert.labels
                for alert in told
                if alert.resolved_at(self._now)
                and alert.ends_at <= self._ends.get((place, alert.labels), ZERO)
                and not (entry is not None and alert.labels in entry.firing)
            }
            reason = why(before, firing, resolved - known, send_resolved, elapsed)
            if not reason:
                self._over(group, flight)
            elif not firing and not send_resolved:
                self._log[place] = _Entry(firing, resolved, flight.timer)
                self._over(group, flight)
            else:
                delivery = _Delivery(group, flight, place, firing, resolved, send_resolved, reason)
                self._look_for(delivery, self._now + self._late)

    def _over(self, group: _Group, flight: _Flight, *, failed: bool = False) -> None:
        flight.failed = flight.failed or failed
        flight.left -= 1
        if not flight.left:
            self._landed(group, flight)

    def _landed(self, group: _Group, flight: _Flight) -> None:
        group.flying = None
        if group.gone:
            return
        if not flight.failed:
            self._remember_ends(group, flight)
            for alert in flight.held:
                if alert.resolved_at(flight.timer) and group.alerts.get(alert.labels) is alert:
                    del group.alerts[alert.labels]
            if not group.alerts:
                group.gone = True
                self._groups = {where: one for where, one in self._groups.items() if one is not group}
                return
        if group.due:
            self._arm(group, self._now)

    def _remember_ends(self, group: _Group, flight: _Flight) -> None:
        receiver = group.route.options.receiver
        for index in range(len(self._receivers[receiver])):
            place = group.key, receiver, index
            entry = self._log.get(place)
            for alert in flight.held:
                if alert.resolved_at(flight.timer) and entry is not None and alert.labels in entry.resolved:
                    self._ends[place, alert.labels] = alert.ends_at

    # -- attempts

    def _look_for(self, delivery: _Delivery, latest: Nanoseconds) -> None:
        place, rest = delivery.place, self._observed[delivery.place]
        if place in self._given_up:
            return
        found = rest[0] if rest else None
        deadline = delivery.flight.deadline
        if found is None or found.at > latest or found.at >= deadline:
            if delivery.attempts and latest + self._late >= deadline:
                self._at(deadline, 2, lambda: self._over(delivery.group, delivery.flight, failed=True))
                return
            wanted = show(delivery.firing, delivery.resolved if delivery.send_resolved else frozenset())
            attempt = f" (attempt {delivery.attempts + 1})" if delivery.attempts else ""
            told = (
                f"instead at {found.at / SECOND:.3f}: {show(found.firing, found.resolved)}" if found else ""
            )
            self._complain(
                place, f"not told{attempt}: {wanted}, {delivery.reason} {told}".rstrip(), self._now
            )
            return
        rest.popleft()
        self._compare(delivery, found)
        delivery.attempts += 1
        self._at(max(found.ended, self._now), 2, lambda: self._answered(delivery, found))

    def _compare(self, delivery: _Delivery, found: Observed) -> None:
        resolved = delivery.resolved if delivery.send_resolved else frozenset()
        if found.at < self._now:
            wrong = f"told too early: {show(found.firing, found.resolved)}"
        elif (found.firing, found.resolved) != (delivery.firing, resolved):
            wrong = f"told {show(found.firing, found.resolved)}, right is {show(delivery.firing, resolved)}"
        elif found.reason != delivery.reason:
            wrong = f"told for {found.reason!r}, right is {delivery.reason!r}"
        else:
            return
        self._complain(delivery.place, wrong, found.at)

    def _answered(self, delivery: _Delivery, found: Observed) -> None:
        group, flight = delivery.group, delivery.flight
        if found.taken:
            prompt = self._now - flight.timer <= group.route.options.group_interval // 4
            since = flight.timer if prompt else self._now
            self._log[delivery.place] = _Entry(delivery.firing, delivery.resolved, since)
            self._over(group, flight)
        elif not found.retry or self._now >= flight.deadline:
            self._over(group, flight, failed=True)
        else:
            wait = min(
                FIRST_WAIT * 3 ** (delivery.attempts - 1) // 2 ** (delivery.attempts - 1), LONGEST_WAIT
            )
            self._look_for(delivery, max(found.at + wait * 3 // 2, self._now) + self._late)


@dataclass(eq=False, slots=True)
class _Delivery:
    group: _Group
    flight: _Flight
    place: Place
    firing: frozenset[Labels]
    resolved: frozenset[Labels]
    send_resolved: bool
    reason: str
    attempts: int = 0


def show(firing: frozenset[Labels], resolved: frozenset[Labels]) -> str:
    """In words."""
    parts: list[tuple[Literal["firing", "resolved"], frozenset[Labels]]] = [
        ("firing", firing),
        ("resolved", resolved),
    ]
    return "; ".join(f"{name} {' '.join(sorted(map(str, one)))}" for name, one in parts if one) or "nothing"


def observed_of(
    alerts: Iterable[Alert],
) -> tuple[frozenset[Labels], frozenset[Labels]]:
    """The firing and the resolved alerts of a notification: those without an end, and those with one."""
    listed = list(alerts)
    firing = frozenset(alert.labels for alert in listed if alert.ends_at in (0, ZERO))
    return firing, frozenset(alert.labels for alert in listed) - firing
