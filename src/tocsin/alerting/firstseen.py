"""When a notification went out, where its stamp in the log does not show it.

The log has the end of the attempt, and a reminder is decided on at a timer of the group: by the stamp of our
own entry it would always come one interval late. So of what we sent ourselves the timer counts.

A peer's clock may have been days ahead, and every later entry of the group is later still: by its stamps
alone no reminder would be due until then. How entries are stored and merged stays as it is, so that all
nodes hold the same; only where a reminder is decided on, such an entry counts from when this node first saw
it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from tocsin.alerting.timestamp import SECOND, Nanoseconds

TOLERANCE: Final = 600 * SECOND
"""A stamp up to so far ahead is taken for what it says, as Alertmanager takes all."""
MAX_KEYS: Final = 65_536


class FirstSeen:
    """Remembers, for each key (of a group and integration), at which timer of ours its entry began, or when
    an entry from the future was first seen."""

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._seen: dict[Hashable, tuple[Nanoseconds, Nanoseconds, bool]] = {}
        self.forgotten = 0
        """Times that a key made room for another."""

    def began(self, key: Hashable, stamp: Nanoseconds, timer: Nanoseconds) -> None:
        """The notification of the key's entry, stamped ``stamp``, is ours, of that timer of its group."""
        # A nanosecond earlier: a reminder is due when its interval has passed to the full.
        self._remember(key, stamp, timer - 1, True)

    def is_ours(self, key: Hashable, stamp: Nanoseconds) -> bool:
        """Whether the notification of the key's entry, stamped ``stamp``, is ours."""
        known = self._seen.get(key)
        return known is not None and known[0] == stamp and known[2]

    def _remember(self, key: Hashable, stamp: Nanoseconds, when: Nanoseconds, ours: bool) -> None:
        self._seen.pop(key, None)
        if len(self._seen) >= self._max_keys:
            del self._seen[next(iter(self._seen))]
            self.forgotten += 1
        self._seen[key] = stamp, when, ours

    def sent(self, key: Hashable, stamp: Nanoseconds, now: Nanoseconds) -> Nanoseconds:
        """When the notification of the key's entry, stamped ``stamp``, went out, as far as is known."""
        known = self._seen.pop(key, None)
        ours = False
        if known is not None and known[0] == stamp:
            seen, ours = min(known[1], now), known[2]
        elif stamp - now > TOLERANCE:
            seen = now
        else:
            return stamp
        self._remember(key, stamp, seen, ours)
        return min(stamp, seen)

    def __len__(self) -> int:
        return len(self._seen)
