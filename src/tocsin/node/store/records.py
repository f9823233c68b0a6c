"""Decision records on their way to the disk. They never cause a sync: they go along with what is committed
anyway, and with maintenance and stop.

A lost record is only a gap in explanations, so the queue is bounded and drops the oldest, and a damaged
record is deleted and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from tocsin.alerting.record.recorder import Raw
from tocsin.alerting.record.ring import Bounds, Ring
from tocsin.alerting.timestamp import Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.errors import StateError
from tocsin.node.store.recordtable import LATEST_NUMBER, RecordRow

if TYPE_CHECKING:  # Loaded with the first record that is written or read, on the writer's thread.
    from tocsin.alerting.record.model import FlushRecord

Kept: TypeAlias = "FlushRecord | Raw"
OFF: Final = Bounds(entries=0, size=0, age=0)
MAX_WAITING: Final = 4096
MAX_WAITING_ALERTS: Final = 65_536
"""Alerts within the records that wait: it is these that take up memory."""
INTERIM_SECONDS: Final = 1.0
"""Seconds that the record of a running flush waits for the flush to end, so that it is not written twice."""
MAX_NUMBER: Final = LATEST_NUMBER >> 1
"""Largest number of a record; out of reach in practice."""
MAX_GONE: Final = 512
"""Records that are deleted in one transaction."""


@dataclass(slots=True)
class RecordStatistics:
    """For the metrics."""

    entries: int = 0
    bytes: int = 0
    waiting: int = 0
    """Records that no transaction has taken along yet."""
    written: int = 0
    evicted: int = 0
    """Records that gave way to newer ones or were too old."""
    lost: int = 0
    """Records past the bound of those that wait."""
    unreadable: int = 0
    newer: int = 0
    """Records that a later version wrote, each time that they were passed over."""
    flushes_forgotten: int = 0
    """Flushes past the bound of those that are followed at once."""
    failures: int = 0
    """Decisions that could not be recorded because of a bug."""


GAUGES: Final = ("entries", "bytes", "waiting")


@dataclass(slots=True)
class TakenRecords:
    """The records of one transaction."""

    records: dict[int, Kept] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    rows: list[RecordRow] = field(default_factory=list)
    """Made on the writer's thread."""
    failures: int = 0
    """How many of them could not be made because of a bug."""

    def __bool__(self) -> bool:
        return bool(self.records or self.gone)

    def make_rows(self) -> None:
        """Make and encode the records; called on the writer's thread."""
        made = make(sorted(self.records.items()))  # the ring takes rising numbers
        self.failures = len(self.records) - len(made)
        self.rows = [_row(number, record) for number, record in made]


def make_wanted(kept: Iterable[tuple[int, Kept]], wanted: Wanted) -> list[tuple[int, FlushRecord]]:
    """As :func:`make`, for wanted records only."""
    made = make([(number, each) for number, each in kept if wanted.may_be_of(*each.group)])
    return [(number, record) for number, record in made if wanted.is_meant(record)]


def make(kept: Iterable[tuple[int, Kept]]) -> list[tuple[int, FlushRecord]]:
    """Records by their numbers. One that cannot be made because of a bug is left out: it must not fail the
    others, nor the transaction."""
    made: list[tuple[int, FlushRecord]] = []
    for number, each in kept:
        with suppress(Exception):
            made.append((number, each.record()))
    return made


def _row(number: int, record: FlushRecord) -> RecordRow:
    from tocsin.alerting.record.codec import encode

    return RecordRow(number, max(-LATEST_NUMBER, min(record.began, LATEST_NUMBER)), encode(record))


@dataclass(slots=True)
class ReadRecords:
    """Some of the records, newest first."""

    records: list[FlushRecord] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)
    newer: int = 0
    last: int | None = None
    """Before which number to go on; None: that was all."""


class Wanted(Protocol):
    """Which records are searched for. May be asked on any thread."""

    def may_be(self, text: bytes, /) -> bool:
        """Whether the record with that JSON is worth being decoded."""
        ...

    def may_be_of(self, receiver: str, group_key: str, /) -> bool:
        """Whether a record of that group is worth being made."""
        ...

    def is_meant(self, record: FlushRecord, /) -> bool: ...


class All:
    """All of them."""

    def may_be(self, _text: bytes, /) -> bool:
        return True

    def may_be_of(self, _receiver: str, _group_key: str, /) -> bool:
        return True

    def is_meant(self, _record: FlushRecord, /) -> bool:
        return True


def read_records(rows: Sequence[tuple[int, RecordRow | None]], wanted: Wanted) -> ReadRecords:
    """Decode the wanted rows; None is a damaged row."""
    from tocsin.alerting.record.codec import VERSION, NewerRecordError, decode, searchable

    found = ReadRecords(last=rows[-1][0] if rows else None)
    for number, row in rows:
        try:
            if row is None:
                raise StateError("not what was written")
            if row.data[:1] == bytes((VERSION,)) and not wanted.may_be(searchable(row.data)):
                continue
            record = decode(row.data)
        except NewerRecordError:
            found.newer += 1
        except StateError:
            found.bad.append(number)
        else:
            if wanted.is_meant(record):
                found.records.append(record)
                found.numbers.append(number)
    return found


class Records:
    """The records that wait to be written, and which ones are kept."""

    def __init__(
        self,
        bounds: Bounds,
        *,
        max_waiting: int = MAX_WAITING,
        max_waiting_alerts: int = MAX_WAITING_ALERTS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.statistics = RecordStatistics()
        self.kept = bounds.entries > 0 and bounds.size > 0
        """Whether there is a record at all."""
        self._ring = Ring(bounds)
        self._now: Nanoseconds = 0  # the time that clean-ups go by: no jump of the clock empties the ring
        self._max_waiting = max_waiting
        self._max_alerts = max_waiting_alerts
        self._clock = clock
        self._waiting: dict[int, Kept] = {}
        self._interim: dict[int, float] = {}  # of those: since when, oldest first
        self._alerts = 0
        self._gone: list[int] = []

    def __bool__(self) -> bool:
        """Whether there is something to write."""
        return bool(self._waiting or self._gone)

    @property
    def waiting(self) -> Mapping[int, Kept]:
        """Records that are in no transaction yet, oldest first."""
        return self._waiting

    def number(self) -> int:
        """A number for a new record."""
        return self._ring.number()

    def put(self, number: int, record: Kept) -> None:
        """Have a record written, or written anew."""
        if not self.kept:
            return
        since = self._interim.get(number)
        self._forget(number)
        self._waiting[number] = record
        if not record.is_whole:
            self._interim[number] = since if since is not None else self._clock()
        self._alerts += record.size
        while len(self._waiting) > 1 and (
            len(self._waiting) > self._max_waiting or self._alerts > self._max_alerts
        ):
            self._forget(next(iter(self._waiting)))
            self.statistics.lost += 1
        self.statistics.waiting = len(self._waiting)

    def _forget(self, number: int) -> None:
        self._interim.pop(number, None)
        record = self._waiting.pop(number, None)
        if record is not None:
            self._alerts -= record.size

    def take(self, *, every: bool = False) -> TakenRecords:
        """Records to be written, and some to be deleted; with ``every`` also those that may wait for the end
        of their flush."""
        left: dict[int, Kept] = {}
        if not every:
            latest = self._clock() - INTERIM_SECONDS
            left = {number: self._waiting[number] for number, at in self._interim.items() if at > latest}
        taken = TakenRecords(
            {number: kept for number, kept in self._waiting.items() if number not in left}
            if left
            else self._waiting,
            self._gone[:MAX_GONE],
        )
        self._waiting, self._gone = left, self._gone[MAX_GONE:]
        self._interim = {number: at for number, at in self._interim.items() if number in left}
        self._alerts = sum([kept.size for kept in left.values()])
        self.statistics.waiting = len(left)
        return taken

    def put_back(self, taken: TakenRecords) -> None:
        """The transaction failed. Later versions, which came meanwhile, stay."""
        later, self._waiting, self._alerts = self._waiting, {}, 0
        self._interim = {}
        for number, record in (*taken.records.items(), *later.items()):
            self.put(number, record)
        self._gone = taken.gone + self._gone

    def written(self, taken: TakenRecords) -> None:
        """The transaction is on the disk."""
        self.statistics.written += len(taken.rows)
        self.statistics.failures += taken.failures
        for row in taken.rows:
            self._evict(self._ring.put(row.number, row.at, len(row.data), self._now))
        self._measure()

    def restore(self, places: Iterable[tuple[int, Nanoseconds, int]]) -> None:
        """Take over the records of previous runs, by number, time and size, in rising order."""
        good = []
        for place in places:
            if 0 < place[0] <= MAX_NUMBER:
                good.append(place)
            else:  # Damaged: no higher number would fit the table.
                self._gone.append(place[0])
                self.statistics.unreadable += 1
        self._ring.clear()
        self._evict(self._ring.restore(good, self._now))
        self._measure()

    def trim(self, now: Nanoseconds) -> None:
        """Time has passed."""
        self._now = now
        self._evict(self._ring.trim(now))
        self._measure()

    def read(self, found: ReadRecords) -> None:
        """Count records that were found damaged, and delete them."""
        self.statistics.newer += found.newer
        for number in found.bad:
            if number in self._ring:  # else it was found before, and is still to be deleted
                self._ring.drop(number)
                self._gone.append(number)
                self.statistics.unreadable += 1
        self._measure()

    def rebuilt(self, rows: Sequence[RecordRow]) -> None:
        """The journal was rebuilt, and has only these records."""
        self._gone.clear()
        self.restore([(row.number, row.at, len(row.data)) for row in rows])

    def _evict(self, gone: list[int]) -> None:
        self.statistics.evicted += len(gone)
        self._gone += gone

    def _measure(self) -> None:
        self.statistics.entries = len(self._ring)
        self.statistics.bytes = self._ring.size
