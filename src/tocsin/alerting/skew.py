"""How far from our own clock the times of what peers send may be.

Of two versions the one with the later stamp wins, so a stamp at the end of time would win for ever: whatever
it says could be changed on no node, or on some and not on others. So a stamp may be ahead by MAX_SKEW only.
What we send ourselves is never further ahead than what we took, but for the step by which a change comes
after what it changes: therefore a version may be a little later than the one that it replaces.
"""

from __future__ import annotations

from typing import Final

from tocsin.alerting.timestamp import MICROSECOND, SECOND, Nanoseconds

_DAY: Final = 86_400 * SECOND

MAX_SKEW: Final = 45 * _DAY
"""Clocks that are wrong by a month are met (a wrong date, a machine that was restored), and what was made
under one is acknowledged: it must reach the others. Nobody gains by a stamp within it, for a change always
comes after what it changes."""
STEP: Final = MICROSECOND
"""How much later than the version that we have a change may be, if that one is ahead already. Changes of ours
come a nanosecond later. Who sends many versions, one such step apart, is soon no further ahead of those that
have not got them than the clock goes on meanwhile."""
LEAST_RETENTION: Final = 31 * _DAY
"""An entry is kept for its retention after its end. Nodes may differ in theirs, so that up to this is taken
from anybody; a longer one only where it is our own too."""


def is_too_far_ahead(stamp: Nanoseconds, known: Nanoseconds | None, now: Nanoseconds) -> bool:
    """Whether a peer's stamp must not be taken; ``known``: of the version that we have."""
    if stamp <= now + MAX_SKEW:
        return False
    return known is None or stamp > known + STEP or stamp > now + 2 * MAX_SKEW


def latest_expiry(end: Nanoseconds, retention: Nanoseconds) -> Nanoseconds:
    """Until when an entry is kept at most whose time is over at ``end``."""
    return end + max(retention, LEAST_RETENTION)
