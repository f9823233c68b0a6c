"""How long a member's answers take, smoothed: what TCP makes its timeouts of (RFC 6298)."""

from __future__ import annotations

from typing import Final

from tocsin.dataclass import dataclass

_GAIN: Final = 1 / 8
_VARIATION_GAIN: Final = 1 / 4
_VARIATIONS: Final = 4
MARGIN: Final = 0.05
"""Seconds that are waited on top of the mean at least: an event loop at either end may be held, and its
processor's other work. RFC 6298 has the clock's granularity there."""


@dataclass(slots=True)
class SmoothedRoundTrip:
    """Mean and mean deviation of round trips; new ones count for more."""

    mean: float = 0.0
    """Seconds; 0 before the first."""
    variation: float = 0.0
    """Seconds."""
    samples: int = 0

    def add(self, seconds: float) -> None:
        """One more was measured."""
        self.samples += 1
        if self.samples == 1:
            self.mean, self.variation = seconds, seconds / 2
            return
        self.variation += _VARIATION_GAIN * (abs(seconds - self.mean) - self.variation)
        self.mean += _GAIN * (seconds - self.mean)

    @property
    def bound(self) -> float:
        """Seconds by which an answer is there unless something is lost; 0 before the first."""
        return self.mean + max(MARGIN, _VARIATIONS * self.variation) if self.samples else 0.0
