"""The alerts a node knows of: at most one per label set, until they are resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from tocsin.alerting.alert import Alert, AlertStatus, merge
from tocsin.alerting.limit import AlertNameLimit
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.bounded import Touched

COLLECTED_IN_STEP: Final = 1024
"""Alerts that are examined, and forgotten if need be, in some milliseconds."""


class Alerts:
    """The alert store. Not replicated and not persisted: every Prometheus sends its alerts to every node."""

    def __init__(
        self,
        limit: AlertNameLimit | None = None,
        created: Callable[[Alert], None] = lambda _alert: None,
    ) -> None:
        """``created`` gets each alert that was not known."""
        self.limit = limit or AlertNameLimit()
        self._created = created
        self._alerts: dict[int, Alert] = {}
        self._order: list[int] = []
        """Fingerprints from the smallest on, then of those that came since."""
        self._in_order = True
        self.touched: Touched[int] = Touched()
        """Fingerprints of alerts that came, ended, fire anew, changed their annotations or were forgotten;
        that the same was reported again is not a change."""

    def put(self, alerts: Iterable[Alert], now: Nanoseconds) -> list[Alert]:
        """Take in reports; give back each that was admitted, as it is now stored, in order.

        A report whose interval overlaps the stored one is merged with it, any other replaces it (the alert
        was resolved and fires anew).
        """
        stored, admit = self._alerts, self.limit.admit
        results: list[Alert] = []
        for alert in alerts:
            fingerprint = alert.labels.fingerprint
            old = stored.get(fingerprint)
            if old is not None and (
                old.starts_at < alert.ends_at < old.ends_at or old.starts_at < alert.starts_at < old.ends_at
            ):
                alert = merge(old, alert, now)
            if not admit(alert, now):
                continue
            if self.touched.on and _differs(old, alert, now):
                self.touched.add(fingerprint)
            if old is None:
                self._order.append(fingerprint)
                self._in_order = False
                self._created(alert)
            stored[fingerprint] = alert
            results.append(alert)
        return results

    def get(self, fingerprint: int) -> Alert | None:
        """The alert with that fingerprint."""
        return self._alerts.get(fingerprint)

    def all(self) -> list[Alert]:
        """Every alert, resolved ones too until they are collected, in order of first arrival."""
        return list(self._alerts.values())

    def by_fingerprint(self) -> Iterator[Alert]:
        """As :meth:`all`, sorted by fingerprint, as they are when they are reached; what comes meanwhile is
        left out. Only what is new since the last call is out of order, so that the sort is quick."""
        if not self._in_order:
            self._order.sort()
            self._in_order = True
        stored = self._alerts
        last: int | None = None
        for fingerprint in tuple(self._order):
            alert = stored.get(fingerprint)
            # One that was forgotten and came again while others are being forgotten stands there twice.
            if alert is not None and fingerprint != last:
                last = fingerprint
                yield alert

    def gc(self, now: Nanoseconds) -> list[Alert]:
        """Forget the alerts that are resolved, and give them back."""
        return [alert for removed in self.collecting(now) for alert in removed]

    def collecting(self, now: Nanoseconds) -> Iterator[list[Alert]]:
        """:meth:`gc` in steps: which were forgotten in each. Thousands may end at the same time."""
        alerts = list(self._alerts.values())
        any_removed = False
        for start in range(0, len(alerts), COLLECTED_IN_STEP):
            removed = [
                alert
                for alert in alerts[start : start + COLLECTED_IN_STEP]
                if alert.resolved_at(now) and self._alerts.get(alert.labels.fingerprint) is alert
            ]
            for alert in removed:
                del self._alerts[alert.labels.fingerprint]
                self.limit.forget(alert)
                self.touched.add(alert.labels.fingerprint)
            any_removed = any_removed or bool(removed)
            yield removed
        if any_removed:
            self._order = [each for each in dict.fromkeys(self._order) if each in self._alerts]

    def counts(self, now: Nanoseconds) -> dict[AlertStatus, int]:
        """How many alerts are firing and how many resolved."""
        resolved = sum(alert.resolved_at(now) for alert in self._alerts.values())
        return {"firing": len(self._alerts) - resolved, "resolved": resolved}

    def __len__(self) -> int:
        return len(self._alerts)


def _differs(old: Alert | None, new: Alert, now: Nanoseconds) -> bool:
    return (
        old is None
        or old.resolved_at(now) != new.resolved_at(now)
        or old.starts_at != new.starts_at
        or old.annotations != new.annotations
    )
