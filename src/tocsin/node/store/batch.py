"""The content of one transaction of the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from tocsin.alerting.entries import Entry
from tocsin.alerting.replicated import EntryTombstone, ReplicatedState
from tocsin.dataclass import dataclass
from tocsin.node.store.records import TakenRecords
from tocsin.node.store.rows import Row, row_of, tombstone_row


@dataclass(frozen=True, slots=True)
class Change:
    """One own change: ``apply`` applies it in memory once its rows are on disk; then ``done`` is resolved."""

    rows: Sequence[Row]
    size: int
    apply: Callable[[], None]
    done: asyncio.Future[None]


@dataclass(slots=True)
class Batch:
    """Own changes, marked entries (facts) by kind and key, small values, decision records, and waiting
    callers."""

    changes: list[Change] = field(default_factory=list)
    marked: dict[tuple[str, Hashable], Entry | EntryTombstone] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    records: TakenRecords = field(default_factory=TakenRecords)
    flushes: list[asyncio.Future[bool]] = field(default_factory=list)

    def rows(self, states: Mapping[str, ReplicatedState[Any]]) -> Iterator[Row]:
        """The rows of all that is in it.

        May be made on any thread: entries do not change, and until when a version may live only grows; what
        makes it grow marks the entry anew.
        """
        for (kind, key), found in self.marked.items():
            if isinstance(found, EntryTombstone):
                yield tombstone_row(kind, key, found)
            else:
                yield row_of(kind, found, states[kind].until_of(key))
        for change in self.changes:
            yield from change.rows

    def steps(self, rows: int) -> Iterator[list[Change]]:
        """The own changes in order, each time as many as have no more than ``rows`` rows; one at least."""
        step: list[Change] = []
        count = 0
        for change in self.changes:
            if step and count + len(change.rows) > rows:
                yield step
                step, count = [], 0
            step.append(change)
            count += len(change.rows)
        if step:
            yield step

    def __len__(self) -> int:
        return len(self.marked) + sum([len(change.rows) for change in self.changes])
