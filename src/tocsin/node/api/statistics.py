"""Counters of expensive answers."""

from __future__ import annotations

from typing import Final

from tocsin.dataclass import dataclass


@dataclass(slots=True)
class AnswerStatistics:
    """The counters of one node since its start."""

    long: int = 0
    """Long answers that are being taken now."""
    long_ended: int = 0
    """Long answers that were cut in favour of another one."""
    long_refused: int = 0
    compressing: int = 0
    """Answers that are being compressed or wait for it, now."""
    facets_waiting: int = 0
    """Counts of facets that are under way, or wait for that, now."""
    facets_left_out: int = 0
    """Alerts that were not counted under one of their labels, past the bound on values."""


GAUGES: Final = ("long", "compressing", "facets_waiting")
