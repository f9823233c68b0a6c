"""Where the alerts of one configuration are put: into groups, and among those that inhibit others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tocsin.alerting.alert import Alert
from tocsin.alerting.config import AlertmanagerConfig
from tocsin.alerting.dispatch import Dispatcher
from tocsin.alerting.inhibit import Inhibitor
from tocsin.alerting.timestamp import Nanoseconds

SLICE: Final = 64
"""Alerts that are put in at a time when there are many: some milliseconds of work."""


class Grouping:
    """A dispatcher and an inhibitor that know the same alerts."""

    def __init__(self, config: AlertmanagerConfig, now: Nanoseconds, start_delay: Nanoseconds = 0) -> None:
        """For ``start_delay`` after ``now`` no group is flushed."""
        self.inhibitor = Inhibitor(config.inhibit_rules)
        self.dispatcher = Dispatcher(config.route, now=now, start_delay=start_delay)

    def insert(self, alerts: Iterable[Alert], now: Nanoseconds) -> None:
        """Take in alerts as the store has merged them."""
        for alert in alerts:
            self.inhibitor.put(alert)
            self.dispatcher.insert(alert, now)

    def slices(self, alerts: Sequence[Alert]) -> Iterator[Sequence[Alert]]:
        """The slices in which a new configuration is to take in all alerts."""
        for start in range(0, len(alerts), SLICE):
            yield alerts[start : start + SLICE]
