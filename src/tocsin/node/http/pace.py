"""So many a second of each key, and so many at once after a rest. No I/O."""

from __future__ import annotations

from typing import Final

_REMEMBERED: Final = 4096


class Pace:
    """Gives each who comes a time to begin, in the order in which they come."""

    def __init__(self, rate: float, burst: int) -> None:
        """``rate``: a second."""
        self._step = 1.0 / rate
        self._rest = burst * self._step
        self._next: dict[str, float] = {}

    def book(self, key: str, now: float) -> float:
        """Seconds until this one may begin; 0 for at once. It counts, also if it does not come."""
        at = max(self._next.get(key, 0.0), now - self._rest)
        self._next[key] = at + self._step
        if len(self._next) > _REMEMBERED:
            self._forget(now)
        return max(0.0, at - now)

    def _forget(self, now: float) -> None:
        """Who has rested, and if none has, those that are least behind."""
        kept = {key: at for key, at in self._next.items() if at > now - self._rest}
        if len(kept) > _REMEMBERED:
            order = sorted(kept, key=kept.__getitem__, reverse=True)
            kept = {key: kept[key] for key in order[: _REMEMBERED // 2]}
        self._next = kept
