"""The names that ``--enable-feature`` takes, at the node and at its tool."""

from typing import Final

FEATURES: Final = (
    "alert-names-in-metrics",
    "receiver-name-in-metrics",
    "group-key-in-metrics",
    "classic-mode",
    "utf8-strict-mode",
    "auto-gomemlimit",
    "event-recorder",
)
