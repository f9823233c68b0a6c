"""What the log says of alerts that this node has not heard of, and for how long a node passes it on.

An alert that a peer has notified may still be on its way to us. Each new entry of a group keeps such alerts
(``delivery.also_notified``). An alert that this node saw end is not one of them: held for firing, it would go
not notified when it fires anew. And without an end a chain of entries would carry an alert that nobody knows
any more.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Final

from tocsin.alerting.timestamp import SECOND, Nanoseconds

PATIENCE: Final = 600 * SECOND
"""An alert that has not reached this node in that time is not on its way to it."""
MAX_KEYS: Final = 65_536
MAX_ENDED: Final = 65_536
"""Ends that are remembered. Of an alert past it that a peer's entry has as firing, the end is forgotten."""


class UnknownAlerts:
    """Remembers, for each key (of a group and integration), since when an unknown alert has been carried, and
    which alerts ended here."""

    def __init__(self, max_keys: int = MAX_KEYS, max_ended: int = MAX_ENDED) -> None:
        self._max_keys = max_keys
        self._max_ended = max_ended
        self._since: dict[Hashable, dict[int, Nanoseconds]] = {}
        self._wrote: dict[Hashable, Nanoseconds] = {}
        """The stamp of our last entry of a key, if it passes anything on."""
        self._ended: dict[tuple[Hashable, int], tuple[Nanoseconds, Nanoseconds | None]] = {}
        self.keys_forgotten = 0
        """Times that a key made room for another."""
        self.ends_forgotten = 0

    def ended(self, key: Hashable, one: int, stamp: Nanoseconds, end: Nanoseconds | None) -> None:
        """The key's group is done with an alert that has ended; the key's entry is that of ``stamp``, and
        if it has the end, that was at ``end``."""
        self._ended.pop((key, one), None)
        if len(self._ended) >= self._max_ended:
            del self._ended[next(iter(self._ended))]
            self.ends_forgotten += 1
        self._ended[key, one] = stamp, end

    def is_over(self, key: Hashable, one: int, stamp: Nanoseconds) -> bool:
        """Whether the alert ended here after the entry of ``stamp`` was written: then the entry brings us
        nothing that we have not heard. By the entry and not by the time, as clocks differ."""
        ended = self._ended.get((key, one))
        return ended is not None and ended[0] == stamp

    def was_over(self, key: Hashable, one: int) -> bool:
        """Whether the key's group has removed the alert as resolved before."""
        return (key, one) in self._ended

    def notified_end(self, key: Hashable, one: int) -> Nanoseconds | None:
        """When the alert ended the last time that its end was notified and the group had dropped it."""
        ended = self._ended.get((key, one))
        return ended[1] if ended is not None else None

    def passed_on(self, key: Hashable, stamp: Nanoseconds) -> Mapping[int, Nanoseconds]:
        """What the key's entry, if it is ours, has of alerts that its group did not hold; since when ours
        have it."""
        return self._since.get(key, {}) if self._wrote.get(key) == stamp else {}

    def fresh(self, key: Hashable, hashes: Iterable[int], now: Nanoseconds) -> frozenset[int]:
        """Which of ``hashes``, all that the key's entry has of unknown alerts, to pass on again."""
        before = self._since.pop(key, {})
        self._wrote.pop(key, None)
        since = {one: before.get(one, now) for one in hashes}
        if since:
            if len(self._since) >= self._max_keys:
                oldest = next(iter(self._since))
                del self._since[oldest]
                self._wrote.pop(oldest, None)
                self.keys_forgotten += 1
            self._since[key] = since
        return frozenset(one for one, first in since.items() if now - first <= PATIENCE)

    def wrote(self, key: Hashable, stamp: Nanoseconds) -> None:
        """The entry that passes on what :meth:`fresh` said has this stamp."""
        if key in self._since:
            self._wrote[key] = stamp

    @property
    def ends(self) -> int:
        """How many ends are remembered."""
        return len(self._ended)

    def __len__(self) -> int:
        return len(self._since)
