"""For how long a node passes on what the log says of alerts that it has not heard of.

Each new entry of a group keeps such alerts (``delivery.also_notified``), so without an end a chain of entries
would carry an alert that nobody knows any more, and hold it back when it fires anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

from tocsin.alerting.timestamp import SECOND, Nanoseconds

PATIENCE: Final = 600 * SECOND
"""An alert that has not reached this node in that time is not on its way to it."""
MAX_PLACES: Final = 65_536


class Unheard:
    """Remembers, for each place (group and integration), since when an unheard alert has been passed on."""

    def __init__(self, max_places: int = MAX_PLACES) -> None:
        self._max_places = max_places
        self._since: dict[Hashable, dict[int, Nanoseconds]] = {}

    def fresh(self, place: Hashable, hashes: Iterable[int], now: Nanoseconds) -> frozenset[int]:
        """Which of ``hashes``, all that the place's entry has of unheard alerts, to pass on again."""
        before = self._since.pop(place, {})
        since = {one: before.get(one, now) for one in hashes}
        if since:
            if len(self._since) >= self._max_places:
                del self._since[next(iter(self._since))]
            self._since[place] = since
        return frozenset(one for one, first in since.items() if now - first <= PATIENCE)

    def __len__(self) -> int:
        return len(self._since)
