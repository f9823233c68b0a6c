"""Counts and times the alert flow's queries of silences and notification log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Protocol

from tocsin.alerting.labels import Labels
from tocsin.alerting.muting import PatientMuter
from tocsin.alerting.nflog import Entry, LogReader, Receiver, ReceiverData
from tocsin.alerting.steps import Steps
from tocsin.alerting.timestamp import Nanoseconds


class Observer(Protocol):
    """Gets how long a query took."""

    def observe(self, seconds: float, /) -> None: ...


class Queries:
    """Counters; ``errors`` are queries that found nothing, where Alertmanager counts that as an error."""

    def __init__(self, timer: Observer) -> None:
        self.total = 0
        self.errors = 0
        self._timer = timer

    def done(self, began: float) -> None:
        """A query that began at ``began`` (``perf_counter``) has ended."""
        self.total += 1
        self._timer.observe(perf_counter() - began)


class CountedMuter:
    """The silences. Implements :class:`~tocsin.alerting.muting.PatientMuter`."""

    def __init__(self, muter: PatientMuter, queries: Queries) -> None:
        self._muter = muter
        self._queries = queries

    def mutes(self, labels: Labels, now: Nanoseconds, /) -> tuple[str, ...]:
        """The ids of the silences that mute an alert."""
        began = perf_counter()
        found = self._muter.mutes(labels, now)
        self._queries.done(began)
        return found

    def muting(self, labels: Labels, now: Nanoseconds, most: int, /) -> Steps[tuple[str, ...]]:
        """The first ids of them, in steps."""
        spent = 0.0
        steps = self._muter.muting(labels, now, most)
        while True:
            began = perf_counter()
            try:
                next(steps)
            except StopIteration as done:
                self._queries.done(began - spent)
                found: tuple[str, ...] = done.value
                return found
            spent += perf_counter() - began
            yield

    def looking_up(self, labels: Labels, /) -> Iterator[None] | None:
        """The work that :meth:`mutes` would do first."""
        return self._muter.looking_up(labels)


class CountedLog:
    """The notification log. Implements :class:`~tocsin.alerting.nflog.LogReader`."""

    def __init__(self, log: LogReader, queries: Queries) -> None:
        self._log = log
        self._queries = queries

    def query(self, receiver: Receiver, group_key: str) -> Entry | None:
        """The last notification of a group; that there is none counts as an error, as in Alertmanager."""
        began = perf_counter()
        found = self._log.query(receiver, group_key)
        self._queries.done(began)
        self._queries.errors += found is None
        return found

    def stage(
        self,
        receiver: Receiver,
        group_key: str,
        firing: Iterable[int],
        resolved: Iterable[int],
        now: Nanoseconds,
        expiry_ns: Nanoseconds,
        previous: Entry | None,
        *,
        receiver_data: ReceiverData | None = None,
    ) -> Entry:
        """The entry that records a notification."""
        return self._log.stage(
            receiver, group_key, firing, resolved, now, expiry_ns, previous, receiver_data=receiver_data
        )
