"""The stages of the pipeline that drop muted alerts, in Alertmanager's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from tocsin.alerting.alert import Alert
from tocsin.alerting.decisions import Muted, MutedAlert
from tocsin.alerting.group import Flush
from tocsin.alerting.inhibit import Inhibition
from tocsin.alerting.integration import Integration
from tocsin.alerting.labels import Labels
from tocsin.alerting.route import RouteOptions
from tocsin.alerting.steps import Steps
from tocsin.alerting.timeinterval import TimeInterval, TimeIntervals
from tocsin.alerting.timestamp import Nanoseconds

Unmuted: TypeAlias = tuple[tuple[Alert, ...], list[Muted]]
"""The alerts that nothing mutes, and what mutes the others."""
MAX_BY: Final = 16
"""Silences that are named for an alert that is left out: any mutes it, and there may be thousands."""
ALERTS_AT_ONCE: Final = 32
"""Silences that are evaluated in one step."""


class Muter(Protocol):
    """What can mute alerts: the silences. A non-empty answer (by which) mutes."""

    def mutes(self, labels: Labels, now: Nanoseconds, /) -> tuple[str, ...]: ...

    def muting(self, labels: Labels, now: Nanoseconds, most: int, /) -> Steps[tuple[str, ...]]:
        """The first ``most`` of :meth:`mutes`, found in steps."""
        ...


class PatientMuter(Muter, Protocol):
    """A muter whose answer may take long to find."""

    def looking_up(self, labels: Labels, /) -> Iterator[None] | None:
        """The work that :meth:`mutes` would do first, in steps; None: none."""
        ...


class Inhibitions(Protocol):
    """What can inhibit alerts."""

    def inhibition(self, labels: Labels, now: Nanoseconds, /) -> Inhibition | None: ...


class Muting:
    """Inhibition, then active time intervals, then mute time intervals, then silences."""

    __slots__ = ("_inhibitor", "_silences", "_time_intervals")

    def __init__(
        self,
        *,
        inhibitor: Inhibitions,
        silences: Muter,
        time_intervals: Mapping[str, Sequence[TimeInterval]],
    ) -> None:
        self._inhibitor = inhibitor
        self._silences = silences
        self._time_intervals = TimeIntervals(time_intervals)

    def unmuted(
        self,
        flush: Flush,
        alerts: tuple[Alert, ...],
        now: Callable[[], Nanoseconds],
        integration: Integration | None = None,
    ) -> Steps[Unmuted]:
        """Which of ``alerts``, those of the flush or what its group holds now, nothing mutes; and what mutes
        the others, for ``integration`` or for all of them. The time intervals are asked about the flush's own
        time, as everybody else in the cluster asks about theirs.

        In steps: there may be thousands of alerts, and of silences for each. So ``now`` gives the time of the
        step: to ask as of an older one would have all silences that have ended since filed anew.
        """
        found: list[Muted] = []
        left = []
        muted = []
        for place, alert in enumerate(alerts, 1):
            if place % ALERTS_AT_ONCE == 0:
                yield
            by = self._inhibitor.inhibition(alert.labels, now())
            if by is None:
                left.append(alert)
            else:
                muted.append(MutedAlert(alert, (by.source.labels.fingerprint_text,), by))
        if muted:
            alerts = tuple(left)
            found.append(Muted(flush, now(), "inhibition", tuple(muted), integration))
        options = flush.options
        if alerts and (names := self.muted_by(options, flush.now)):
            active = self._is_active(options, flush.now)
            found.append(
                Muted(
                    flush,
                    now(),
                    "mute_time_interval" if active else "active_time_interval",
                    tuple([MutedAlert(alert, names) for alert in alerts]),
                    integration,
                )
            )
            return (), found
        left, muted = [], []
        for place, alert in enumerate(alerts, 1):
            if place % ALERTS_AT_ONCE == 0:
                yield
            ids = yield from self._silences.muting(alert.labels, now(), MAX_BY)
            if ids:
                muted.append(MutedAlert(alert, ids))
            else:
                left.append(alert)
        if muted:
            alerts = tuple(left)
            found.append(Muted(flush, now(), "silence", tuple(muted), integration))
        return alerts, found

    def muted_by(self, options: RouteOptions, now: Nanoseconds) -> tuple[str, ...]:
        """The names of the time intervals that mute a route at ``now``; empty if it is not muted.

        A route that is outside of its active time intervals is muted by all of them.
        """
        if not self._is_active(options, now):
            return options.active_time_intervals
        return self._time_intervals.containing(options.mute_time_intervals, now)

    def _is_active(self, options: RouteOptions, now: Nanoseconds) -> bool:
        active = options.active_time_intervals
        return not active or bool(self._time_intervals.containing(active, now))
