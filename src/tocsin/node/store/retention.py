"""The time for deleting expired data, which a jump of the wall clock must not cause."""

from __future__ import annotations

from typing import Final

from tocsin.alerting.timestamp import SECOND, Nanoseconds

TOLERANCE: Final = 3600 * SECOND
"""How far the wall clock may run ahead of the steady one between two readings."""


class RetentionClock:
    """Follows the wall clock, but believes a jump ahead only once it still holds at the next reading.

    The first reading of a run is not believed past ``known``, what a previous run knew: a node that starts
    with a wrong clock and is stopped again must not clean up by it. A jump back does no harm: nothing expires
    by it.
    """

    def __init__(self, known: Nanoseconds = 0) -> None:
        self._known = known
        self._last: tuple[Nanoseconds, int] | None = None
        self._believed = known

    def read(self, wall: Nanoseconds, steady: int) -> Nanoseconds:
        """The time up to which to collect: ``wall``, or where it should be if it has just jumped ahead."""
        last, self._last = self._last, (wall, steady)
        if last is None:
            self._believed = wall if wall <= self._known + TOLERANCE else self._known
        elif wall - last[0] <= steady - last[1] + TOLERANCE:
            self._believed = wall
        else:
            self._believed += steady - last[1]
        return self._believed
