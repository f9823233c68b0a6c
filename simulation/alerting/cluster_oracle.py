"""What a cluster may tell: a plain model to hold its notifications against, whoever of the nodes sent them.

Written from what Alertmanager does, and with nothing of our pipeline. What a cluster has told of a group is
what its last notification said, and (here we differ on purpose) what an earlier one said of alerts that the
sender of the last one had not heard of. By that, and by what each node was told of its alerts, each
notification must be of the right alerts, must have news, must give the right reason; and what is told must
soon become what is.

When exactly a node flushes a group is not modelled: :mod:`simulation.alerting.oracle` does that for one node.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from simulation.alerting.oracle import show, why
from tocsin.alerting.alert import Alert
from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import MILLISECOND, SECOND, Nanoseconds

LONGEST: Final = 60 * SECOND
"""For so long a notification may wait for others."""
TIE: Final = MILLISECOND
"""What is so close together happens in either order."""


@dataclass(frozen=True, slots=True)
class Report:
    """A node hears of an alert, or (``alert`` is None) begins anew and knows none."""

    at: Nanoseconds
    node: str
    alert: Alert | None


@dataclass(frozen=True, slots=True)
class Told:
    """A notification that the receiver took. ``looked``: from when until when it may have been chosen what
    alerts it is of."""

    at: Nanoseconds
    taken: Nanoseconds
    node: str
    group: str
    firing: frozenset[Labels]
    resolved: frozenset[Labels]
    reason: str
    looked: tuple[Nanoseconds, Nanoseconds]


@dataclass(frozen=True, slots=True)
class _State:
    """What a group has been told."""

    taken: Nanoseconds
    firing: frozenset[Labels] = frozenset()
    resolved: frozenset[Labels] = frozenset()
    ended: Mapping[Labels, Nanoseconds] = field(default_factory=dict)
    """Whose end was told, and which, and that they fire again was not."""
    carried: Mapping[Labels, Nanoseconds] = field(default_factory=dict)
    """Since when some of ``firing`` are there only as their senders had not heard of them: if one fires anew
    after that, it is not the one that was told."""
    passed_on: frozenset[Labels] = frozenset()
    """Some of ``resolved`` are there only as their senders had not heard of them."""
    perhaps: frozenset[Labels] = frozenset()
    """Told to fire by somebody who was late, when the next sender had let them go for over. It may hold that
    for news from one who knows better, and carry them on, or not. And what its sender has not heard of, and
    somebody may have left out silently before."""
    begun: bool = False
    """Whether there was any notification."""
    silent: bool = False
    """Whether it is only written in the log, at some time after ``taken``."""

    def is_like(self, other: _State) -> bool:
        """Whether both say the same, whenever it was written."""
        return (self.taken, self.firing, self.perhaps) == (other.taken, other.firing, other.perhaps)


@dataclass(slots=True)
class _History:
    """What was told of one alert to a node, or to any."""

    times: list[Nanoseconds] = field(default_factory=list)
    ends: list[Nanoseconds] = field(default_factory=list)
    """For each time when the alert ends by it; 0 or less: it does not."""

    def add(self, at: Nanoseconds, ends_at: Nanoseconds) -> None:
        self.times.append(at)
        self.ends.append(ends_at)

    def fires(self, at: Nanoseconds) -> bool | None:
        """Whether it fires; None: nobody has heard of it."""
        place = bisect_right(self.times, at) - 1
        return None if place < 0 else self.ends[place] <= 0 or self.ends[place] > at

    def end(self, at: Nanoseconds) -> Nanoseconds:
        """By which end it is over, if it is."""
        return self.ends[bisect_right(self.times, at) - 1]

    def fired(self, at: Nanoseconds) -> Nanoseconds:
        """When it began to fire, the last time before that."""
        return max((one for one in self.changes() if one <= at and self.fires(one)), default=0)

    def changes(self) -> list[Nanoseconds]:
        """When it began and ended, in turns."""
        found: list[Nanoseconds] = []
        fires: bool | None = None
        for at in sorted({at for at in (*self.times, *self.ends) if at >= self.times[0]}):
            if self.fires(at) != fires:
                found.append(at)
                fires = self.fires(at)
        return found

    def during(self, begins: Nanoseconds, ends: Nanoseconds) -> set[bool | None]:
        """All that it was in that time."""
        within = [at for at in (*self.times, *self.ends) if begins < at <= ends]
        return {self.fires(at) for at in (begins, *within)}


class ClusterOracle:
    """``group_of``: the key of an alert's group. ``heard``: after that time each node has heard of a
    notification. ``bound``: after that time what has changed is told. ``muted``: whether a silence or another
    alert mutes it, for that node, or (None) for one that has heard of everything; ``mutings``: when that may
    change. ``lost``: whether others may never hear of that notification, as its sender died, was cut off, or
    gave up before the answer; of its group no reason is judged any more."""

    def __init__(
        self,
        group_of: Callable[[Labels], str],
        *,
        send_resolved: bool = True,
        repeat_interval: Nanoseconds = 24 * 3600 * SECOND,
        heard: Nanoseconds = 5 * SECOND,
        muted: Callable[[Labels, Nanoseconds, str | None], bool] = lambda _labels, _now, _node: False,
        mutings: Iterable[Nanoseconds] = (),
        lost: Callable[[Told], bool] = lambda _told: False,
    ) -> None:
        self.complaints: list[str] = []
        self._group_of = group_of
        self._send_resolved = send_resolved
        self._repeat = repeat_interval
        self._heard = heard
        self._muted = muted
        self._mutings = frozenset(mutings)
        self._lost = lost
        self._of_node: defaultdict[str, dict[Labels, _History]] = defaultdict(dict)
        self._before: list[tuple[str, Nanoseconds, dict[Labels, _History]]] = []
        """What nodes had heard of until they began anew, and when they did."""
        self._of_all: dict[Labels, _History] = {}
        self._states: defaultdict[str, list[_State]] = defaultdict(lambda: [_State(-1)])
        self._doubtful: set[str] = set()

    def judge(self, reports: Iterable[Report], told: Iterable[Told]) -> list[str]:
        """What is wrong with the notifications; nothing if all is right."""
        waiting = sorted(told, key=lambda one: one.taken)
        coming = sorted(reports, key=lambda one: one.at)
        for one in coming:
            if one.alert is not None:
                self._of_all.setdefault(one.alert.labels, _History()).add(one.at, one.alert.ends_at)
        place = 0
        for notification in waiting:
            while place < len(coming) and coming[place].at <= notification.taken:
                self._hear(coming[place])
                place += 1
            self._judge(notification)
        return self.complaints

    def _hear(self, report: Report) -> None:
        histories = self._of_node[report.node]
        if report.alert is None:
            self._before.append((report.node, report.at, histories))
            self._of_node[report.node] = {}
        else:
            histories.setdefault(report.alert.labels, _History()).add(report.at, report.alert.ends_at)

    def _complain(self, told: Told, what: str) -> None:
        self.complaints.append(
            f"at {told.at / SECOND:.3f} {told.node} told {told.group} {show(told.firing, told.resolved)}, "
            f"{told.reason}: {what}"
        )

    # -- each notification

    def _judge(self, told: Told) -> None:
        states = self._states[told.group]
        silent = self._silently(told, states)
        self._judge_set(told, silent)
        if told.group not in self._doubtful:
            self._judge_reason(told, states, silent)
        if self._lost(told):
            self._doubtful.add(told.group)
        states.append(self._after(told, states[-1], silent))

    def _judge_set(self, told: Told, silent: list[_State]) -> None:
        """What the node had heard of, at the time when it chose."""
        histories = self._of_node[told.node]
        begins, ends = told.looked[0] - TIE, told.looked[1] + TIE
        was = {labels: history.during(begins, ends) for labels, history in histories.items()}
        for labels in sorted(told.firing | told.resolved, key=str):
            if self._group_of(labels) != told.group:
                self._complain(told, f"{labels} is none of the group's")
            elif labels in told.firing and (
                self._overtaken(labels, told, silent) or self._short(labels, told)
            ):
                continue
            elif (labels in told.firing) not in was.get(labels, ()):
                has = "has not been heard of" if labels not in was else "is not so"
                self._complain(told, f"{labels} {has}")
            elif self._muted_throughout(labels, begins, ends, told.node):
                self._complain(told, f"{labels} is muted")
        for labels in sorted(was.keys() - told.firing - told.resolved, key=str):
            mine = self._group_of(labels) == told.group
            if mine and was[labels] == {True} and not self._muted_within(labels, begins, ends, told.node):
                self._complain(told, f"{labels} is left out")

    def _overtaken(self, labels: Labels, told: Told, silent: list[_State]) -> bool:
        """Whether the alert was told while this notification had to wait, and then something else was told
        or written: who waited can see the latter only, and lets nothing go untold."""
        states = self._states[told.group]
        recent = [one for one in states if told.at - LONGEST < one.taken <= told.at]
        return any(labels in one.firing for one in recent) and any(
            labels not in one.firing for one in (states[-1], *silent)
        )

    def _short(self, labels: Labels, told: Told) -> bool:
        """Whether it fired when this notification began to wait, or was muted until then, and nobody has told
        of it since it fires."""
        history = self._of_node[told.node].get(labels)
        if history is None:
            return False
        fired, earliest = history.fired(told.looked[0]), told.at - LONGEST
        since = [one for one in self._states[told.group] if fired < one.taken <= told.at]
        if any(labels in one.firing | one.resolved for one in since):
            return False
        return fired > earliest or self._muted_within(labels, fired, earliest, told.node)

    def _muted_throughout(self, labels: Labels, begins: Nanoseconds, ends: Nanoseconds, node: str) -> bool:
        return all(self._muted(labels, at, node) for at in (begins, (begins + ends) // 2, ends))

    def _muted_within(
        self, labels: Labels, begins: Nanoseconds, ends: Nanoseconds, node: str | None = None
    ) -> bool:
        step = max((ends - begins) // 50, 1)
        return any(self._muted(labels, at, node) for at in range(begins, ends + 1, step))

    def _judge_reason(self, told: Told, states: list[_State], silent: list[_State]) -> None:
        """By something that the sender may have known of."""
        may = states[self._known(told, states) :]
        reasons = {reason for state in (*may, *silent) for reason in self._why(told, state)}
        if told.reason not in reasons:
            right = " or ".join(sorted(f"{one!r}" for one in reasons if one)) or "nothing to tell"
            self._complain(told, f"right is {right}")

    def _known(self, told: Told, states: list[_State]) -> int:
        """The place of the last state that each node has heard of."""
        return max(place for place, one in enumerate(states) if one.taken < told.at - self._heard)

    def _why(self, told: Told, state: _State) -> Iterator[str]:
        """An end of what nobody was told to fire again since its last end was told may count, or not: by
        whether the log still had that one when the alert was let go, or has it only as passed on. What was
        carried on and fires anew may count as told, or not: by whether the sender has heard of it in
        between."""
        old = {one for one, since in state.carried.items() if self._of_all[one].fired(told.looked[1]) > since}
        elapsed = told.at - state.taken >= self._repeat - 10 * SECOND
        later = frozenset(one for one in told.resolved if self._end(told, one) > state.ended.get(one, 0))
        some = state.perhaps - told.firing  # Each of them may be there or not.
        for firing in (
            state.firing - old,
            state.firing,
            state.firing | some,
            state.firing | state.perhaps,
        ):
            for resolved in (state.resolved, state.resolved - state.passed_on):
                entry = (firing, resolved) if state.begun else None
                for new in (later, later - state.ended.keys()):
                    yield why(entry, told.firing, new, self._send_resolved, elapsed)

    def _end(self, told: Told, one: Labels) -> Nanoseconds:
        history = self._of_node[told.node].get(one)
        return history.end(told.looked[1]) if history is not None else 0

    def _silently(self, told: Told, states: list[_State]) -> list[_State]:
        """Without ``send_resolved`` a node for which all that fires of the group has ended writes so in the
        log, and nobody is told. Its entry carries on what it has not heard of, as that of a notification."""
        if self._send_resolved:
            return []
        states = states[self._known(told, states) :]
        found: list[_State] = []
        runs = [(node, told.at, histories) for node, histories in self._of_node.items()]
        moments = sorted(
            (at, node, number)
            for number, (node, until, histories) in enumerate([*self._before, *runs])
            if until > states[0].taken
            for one, what in histories.items()
            if self._group_of(one) == told.group
            for at in {*what.times, *what.ends, *self._mutings, states[0].taken}
            if states[0].taken <= at < min(until, told.at)
        )
        for at, node, number in moments:
            histories = [*self._before, *runs][number][2]
            heard = {one: what for one, what in histories.items() if what.times[0] <= at}
            mine = [
                one for one, what in heard.items() if what.fires(at) and self._group_of(one) == told.group
            ]
            if all(self._muted(one, at, node) for one in mine):
                for state in (*states, *found):
                    carried = {one: state.carried.get(one, at) for one in state.firing if one not in heard}
                    over = replace(
                        state,
                        firing=frozenset(carried),
                        carried=carried,
                        perhaps=(state.perhaps | self._let_go(heard, state, at)) - frozenset(mine),
                        silent=True,
                    )
                    if state.taken <= at and not any(map(over.is_like, found)):
                        found.append(over)
        return found

    def _after(self, told: Told, before: _State, silent: list[_State]) -> _State:
        """With what an earlier notification said of alerts that the sender has not heard of."""
        heard = {
            one for one, what in self._of_node[told.node].items() if what.times[0] <= told.looked[1] + TIE
        }
        unheard = before.firing - heard
        sure = unheard.intersection(*(one.firing for one in silent))
        carried = {one: before.carried.get(one, told.looked[0]) for one in sure}
        until = told.looked[1]
        perhaps = frozenset[Labels]().union(
            *(one.perhaps | self._let_go(self._of_node[told.node], one, until) for one in (before, *silent))
        )
        passed_on = before.resolved - heard
        return _State(
            told.taken,
            told.firing | carried.keys(),
            told.resolved | passed_on,
            {
                **{one: end for one, end in before.ended.items() if one not in told.firing},
                **{one: self._end(told, one) for one in told.resolved},
            },
            carried,
            passed_on,
            (perhaps | (unheard - sure)) - told.firing - told.resolved,
            begun=True,
        )

    def _let_go(
        self, heard: Mapping[Labels, _History], state: _State, until: Nanoseconds
    ) -> frozenset[Labels]:
        """Of what fires by the state, what a node knew to be over when that was told or written."""
        ends = until if state.silent else state.taken
        return frozenset(
            one
            for one in state.firing & heard.keys()
            if heard[one].times[0] <= until and False in heard[one].during(state.taken, ends)
        )

    # -- that what is told becomes what is

    def untold(self, bound: Nanoseconds, end: Nanoseconds, *, since: Nanoseconds = 0) -> list[str]:
        """Alerts of which something else was told ``bound`` after they had begun or ended, and stayed so.
        ``since``: from when at the earliest the time counts."""
        found: list[str] = []
        for labels, history in self._of_all.items():
            states = self._states[self._group_of(labels)]
            for begins, ends in pairwise([*history.changes(), end]):
                fires = history.fires(begins)
                due = max(begins, since) + bound
                if due > min(ends, end) or not (fires or self._send_resolved):
                    continue
                if self._muted_within(labels, begins, due):
                    continue
                told = [state for state in states if state.taken <= due][-1]
                if fires != (labels in (told.firing | told.perhaps if fires else told.firing)):
                    what = "fires" if fires else "is resolved"
                    found.append(f"{labels} {what} at {begins / SECOND:.3f}, and nobody is told in time")
        return found
