"""What would become of an alert under a configuration: its routes, groups, what mutes it. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.inhibit import Inhibitor
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher, matches_all
from tocsin.alerting.muting import Muting
from tocsin.alerting.route import Route
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Destination:
    """A route that the alert ends in. ``intervals``: those that mute the route at the time."""

    route: Route
    group: Labels
    intervals: tuple[str, ...]

    @property
    def receiver(self) -> str:
        """Who is notified."""
        return self.route.options.receiver


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of one alert. ``inhibited_by``: the fingerprint of an alert; ``silenced_by``: names of silences."""

    labels: Labels
    destinations: tuple[Destination, ...]
    inhibited_by: tuple[str, ...]
    silenced_by: tuple[str, ...]

    def muted(self, destination: Destination) -> str:
        """Why that receiver is not notified, in the order in which a node checks; empty if it is."""
        if self.inhibited_by:
            return "inhibited"
        if destination.intervals:
            return "time interval"
        return "silenced" if self.silenced_by else ""

    @property
    def notified(self) -> tuple[str, ...]:
        """The receivers that are notified, in the order of the routing tree."""
        return tuple(each.receiver for each in self.destinations if not self.muted(each))


@dataclass(frozen=True, slots=True)
class NamedSilence:
    """A silence that is in force."""

    name: str
    matchers: tuple[Matcher, ...]


class Silencing:
    """The silences that are in force, as a :class:`~tocsin.alerting.muting.Muter`."""

    def __init__(self, silences: Sequence[NamedSilence]) -> None:
        self._silences = silences

    def mutes(self, labels: Labels, _now: Nanoseconds) -> tuple[str, ...]:
        """The names of those that silence alerts with ``labels``."""
        return tuple(each.name for each in self._silences if matches_all(each.matchers, labels))

    def muting(self, labels: Labels, now: Nanoseconds, most: int) -> Steps[tuple[str, ...]]:
        """The first of them, in a single step."""
        return self.mutes(labels, now)[:most]
        yield


class Outlooks:
    """What would become of alerts, while ``alerts`` fire and ``silences`` are in force."""

    def __init__(
        self, config: AlertmanagerConfig, alerts: Iterable[Alert], silences: Sequence[NamedSilence] = ()
    ) -> None:
        self._route = config.route
        self._inhibitor = Inhibitor(config.inhibit_rules)
        for alert in alerts:
            self._inhibitor.put(alert)
        self._silencing = Silencing(silences)
        self._muting = Muting(
            inhibitor=self._inhibitor, silences=self._silencing, time_intervals=config.time_intervals
        )

    def of(self, labels: Labels, now: Nanoseconds) -> Outlook:
        """Of an alert with ``labels``."""
        return Outlook(
            labels,
            tuple(
                Destination(route, route.group_labels(labels), self._muting.muted_by(route.options, now))
                for route in self._route.match(labels)
            ),
            self._inhibitor.mutes(labels, now),
            self._silencing.mutes(labels, now),
        )
