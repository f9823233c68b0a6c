"""The dispatcher: sorts alerts into aggregation groups and says when each group is to be notified.

A group waits ``group_wait`` for companions of its first alert (not at all if that alert has been firing for
longer already), and is flushed every ``group_interval`` from then on. It ends when a flush of nothing but
resolved alerts has succeeded. Pure: time is passed in, flushes are drained.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count

from tocsin.alerting.alert import Alert
from tocsin.alerting.group import AggregationGroup, Flush, GroupView
from tocsin.alerting.labels import Labels
from tocsin.alerting.order import LabelsOrder, labels_order
from tocsin.alerting.route import Route
from tocsin.alerting.steps import Rounds, Steps, finish, sorting
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

__all__ = ["DispatchStatistics", "Dispatcher", "Flush", "GroupView"]

MAX_GROUPS = 200_000
"""Each group costs memory and a timer: alerts that would need one more are left out and counted."""
MAX_PLACEMENTS = 65_536
"""Label sets whose groups are remembered. Past it the oldest is worked out again when it comes back."""
VIEWED_IN_STEP = 64
SORTED_IN_STEP = 256
"""Alerts of groups that have to be sorted before they are viewed, about."""
BATCH_GROUPS = 64
BATCH_ALERTS = 512
"""What one ``handle_timeout`` flushes at most, so that it ends within a few milliseconds; it is then due
again at once."""


@dataclass(slots=True)
class DispatchStatistics:
    """Counted since the dispatcher was made."""

    alerts: int = 0
    """Alerts inserted."""
    flushes: int = 0
    group_limit_reached: int = 0
    """Times an alert was left out of a route because there were too many groups."""


class Dispatcher:
    """The groups of one configuration. A new configuration gets a new dispatcher and all alerts anew."""

    def __init__(
        self,
        route: Route,
        *,
        now: Nanoseconds,
        start_delay: Nanoseconds = 0,
        max_groups: int = MAX_GROUPS,
        max_placements: int = MAX_PLACEMENTS,
    ) -> None:
        """``start_delay`` (``--dispatch.start-delay``): for so long after ``now`` no group is flushed."""
        self.statistics = DispatchStatistics()
        self._route = route
        self._places = {each.id: place for place, each in enumerate(route.walk_upwards())}
        self._start = now + start_delay if start_delay else 0  # The clock may be set back later.
        self._max_groups = max_groups
        self._max_placements = max_placements
        self._groups: dict[tuple[str, Labels], AggregationGroup] = {}
        self._placements: dict[int, tuple[Labels, list[AggregationGroup]]] = {}
        self._timers: list[tuple[Nanoseconds, int, AggregationGroup]] = []
        self._sequence = count()
        self._flushes: list[Flush] = []
        self._making: Rounds[tuple[AggregationGroup, Nanoseconds], Flush] = Rounds(1)
        self._now = now

    def insert(self, alert: Alert, now: Nanoseconds) -> None:
        """Put an alert (as the store has merged it) into the group of every route it matches."""
        self.statistics.alerts += 1
        labels = alert.labels
        placement = self._placements.get(labels.fingerprint)
        if placement is not None and placement[0] == labels:
            for group in placement[1]:
                if group.destroyed:
                    break
                group.insert(alert)
            else:
                return
        self._place(alert, now)

    def _place(self, alert: Alert, now: Nanoseconds) -> None:
        labels = alert.labels
        routes = self._route.match(labels)
        groups: list[AggregationGroup] = []
        for route in routes:
            group = self._group(route, alert, now)
            if group is not None:
                group.insert(alert)
                groups.append(group)
        self._placements.pop(labels.fingerprint, None)
        # An alert that the limit left out of a route has to be tried anew each time.
        if len(groups) == len(routes):
            if len(self._placements) >= self._max_placements:
                del self._placements[next(iter(self._placements))]
            self._placements[labels.fingerprint] = labels, groups

    def _group(self, route: Route, alert: Alert, now: Nanoseconds) -> AggregationGroup | None:
        labels = route.group_labels(alert.labels)
        group = self._groups.get((route.id, labels))
        if group is not None:
            return group
        if len(self._groups) >= self._max_groups:
            self.statistics.group_limit_reached += 1
            return None
        group = AggregationGroup(route=route, labels=labels, key=route.group_key(labels), alerts={}, born=now)
        self._groups[route.id, labels] = group
        waited = alert.starts_at + route.options.group_wait < now
        self._arm(group, now if waited else now + route.options.group_wait)
        return group

    def _arm(self, group: AggregationGroup, when: Nanoseconds) -> None:
        group.next_flush = max(when, self._start)
        heappush(self._timers, (group.next_flush, next(self._sequence), group))

    def placed(self, labels: Labels) -> Sequence[AggregationGroup]:
        """The groups that an alert with ``labels`` was last put into, as far as that is remembered."""
        found = self._placements.get(labels.fingerprint)
        return found[1] if found is not None and found[0] == labels else ()

    def forget(self, alerts: Iterable[Alert]) -> None:
        """Drop what is remembered of the labels of alerts that are gone, which may be large."""
        for alert in alerts:
            self._placements.pop(alert.labels.fingerprint, None)

    def next_flush(self, route_id: str, labels: Labels) -> Nanoseconds | None:
        """When a group is flushed next; ``None`` if there is no such group."""
        group = self._groups.get((route_id, labels))
        return group.next_flush if group is not None else None

    def next_timeout(self) -> Nanoseconds | None:
        """When ``handle_timeout`` is to be called next."""
        timers = self._timers
        while timers and timers[0][2].destroyed:
            heappop(timers)
        due = timers[0][0] if timers else None
        if self._making.next() is not None:
            return self._now if due is None else min(due, self._now)
        return due

    def handle_timeout(self, now: Nanoseconds) -> None:
        """Flush the groups that are due, or the first of them if they are many. A large one is made ready in
        steps, one with each call."""
        self._now = now
        self._make_on()
        timers = self._timers
        groups = alerts = 0
        while timers and timers[0][0] <= now and groups < BATCH_GROUPS and alerts < BATCH_ALERTS:
            when, _, group = heappop(timers)
            if group.destroyed:
                continue
            if group.in_flight is not None:
                group.due = True
                continue
            # From the timer, not from now: peers stay in phase. From now after a long sleep: once is enough.
            timer = when if when + group.route.options.group_interval > now else now
            groups += 1
            alerts += len(group.alerts)
            if len(group.alerts) > BATCH_ALERTS:
                self._making.add((group, timer), group.flushing(now, timer))
            else:
                self._begun(group, timer, group.flush(now, timer))

    def _make_on(self) -> None:
        self._making.renew()
        for (group, timer), made in self._making.go_on():
            if isinstance(made, Exception):  # A bug costs this flush, not the group.
                self._arm(group, timer + group.route.options.group_interval)
                raise made
            self._begun(group, timer, made)

    def _begun(self, group: AggregationGroup, timer: Nanoseconds, flush: Flush) -> None:
        self._flushes.append(flush)
        self.statistics.flushes += 1
        self._arm(group, timer + group.route.options.group_interval)

    def current(self, flush: Flush, now: Nanoseconds) -> tuple[Alert, ...] | None:
        """What the group holds by now whose ``flush`` is under way; ``None`` if it is not."""
        group = self._groups.get((flush.route_id, flush.group_labels))
        return group.alerts_at(now) if group is not None and group.in_flight is flush else None

    def flushed(self, flush: Flush, now: Nanoseconds, success: bool) -> None:
        """The pipeline is done with ``flush``. One that this dispatcher does not know is ignored."""
        group = self._groups.get((flush.route_id, flush.group_labels))
        if group is None or group.in_flight is not flush:
            return
        group.flushed(flush, success)
        if group.destroyed:
            del self._groups[flush.route_id, flush.group_labels]
        elif group.due:
            self._arm(group, now)

    def drain(self) -> list[Flush]:
        """The flushes that have begun since the last call; ``flushed`` is to be called for each."""
        flushes, self._flushes = self._flushes, []
        return flushes

    def each_group(self) -> Iterator[tuple[Route, Labels, tuple[Alert, ...]]]:
        """Every group that there is now, in no order: route, labels, and the alerts that it holds when it is
        come to. For a caller that counts in slices."""
        for group in list(self._groups.values()):
            if group.alerts:
                yield group.route, group.labels, tuple(group.alerts.values())

    def groups(self) -> list[GroupView]:
        """Every group, ordered as the API does: by labels, then receiver, then as the routes, each after
        those below it."""
        return finish(self.viewing())

    def viewing(self) -> Steps[list[GroupView]]:
        """:meth:`groups` in steps: there may be tens of thousands. A group that is gone before it is reached
        is as it was then, or left out."""
        places = self._places

        def place(group: AggregationGroup) -> tuple[LabelsOrder, str, int]:
            return labels_order(group.labels), group.route.options.receiver, places[group.route.id]

        found: list[GroupView] = []
        groups = [group for group in self._groups.values() if group.alerts]
        yield
        unsorted = 0
        for number, group in enumerate((yield from sorting(groups, key=place)), 1):
            if number % VIEWED_IN_STEP == 0 or unsorted >= SORTED_IN_STEP:
                unsorted = 0
                yield
            unsorted += group.unsorted
            alerts = yield from group.sorting()
            if alerts:
                found.append(
                    GroupView(
                        route=group.route,
                        labels=group.labels,
                        receiver=group.route.options.receiver,
                        alerts=alerts,
                        key=group.key,
                        id=group.route.id,
                    )
                )
        return found

    def __len__(self) -> int:
        """How many groups there are."""
        return len(self._groups)
