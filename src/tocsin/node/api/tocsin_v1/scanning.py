"""Goes through the decision record for one page of it, and says where the next page begins."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from hashlib import blake2b
from heapq import heappop, heappush
from time import monotonic
from typing import Final

from tocsin.alerting.record.model import FlushRecord
from tocsin.alerting.timestamp import SECOND, Nanoseconds
from tocsin.dataclass import dataclass
from tocsin.node.api.tocsin_v1.backend import TocsinBackend
from tocsin.node.api.tocsin_v1.resource import RefusedError

MAX_SCANNED: Final = 4096
"""Records that are read for one page."""
MAX_SECONDS: Final = 5.0
"""Seconds for which records are read for one page."""
SLACK: Final[Nanoseconds] = 3600 * SECOND
"""By how much an earlier record may have begun later, as clocks are set."""
MAX_UNDER_WAY: Final = 100
"""Flushes that have not ended, on one page."""

KEEPS_NONE: Final = "this node keeps no decision record (--record.max-entries or --record.max-bytes is 0)"

_CURSOR: Final = re.compile(
    r"(?:u(?P<began>[0-9]{1,19})-(?P<name>[0-9a-f]{16})|(?P<number>[0-9]{1,18}))(?:\.(?P<alert>[0-9]{1,18}))?"
)

Key = tuple[Nanoseconds, int]
"""Identifies a flush that has not ended and may have no number yet: when it began, and a number for its
group."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: ``before`` the record with a number, or at a flush that was under way for the page
    before. ``alert``: this one again, from that of its alerts on; None: what comes after it."""

    before: int | None = None
    key: Key | None = None
    alert: int | None = None

    @classmethod
    def read(cls, after: str) -> Cursor:
        """``after`` as :meth:`Scanned.past` and :meth:`Scanned.again` write it. Raises RefusedError."""
        if not after:
            return cls()
        found = _CURSOR.fullmatch(after)
        if found is None:
            raise RefusedError(400, "this is no `next` of a page", "query after")
        alert = int(found["alert"]) if found["alert"] is not None else None
        if found["number"] is not None:
            return cls(before=int(found["number"]), alert=alert)
        return cls(key=(int(found["began"]), int(found["name"], 16)), alert=alert)

    def has(self, key: Key) -> bool:
        """Whether a flush that has not ended comes on this page or a later one; the newest come first."""
        if self.key is None:
            return True
        mine, other = (-self.key[0], self.key[1]), (-key[0], key[1])
        return other > mine or (other == mine and self.alert is not None)


@dataclass(frozen=True, slots=True)
class Scanned:
    """A record. ``number`` 0: it has not ended. ``start``: its first alert of this page. ``last``: nothing
    more is read for this page."""

    number: int
    record: FlushRecord
    key: Key | None
    start: int
    last: bool

    @property
    def past(self) -> str:
        """The next page begins after this one."""
        return str(self.number) if self.key is None else _named(self.key)

    def again(self, alert: int) -> str:
        """The next page begins with this one, from that alert on."""
        return f"{self.number + 1 if self.key is None else _named(self.key)}.{alert}"


def _named(key: Key) -> str:
    return f"u{key[0]}-{key[1]:016x}"


def _key(record: FlushRecord) -> Key:
    name = "\0".join((record.route_id, record.receiver, record.group_key))
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return max(record.began, 0), int.from_bytes(digest)


class RecordScan:
    """Goes through the records, newest first."""

    def __init__(self, backend: TocsinBackend) -> None:
        self._backend = backend

    async def records(self, cursor: Cursor, since: Nanoseconds) -> AsyncGenerator[Scanned]:
        """From ``cursor`` on, back to ``since``. Flushes that have not ended come first, without a number,
        and what is kept of them by now is left out. Raises RefusedError where there is no record."""
        if not self._backend.record_kept:
            raise RefusedError(404, KEEPS_NONE)
        end = monotonic() + MAX_SECONDS
        count = 0
        seen: set[int] = set()
        if cursor.before is None:
            latest, more = await self._under_way(cursor, seen)
            for left, (key, record) in enumerate(latest, 1 - len(latest)):
                start = cursor.alert or 0 if key == cursor.key else 0
                yield Scanned(0, record, key, start, last=more and not left)
        async for number, record in self._backend.records(cursor.before):
            if record.began < since - SLACK:
                return
            if number in seen:
                continue
            count += 1
            start = cursor.alert or 0 if number + 1 == cursor.before else 0
            yield Scanned(number, record, None, start, last=count >= MAX_SCANNED or monotonic() > end)

    async def _under_way(self, cursor: Cursor, seen: set[int]) -> tuple[list[tuple[Key, FlushRecord]], bool]:
        """The latest of them from ``cursor`` on, newest first, and whether there are more; ``seen`` gets the
        numbers of all."""
        latest: list[tuple[Nanoseconds, int, int, FlushRecord]] = []
        order, more = 0, False
        async for number, record in self._backend.under_way():
            order += 1
            seen.add(number)
            key = _key(record)
            if not cursor.has(key):
                continue
            heappush(latest, (key[0], -key[1], order, record))
            if len(latest) > MAX_UNDER_WAY:
                heappop(latest)
                more = True
        latest.sort(reverse=True)
        return [((began, -name), record) for began, name, _, record in latest], more
