"""Rate limit by key that assigns waiting times: ``rate`` a second, and a burst. No I/O."""

from __future__ import annotations

from math import inf

from tocsin.bounded import Allowance


class Pace:
    """Assigns each client a time to begin, in the order in which they come."""

    def __init__(self, rate: float, burst: int) -> None:
        """``rate``: a second."""
        self._allowance = Allowance(rate, burst, max_debt=inf)

    def __len__(self) -> int:
        return len(self._allowance)

    def book(self, key: str, now: float) -> float:
        """Seconds until this client may begin; 0 for at once. It counts even if the client goes away."""
        wait = self._allowance.wait(key, now)
        self._allowance.charge(key, 1, now)
        return wait
