"""Silences: replicated, time-limited orders to hold back the notifications of matching alerts."""

from tocsin.alerting.silence.silence import Silence, SilenceState
from tocsin.alerting.silence.silences import SilenceLimits, Silences
from tocsin.alerting.silence.validate import check_matcher_sets, make_matcher_sets

__all__ = [
    "Silence",
    "SilenceLimits",
    "SilenceState",
    "Silences",
    "check_matcher_sets",
    "make_matcher_sets",
]
