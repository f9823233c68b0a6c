"""Acknowledgements: silences that end when what they silence has ended.

An acknowledgement is a silence like any other with an annotation, which Alertmanager 0.32 and later keeps,
shows and passes on, and nothing else acts on. Where no Tocsin node is left it ends at its own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, MatchType, sort_matchers
from tocsin.alerting.route import Route
from tocsin.alerting.steps import Steps, finish
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import ValidationError

ANNOTATION: Final = "tocsin/expire-when-resolved"
"""Of a silence: "true" if it is an acknowledgement."""
HOLD: Final[Nanoseconds] = 10 * SECOND
"""From the end of the last alert to the end of the silence."""
UNKNOWN_HOLD: Final[Nanoseconds] = 300 * SECOND
"""The same where no end was reported: the alert is only not reported any more, perhaps to this node alone."""
EVALUATED_IN_STEP: Final = 512


def is_acknowledgement(annotations: Mapping[str, str]) -> bool:
    """Whether a silence with these annotations ends with its alerts."""
    return annotations.get(ANNOTATION) == "true"


class Standing(NamedTuple):
    """The alerts silenced by an acknowledgement that this node knows, at least one."""

    firing: bool
    """Whether one of them fires."""
    said: bool
    """Whether an end was reported for each alert that has ended."""


@dataclass(slots=True)
class _Quiet:
    since: Nanoseconds | None = None
    said: bool = True


class Acknowledgements:
    """Decides when acknowledgements end: once nothing that they silence has fired for a while.

    An alert must have been known at this node, so one that has just begun, or gets no reports, ends nothing.
    Each node decides by itself, those that come later among the members later: by then it is mostly done.
    """

    def __init__(self, hold: Nanoseconds = HOLD, unknown_hold: Nanoseconds = UNKNOWN_HOLD) -> None:
        self._hold = hold
        self._unknown_hold = unknown_hold
        self._quiet: dict[str, _Quiet] = {}

    def evaluate(
        self, standings: Mapping[str, Standing | None], now: Nanoseconds, wait: Nanoseconds = 0
    ) -> list[str]:
        """Which of the acknowledgements in force are to end. ``standings``: all of them by their ids, None
        where no alert is known. ``wait``: how much later than the first member this node is to act."""
        return finish(self.evaluating(standings, now, wait))

    def evaluating(
        self, standings: Mapping[str, Standing | None], now: Nanoseconds, wait: Nanoseconds = 0
    ) -> Steps[list[str]]:
        """:meth:`evaluate` in steps: whoever may silence can make hundreds of thousands."""
        known, self._quiet = self._quiet, {}
        due = []
        for place, (identifier, standing) in enumerate(standings.items(), 1):
            if place % EVALUATED_IN_STEP == 0:
                yield
            quiet = self._quiet[identifier] = known.get(identifier) or _Quiet()
            if standing is not None and standing.firing:
                quiet.since, quiet.said = None, True
                continue
            if standing is not None:
                quiet.said = standing.said
                quiet.since = now if quiet.since is None else min(quiet.since, now)
            elif quiet.since is None:
                continue  # Nothing was ever known, or all of it was forgotten while it fired.
            hold = self._hold if quiet.said else self._unknown_hold
            if now - quiet.since >= hold + wait:
                due.append(identifier)
        return due


def matchers_of_alert(labels: Labels) -> tuple[Matcher, ...]:
    """Of the silence for one alert."""
    return _usable([Matcher(MatchType.EQUAL, name, value) for name, value in labels.pairs])


def matchers_of_group(route: Route, group_labels: Labels) -> tuple[Matcher, ...]:
    """Of the silence for a group: what its route and those above it ask for, and the labels that name it; one
    that its alerts do not have must be missing. Raises ValidationError where that fits every alert."""
    found: dict[Matcher, None] = {}
    above: Route | None = route
    while above is not None:
        found.update(dict.fromkeys(above.matchers))
        above = above.parent
    names = set(group_labels) if route.options.group_by_all else {*route.options.group_by, *group_labels}
    for name in names:
        found[Matcher(MatchType.EQUAL, name, group_labels.value(name))] = None
    return _usable(list(found))


def _usable(matchers: list[Matcher]) -> tuple[Matcher, ...]:
    if all(matcher.matches("") for matcher in matchers):
        raise ValidationError(
            "the group has no label and its route no matcher to identify it by: acknowledge the alerts"
        )
    return sort_matchers(matchers)
