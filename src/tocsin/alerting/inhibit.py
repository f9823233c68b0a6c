"""Inhibition: a firing source alert mutes the target alerts that agree with it on some labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.fulfilled import Fulfilled
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, matches_all
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass

MAX_PLACEMENTS = 65_536
"""Label sets of which it is remembered whether they are sources. Past it the oldest is worked out again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """One of ``inhibit_rules``. ``equal``: labels whose values must agree, an absent one being empty."""

    source_matchers: tuple[Matcher, ...]
    target_matchers: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Inhibition:
    """Why an alert is inhibited: by ``source``, which fires, under the rule of that ``number`` (from 0)."""

    source: Alert
    rule: InhibitRule
    number: int


class Inhibitor:
    """Says which alerts are inhibited, by the source alerts that were reported to it.

    An alert that matches both sides of a rule is not inhibited by another such alert, so that none of them
    inhibits itself or all of them each other.
    """

    __slots__ = ("_max_placements", "_placements", "_rules", "_source_sides", "_target_sides")

    def __init__(self, rules: Iterable[InhibitRule], *, max_placements: int = MAX_PLACEMENTS) -> None:
        self._rules = [_RuleSources(rule) for rule in rules]
        self._source_sides = Fulfilled([each.rule.source_matchers for each in self._rules])
        self._target_sides = Fulfilled([each.rule.target_matchers for each in self._rules])
        self._max_placements = max_placements
        self._placements: dict[int, tuple[Labels, tuple[_Placement, ...]]] = {}

    def put(self, alert: Alert) -> None:
        """Take in an alert that was reported: firing, or now resolved."""
        if not self._rules:
            return
        labels = alert.labels
        fingerprint = labels.fingerprint
        known = self._placements.get(fingerprint)
        if known is None or known[0] != labels:
            known = labels, self._place(labels)
            self._placements.pop(fingerprint, None)
            if len(self._placements) >= self._max_placements:
                del self._placements[next(iter(self._placements))]
            self._placements[fingerprint] = known
        for index, equal in known[1]:
            index.setdefault(equal, {})[fingerprint] = alert

    def _place(self, labels: Labels) -> tuple[_Placement, ...]:
        return tuple([self._rules[number].place(labels) for number in self._source_sides.numbers(labels)])

    def inhibition(self, labels: Labels, now: Nanoseconds, /) -> Inhibition | None:
        """What inhibits alerts with ``labels``: the first rule that does, and one of its sources."""
        for number in self._target_sides.numbers(labels):
            sources = self._rules[number]
            source = sources.find(labels, now)
            if source is not None:
                return Inhibition(source, sources.rule, number)
        return None

    def mutes(self, labels: Labels, now: Nanoseconds) -> tuple[str, ...]:
        """The fingerprint of the alert that inhibits alerts with ``labels``; empty if there is none.

        One is enough and Alertmanager shows no more.
        """
        found = self.inhibition(labels, now)
        return (found.source.labels.fingerprint_text,) if found is not None else ()

    def would_mute(self, labels: Labels, at: Nanoseconds) -> tuple[str, ...]:
        """:meth:`mutes` at any time, for a question that changes nothing: what has ended by then is kept."""
        for number in self._target_sides.numbers(labels):
            source = self._rules[number].find_at(labels, at)
            if source is not None:
                return (source.labels.fingerprint_text,)
        return ()

    def forget(self, alerts: Iterable[Alert]) -> None:
        """Drop what is remembered of the labels of alerts that are gone, which may be large."""
        for alert in alerts:
            self._placements.pop(alert.labels.fingerprint, None)

    def gc(self, now: Nanoseconds) -> int:
        """Forget the source alerts that are resolved. Returns how many."""
        return sum(sources.gc(now) for sources in self._rules)

    def __len__(self) -> int:
        return sum(len(sources) for sources in self._rules)


class _RuleSources:
    """A rule and the alerts that match its source side, by the values of its ``equal`` labels."""

    __slots__ = ("_one_sided", "_two_sided", "rule")

    def __init__(self, rule: InhibitRule) -> None:
        self.rule = rule
        self._one_sided: _Index = {}
        self._two_sided: _Index = {}

    def _equal(self, labels: Labels) -> tuple[str, ...]:
        return tuple(labels.value(name) for name in self.rule.equal)

    def place(self, labels: Labels) -> _Placement:
        """Where a source alert with ``labels`` stands."""
        two_sided = matches_all(self.rule.target_matchers, labels)
        return self._two_sided if two_sided else self._one_sided, self._equal(labels)

    def find(self, labels: Labels, now: Nanoseconds) -> Alert | None:
        equal = self._equal(labels)
        found = _firing(self._one_sided, equal, now)
        if found is None and self._two_sided and not matches_all(self.rule.source_matchers, labels):
            found = _firing(self._two_sided, equal, now)
        return found

    def find_at(self, labels: Labels, at: Nanoseconds) -> Alert | None:
        equal = self._equal(labels)
        sources = list(self._one_sided.get(equal, {}).values())
        if self._two_sided and not matches_all(self.rule.source_matchers, labels):
            sources += self._two_sided.get(equal, {}).values()
        return next((each for each in sources if not each.resolved_at(at)), None)

    def gc(self, now: Nanoseconds) -> int:
        return sum(
            _forget_resolved(index, equal, now)
            for index in (self._one_sided, self._two_sided)
            for equal in list(index)
        )

    def __len__(self) -> int:
        return sum(len(alerts) for index in (self._one_sided, self._two_sided) for alerts in index.values())


_Index: TypeAlias = dict[tuple[str, ...], dict[int, Alert]]
_Placement: TypeAlias = tuple[_Index, tuple[str, ...]]


def _firing(index: _Index, equal: tuple[str, ...], now: Nanoseconds) -> Alert | None:
    alerts = index.get(equal)
    if alerts is None:
        return None
    first = next(iter(alerts.values()))
    if not first.resolved_at(now):
        return first
    # Drop the resolved ones, or each later call would walk over them again.
    _forget_resolved(index, equal, now)
    return next(iter(alerts.values()), None)


def _forget_resolved(index: _Index, equal: tuple[str, ...], now: Nanoseconds) -> int:
    alerts = index[equal]
    resolved = [fingerprint for fingerprint, alert in alerts.items() if alert.resolved_at(now)]
    for fingerprint in resolved:
        del alerts[fingerprint]
    if not alerts:
        del index[equal]
    return len(resolved)
