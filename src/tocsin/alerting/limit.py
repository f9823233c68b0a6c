"""The bound on alerts of one name: ``--alerts.per-alertname-limit`` (Alertmanager's ``limit`` package)."""

from __future__ import annotations

import heapq
from collections import Counter

from tocsin.alerting.alert import Alert
from tocsin.alerting.timestamp import Nanoseconds


class AlertNameLimit:
    """Admits at most ``limit`` alerts of one name; below 1: all of them.

    A known alert is always admitted. When a name is full, a new alert replaces the one that ended
    first, if it has ended; otherwise it is dropped and counted.
    """

    def __init__(self, limit: int = 0) -> None:
        self.limit = max(limit, 0)
        self.dropped: Counter[str] = Counter()
        """Alerts that were dropped, by name."""
        self._names: dict[str, _Bucket] = {}

    def admit(self, alert: Alert, now: Nanoseconds) -> bool:
        """Whether ``alert`` may be stored; if so it is counted."""
        if not self.limit:
            return True
        name = alert.name
        bucket = self._names.get(name)
        if bucket is None:
            bucket = self._names[name] = _Bucket()
        if bucket.take(alert.labels.fingerprint, alert.ends_at, self.limit, now):
            return True
        self.dropped[name] += 1
        return False

    def forget(self, alert: Alert) -> None:
        """The alert is gone: count it out."""
        name = alert.name
        bucket = self._names.get(name)
        if bucket is not None:
            bucket.ends.pop(alert.labels.fingerprint, None)
            if not bucket.ends:
                del self._names[name]


class _Bucket:
    """The alerts of one name, and which of them ends first."""

    def __init__(self) -> None:
        self.ends: dict[int, Nanoseconds] = {}
        self._heap: list[tuple[Nanoseconds, int]] = []
        """An entry for each alert, no later than its end; one that is earlier is put right at the top."""

    def take(self, fingerprint: int, ends_at: Nanoseconds, limit: int, now: Nanoseconds) -> bool:
        known = self.ends.get(fingerprint)
        if known is not None:
            self.ends[fingerprint] = ends_at
            if ends_at < known:
                self._push(fingerprint, ends_at)
            return True
        if len(self.ends) >= limit and not self._evict(now):
            return False
        self.ends[fingerprint] = ends_at
        self._push(fingerprint, ends_at)
        return True

    def _push(self, fingerprint: int, ends_at: Nanoseconds) -> None:
        if len(self._heap) > 2 * len(self.ends) + 16:
            self._heap = [(end, each) for each, end in self.ends.items()]
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, (ends_at, fingerprint))

    def _evict(self, now: Nanoseconds) -> bool:
        while self._heap:
            recorded, fingerprint = self._heap[0]
            current = self.ends.get(fingerprint)
            if current is None:
                heapq.heappop(self._heap)
            elif current != recorded:
                heapq.heapreplace(self._heap, (current, fingerprint))
            else:
                if current >= now:
                    return False
                heapq.heappop(self._heap)
                del self.ends[fingerprint]
                return True
        return False
