"""A rate limit for each key: a rate, and a burst after a rest (a token bucket)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

MAX_DEBT: Final = 5.0
"""Seconds that a key waits at most, whatever it has used: a faulty peer may have been fixed meanwhile."""
MAX_KEYS: Final = 4096
"""Keys with a debt that are remembered."""


class Allowance:
    """Each key may use ``rate`` a second, and ``burst`` at once after a rest: seconds of work, or handshakes.

    Kept for each key as the instant until which its use is paid for; a key that has rested is forgotten.
    """

    def __init__(self, rate: float, burst: float, *, max_debt: float = MAX_DEBT) -> None:
        self._rate = rate
        self._rest = burst / rate
        self._max_debt = max_debt
        self._paid_until: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._paid_until)

    def charge(self, key: Hashable, amount: float, now: float) -> None:
        """``key`` has used ``amount``."""
        before = self._paid_until.get(key, now - self._rest)
        until = max(before, now - self._rest) + amount / self._rate
        self._paid_until[key] = min(until, now + self._max_debt)
        if len(self._paid_until) > MAX_KEYS:
            self._forget(now)

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until ``key`` may use more; 0 for now."""
        until = self._paid_until.get(key)
        return 0.0 if until is None else max(0.0, until - now)

    def _forget(self, now: float) -> None:
        kept = {key: until for key, until in self._paid_until.items() if until > now - self._rest}
        if len(kept) > MAX_KEYS:  # All of them are busy: those with the smallest debt are forgotten.
            order = sorted(kept, key=kept.__getitem__, reverse=True)
            kept = {key: kept[key] for key in order[: MAX_KEYS // 2]}
        self._paid_until = kept
