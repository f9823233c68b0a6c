"""``GET history/notifications``, ``history/alerts`` and ``history/silences``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from heapq import heappop, heappush
from time import monotonic
from typing import Final

from tocsin.alerting.acknowledge import is_acknowledgement
from tocsin.alerting.matcher import Matcher
from tocsin.alerting.record.model import AlertRecord, FlushRecord
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.timestamp import LATEST, SECOND, ZERO, Nanoseconds
from tocsin.models.base import Page
from tocsin.models.history import AlertSeen, HistoryQuery, Notification, NotificationsQuery, SilenceSeen
from tocsin.node.api.tocsin_v1.paging import MAX_PAGE_BYTES, fitting, shown_page
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource, instant
from tocsin.node.api.tocsin_v1.told import alert_seen, moment, notification, outcomes
from tocsin.node.api.turns import meets, turns_of

MAX_LOOKED: Final = 4096
"""Records that are looked at for one page."""
MAX_SECONDS: Final = 5.0
"""For which they are."""
SLACK: Final[Nanoseconds] = 3600 * SECOND
"""By which an earlier record may have begun later: clocks are set."""
SLICE: Final = 256
"""Alerts that are looked at before others get their turn."""
UNCOUNTED: Final = -1
MAX_UNDER_WAY: Final = 100
"""Flushes that have not ended, of a page."""


class _Wanted:
    """What a query asks for, of records."""

    def __init__(self, query: HistoryQuery, matchers: Sequence[Matcher]) -> None:
        since, until = instant(query.since, "query since"), instant(query.until, "query until")
        self.since: Nanoseconds = ZERO if since is None else since
        self.until: Nanoseconds = LATEST if until is None else until
        self.receiver = query.receiver
        self.matchers = matchers

    def fits(self, record: FlushRecord) -> bool:
        """Apart from its alerts."""
        return self.since <= record.began <= self.until and self.receiver in ("", record.receiver)

    async def alert(self, alert: AlertRecord, turns: Iterator[bool]) -> bool:
        """Whether an alert is asked for: one without labels is if nothing is asked of them."""
        return not self.matchers or await meets(self.matchers, dict(alert.labels), turns)

    async def any(self, alerts: Sequence[AlertRecord], turns: Iterator[bool]) -> bool:
        """Whether one of them is, or nothing is asked of them."""
        if not self.matchers:
            return True
        for alert in alerts:
            if next(turns):
                await asyncio.sleep(0)
            if await self.alert(alert, turns):
                return True
        return False


class _Looking:
    """Goes through the records, newest first, for one page."""

    def __init__(self, context: Context) -> None:
        self._inside = context.backend.inside

    async def records(
        self, before: int | None, wanted: _Wanted
    ) -> AsyncGenerator[tuple[int, FlushRecord, bool]]:
        """Numbers and records; and whether this is to be the last of this page. Flushes that have not ended
        come on the first page, without a number: what is kept of them by now is left out."""
        end = monotonic() + MAX_SECONDS
        count = 0
        told = set()
        if before is None:
            for number, record in await self._under_way():
                told.add(number)
                yield 0, record, False
        async for number, record in self._inside.records(before):
            if record.began < wanted.since - SLACK:
                return
            if number in told:
                continue
            count += 1
            yield number, record, count >= MAX_LOOKED or monotonic() > end

    async def _under_way(self) -> list[tuple[int, FlushRecord]]:
        """The latest of them, newest first."""
        latest: list[tuple[Nanoseconds, int, int, FlushRecord]] = []
        place = 0
        async for number, record in self._inside.under_way():
            place += 1
            heappush(latest, (record.began, place, number, record))
            if len(latest) > MAX_UNDER_WAY:
                heappop(latest)
        return [(number, record) for _, _, number, record in sorted(latest, reverse=True)]


class _Notifications(_Looking):
    async def __call__(self, call: Call[NotificationsQuery, None]) -> Page[Notification]:
        query = call.query
        wanted = _Wanted(query, await call.matchers(query.filter))
        found: list[Notification] = []
        turns = turns_of(SLICE)
        last = None
        async with aclosing(self.records(_place(query.after)[0], wanted)) as records:
            async for number, record, enough in records:
                if next(turns):
                    await asyncio.sleep(0)
                if (
                    wanted.fits(record)
                    and (not query.outcome or query.outcome in outcomes(record))
                    and await wanted.any(record.alerts, turns)
                ):
                    found.append(notification(number, record))
                if enough or (number and len(found) >= query.limit):
                    last = number
                    break
        kept = fitting(found, MAX_PAGE_BYTES)
        if len(kept) < len(found):
            last = kept[-1].record
        return Page(items=tuple(kept), next=str(last) if last is not None else "", total=UNCOUNTED)


class _Alerts(_Looking):
    async def __call__(self, call: Call[HistoryQuery, None]) -> Page[AlertSeen]:
        query = call.query
        wanted = _Wanted(query, await call.matchers(query.filter))
        before, offset = _place(query.after)
        found: list[AlertSeen] = []
        seen: set[tuple[int, Nanoseconds, str]] = set()
        turns = turns_of(SLICE)
        after = ""
        async with aclosing(self.records(before, wanted)) as records:
            async for number, record, enough in records:
                start, offset = (offset if number + 1 == before else 0), 0
                if wanted.fits(record):
                    for place in range(start, len(record.alerts)):
                        if next(turns):
                            await asyncio.sleep(0)
                        alert = record.alerts[place]
                        key = (alert.fingerprint, alert.starts_at, record.receiver)
                        if key in seen or not await wanted.alert(alert, turns):
                            continue
                        if len(found) >= query.limit:
                            if number:
                                after = f"{number + 1}.{place}"  # This record again, from there on.
                            break
                        seen.add(key)
                        found.append(alert_seen(number, record, alert))
                if after or enough:
                    after = after or str(number)
                    break
        return Page(items=tuple(found), next=after, total=UNCOUNTED)


class _Silences:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend

    async def __call__(self, call: Call[HistoryQuery, None]) -> Page[SilenceSeen]:
        if call.query.receiver:
            raise RefusedError(400, "a silence has no receiver", "query receiver")
        wanted = _Wanted(call.query, await call.matchers(call.query.filter))
        now = self._backend.now()
        found = await asyncio.to_thread(_latest, self._backend.silences, wanted, now)
        return shown_page(found, call.query, lambda silence: _silence(silence, now))


def _latest(silences: Silences, wanted: _Wanted, now: Nanoseconds) -> list[Silence]:
    """It reads a copy of what there is, and so may be done beside changes."""
    found = silences.query(now, matchers=wanted.matchers)
    found = [each for each in found if each.starts_at <= wanted.until and each.ends_at >= wanted.since]
    return sorted(found, key=lambda each: (-each.updated_at, each.id))


def _silence(silence: Silence, now: Nanoseconds) -> SilenceSeen:
    return SilenceSeen(
        id=silence.id,
        state=silence.state_at(now).value,
        matchers=tuple(map(str, silence.matchers)),
        more_sets=len(silence.matcher_sets) - 1,
        starts_at=moment(silence.starts_at),
        ends_at=moment(silence.ends_at),
        updated_at=moment(silence.updated_at),
        created_by=silence.created_by,
        comment=silence.comment,
        acknowledgement=is_acknowledgement(silence.annotations),
    )


def _place(after: str) -> tuple[int | None, int]:
    """Before which record, and from which of the alerts of the first one on."""
    if not after:
        return None, 0
    number, _, offset = after.partition(".")
    for text in (number, offset or "0"):
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise RefusedError(400, "this is no `next` of a page", "query after")
    return int(number), int(offset or 0)


NOTIFICATIONS = Resource(
    path="/history/notifications",
    summary="What was notified and what was not, newest first",
    query=NotificationsQuery,
    answer=Page[Notification],
    make=_Notifications,
)
ALERTS = Resource(
    path="/history/alerts",
    summary="Which alerts there were, and what became of them, newest first",
    query=HistoryQuery,
    answer=Page[AlertSeen],
    make=_Alerts,
)
SILENCES = Resource(
    path="/history/silences",
    summary="The silences, those that were changed last first",
    description="`since` and `until`: in force in between. `filter`: with these matchers.",
    query=HistoryQuery,
    answer=Page[SilenceSeen],
    make=_Silences,
)
