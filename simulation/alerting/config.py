"""The configuration of a simulated node: one receiver, ``hook``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.alerting.inhibit import InhibitRule
from tocsin.alerting.route import Route
from tocsin.alerting.timeinterval import TimeInterval


@dataclass(frozen=True, slots=True)
class Hook:
    """An integration."""

    send_resolved: bool = True
    kind: str = "webhook"


@dataclass(frozen=True, slots=True)
class HookReceiver:
    """The receiver."""

    integrations: tuple[Hook, ...] = (Hook(),)
    name: str = "hook"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedConfig:
    """Implements :class:`tocsin.alerting.config.AlertmanagerConfig`."""

    route: Route
    receivers: tuple[HookReceiver, ...] = (HookReceiver(),)
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: Mapping[str, tuple[TimeInterval, ...]] = field(default_factory=dict)
