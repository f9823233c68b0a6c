"""What goes into one transaction of the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from tocsin.alerting.replicated import Entry
from tocsin.node.store.rows import Row, row_of


@dataclass(frozen=True, slots=True)
class Change:
    """One own change: ``apply`` makes it in memory once its rows are kept, then ``done`` is done."""

    rows: Sequence[Row]
    size: int
    apply: Callable[[], None]
    done: asyncio.Future[None]


@dataclass(slots=True)
class Batch:
    """Own changes, marked entries (facts) by kind and key, small values, and who waits for it."""

    changes: list[Change] = field(default_factory=list)
    marked: dict[tuple[str, Hashable], Entry] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    flushes: list[asyncio.Future[bool]] = field(default_factory=list)

    def rows(self) -> Iterator[Row]:
        """The rows of all that is in it. May be made on any thread: entries do not change."""
        for (kind, _), entry in self.marked.items():
            yield row_of(kind, entry)
        for change in self.changes:
            yield from change.rows

    def __len__(self) -> int:
        return len(self.marked) + sum([len(change.rows) for change in self.changes])
