"""The stages of the pipeline that drop muted alerts, in Alertmanager's order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from tocsin.alerting.alert import Alert
from tocsin.alerting.effects import Suppressed
from tocsin.alerting.group import Flush
from tocsin.alerting.labels import Labels
from tocsin.alerting.route import RouteOptions
from tocsin.alerting.timeinterval import TimeInterval, TimeIntervals
from tocsin.alerting.timestamp import Nanoseconds


class Muter(Protocol):
    """What can mute alerts: silences and the inhibitor. A non-empty answer (by whom) mutes."""

    def mutes(self, labels: Labels, now: Nanoseconds, /) -> tuple[str, ...]: ...


class PatientMuter(Muter, Protocol):
    """A muter whose answer may take long to find."""

    def looking_up(self, labels: Labels, /) -> Iterator[None] | None:
        """The work that :meth:`mutes` would do first, in steps; None: none."""
        ...


class Muting:
    """Inhibition, then active time intervals, then mute time intervals, then silences."""

    __slots__ = ("_inhibitor", "_silences", "_time_intervals")

    def __init__(
        self,
        *,
        inhibitor: Muter,
        silences: Muter,
        time_intervals: Mapping[str, Sequence[TimeInterval]],
    ) -> None:
        self._inhibitor = inhibitor
        self._silences = silences
        self._time_intervals = TimeIntervals(time_intervals)

    def unmuted(self, flush: Flush, now: Nanoseconds) -> tuple[tuple[Alert, ...], list[Suppressed]]:
        """The alerts of a flush that nothing mutes, and what muted the others. The time intervals are asked
        about the flush's own time, as everybody else in the cluster asks about theirs."""
        suppressed: list[Suppressed] = []
        alerts = _without_muted(flush.alerts, self._inhibitor, "inhibition", now, suppressed)
        options = flush.options
        if alerts and self.muted_by(options, flush.now):
            reason = "mute_time_interval" if self._is_active(options, flush.now) else "active_time_interval"
            suppressed.append(Suppressed(reason, len(alerts)))
            alerts = ()
        if alerts:
            alerts = _without_muted(alerts, self._silences, "silence", now, suppressed)
        return alerts, suppressed

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


def _without_muted(
    alerts: tuple[Alert, ...], muter: Muter, reason: str, now: Nanoseconds, suppressed: list[Suppressed]
) -> tuple[Alert, ...]:
    left = tuple(alert for alert in alerts if not muter.mutes(alert.labels, now))
    if len(left) < len(alerts):
        suppressed.append(Suppressed(reason, len(alerts) - len(left)))
    return left
