"""Which time it is for what throws data away: a wall clock that jumps must not cost any."""

from __future__ import annotations

from typing import Final

from tocsin.alerting.timestamp import SECOND, Nanoseconds

TOLERANCE: Final = 3600 * SECOND
"""How far the wall clock may run ahead of the steady one between two readings."""


class RetentionClock:
    """Follows the wall clock, but believes a jump ahead only once it still holds at the next reading.

    A jump back needs no care: nothing expires for it.
    """

    def __init__(self) -> None:
        self._last: tuple[Nanoseconds, int] | None = None
        self._believed: Nanoseconds | None = None

    def read(self, wall: Nanoseconds, steady: int) -> Nanoseconds:
        """The time up to which to collect: ``wall``, or where it should be if it has just jumped ahead."""
        last, self._last = self._last, (wall, steady)
        if last is None or wall - last[0] <= steady - last[1] + TOLERANCE:
            self._believed = wall
        else:
            assert self._believed is not None  # noqa: S101  (set by the first reading)
            self._believed += steady - last[1]
        return self._believed
