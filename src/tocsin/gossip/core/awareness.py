"""Lifeguard's local health: a member that hears too little doubts itself before it doubts others."""

from __future__ import annotations


class Awareness:
    """A score from 0 (healthy) to ``maximum`` - 1. It scales the probe interval, nothing else (wire 2.3)."""

    __slots__ = ("_maximum", "score")

    def __init__(self, maximum: int) -> None:
        self._maximum = max(1, maximum)
        self.score: int = 0

    def apply(self, delta: int) -> None:
        """Add ``delta``, kept in range."""
        self.score = min(max(self.score + delta, 0), self._maximum - 1)

    def scale(self, seconds: float) -> float:
        """``seconds`` stretched by the score."""
        return seconds * (self.score + 1)
