"""What the log says of alerts that this node has not heard of, and for how long a node passes it on.

An alert that a peer has notified may still be on its way to us. Each new entry of a group keeps such alerts
(``delivery.also_notified``). An alert that this node saw end is not one of them: held for firing, it would go
untold when it fires anew. And without an end a chain of entries would carry an alert that nobody knows any
more.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Final

from tocsin.alerting.timestamp import SECOND, Nanoseconds

PATIENCE: Final = 600 * SECOND
"""An alert that has not reached this node in that time is not on its way to it."""
MAX_PLACES: Final = 65_536
MAX_ENDED: Final = 65_536
"""Ends that are remembered. Of an alert past it that a peer's entry has as firing, the end is forgotten."""


class UnknownAlerts:
    """Remembers, for each place (group and integration), since when an unknown alert has been carried, and
    which alerts ended here."""

    def __init__(self, max_places: int = MAX_PLACES, max_ended: int = MAX_ENDED) -> None:
        self._max_places = max_places
        self._max_ended = max_ended
        self._since: dict[Hashable, dict[int, Nanoseconds]] = {}
        self._wrote: dict[Hashable, Nanoseconds] = {}
        """The stamp of our last entry of a place, if it passes anything on."""
        self._ended: dict[tuple[Hashable, int], tuple[Nanoseconds, Nanoseconds | None]] = {}
        self.places_forgotten = 0
        """Times that a place made room for another."""
        self.ends_forgotten = 0

    def ended(self, place: Hashable, one: int, stamp: Nanoseconds, told: Nanoseconds | None) -> None:
        """The place's group is done with an alert that has ended; the place's entry is that of ``stamp``, and
        if it tells of the end, that was at ``told``."""
        self._ended.pop((place, one), None)
        if len(self._ended) >= self._max_ended:
            del self._ended[next(iter(self._ended))]
            self.ends_forgotten += 1
        self._ended[place, one] = stamp, told

    def is_over(self, place: Hashable, one: int, stamp: Nanoseconds) -> bool:
        """Whether the alert ended here after the entry of ``stamp`` was written: then the entry tells us
        nothing that we have not heard. By the entry and not by the time, as clocks differ."""
        ended = self._ended.get((place, one))
        return ended is not None and ended[0] == stamp

    def was_over(self, place: Hashable, one: int) -> bool:
        """Whether the place's group has removed the alert as resolved before."""
        return (place, one) in self._ended

    def notified_end(self, place: Hashable, one: int) -> Nanoseconds | None:
        """When the alert ended the last time that its end was told and the group was done with it."""
        ended = self._ended.get((place, one))
        return ended[1] if ended is not None else None

    def passed_on(self, place: Hashable, stamp: Nanoseconds) -> Mapping[int, Nanoseconds]:
        """What the place's entry, if it is ours, has of alerts that its group did not hold; since when ours
        have it."""
        return self._since.get(place, {}) if self._wrote.get(place) == stamp else {}

    def fresh(self, place: Hashable, hashes: Iterable[int], now: Nanoseconds) -> frozenset[int]:
        """Which of ``hashes``, all that the place's entry has of unknown alerts, to pass on again."""
        before = self._since.pop(place, {})
        self._wrote.pop(place, None)
        since = {one: before.get(one, now) for one in hashes}
        if since:
            if len(self._since) >= self._max_places:
                oldest = next(iter(self._since))
                del self._since[oldest]
                self._wrote.pop(oldest, None)
                self.places_forgotten += 1
            self._since[place] = since
        return frozenset(one for one, first in since.items() if now - first <= PATIENCE)

    def wrote(self, place: Hashable, stamp: Nanoseconds) -> None:
        """The entry that passes on what :meth:`fresh` said has this stamp."""
        if place in self._since:
            self._wrote[place] = stamp

    @property
    def ends(self) -> int:
        """How many ends are remembered."""
        return len(self._ended)

    def __len__(self) -> int:
        return len(self._since)
