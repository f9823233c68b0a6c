"""What one node knows about the alerts that are asked for: the nodes of a cluster exchange this."""

from __future__ import annotations

from tocsin.alerting.labels import Labels
from tocsin.alerting.record.model import FlushRecord, Pairs
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAlert:
    """An alert that the node holds, as it is now."""

    labels: Labels
    starts_at: Nanoseconds
    ends_at: Nanoseconds
    """0: it fires."""
    inhibited_by: str = ""
    """The inhibiting alert and the rule, in words."""
    silenced_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """When a group is flushed next."""

    route_id: str
    labels: Pairs
    due: Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """``records``: newest first."""

    node: str
    alerts: tuple[HeldAlert, ...] = ()
    timers: tuple[Timer, ...] = ()
    records: tuple[FlushRecord, ...] = ()
    left_out: str = ""
    """Why there may be more than this; empty: this is all."""
