"""What the alert flow needs of a configuration. ``tocsin.node.config`` has the classes that hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.route import Route
from tocsin.alerting.timeinterval import TimeInterval


class IntegrationConfig(Protocol):
    """One integration of a receiver."""

    @property
    def kind(self) -> str:
        """The integration's name in the notification log, the metrics and the API."""

    @property
    def send_resolved(self) -> bool:
        """Whether resolved alerts are sent to it."""


class ReceiverConfig(Protocol):
    """A receiver. An integration's index counts within its own kind, in the order of the file."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def integrations(self) -> Sequence[IntegrationConfig]:
        """Its integrations."""


class AlertmanagerConfig(Protocol):
    """A configuration, valid: every receiver and time interval that is named exists."""

    @property
    def route(self) -> Route:
        """The routing tree."""

    @property
    def receivers(self) -> Sequence[ReceiverConfig]:
        """All receivers."""

    @property
    def inhibit_rules(self) -> Sequence[InhibitRule]:
        """All inhibition rules."""

    @property
    def time_intervals(self) -> Mapping[str, tuple[TimeInterval, ...]]:
        """Time intervals by name."""
