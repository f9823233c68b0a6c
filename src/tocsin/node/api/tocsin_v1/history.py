"""``GET history/notifications``, ``history/alerts`` and ``history/silences``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final, TypeAlias

from tocsin.alerting.acknowledge import is_acknowledgement
from tocsin.alerting.matcher import Matcher
from tocsin.alerting.record.model import AlertRecord, FlushRecord
from tocsin.alerting.silence import Silence, Silences
from tocsin.alerting.steps import Steps, sorting
from tocsin.alerting.timestamp import LATEST, ZERO, Nanoseconds
from tocsin.models.base import Page
from tocsin.models.history import AlertSeen, HistoryQuery, Notification, NotificationsQuery, SilenceSeen
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import Pauses, meets, pauses_after, run_within
from tocsin.node.api.tocsin_v1.paging import MAX_PAGE_BYTES, Fitting, shown_page
from tocsin.node.api.tocsin_v1.recordviews import alert_seen, moment, notification, outcomes
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource, instant
from tocsin.node.api.tocsin_v1.scanning import Cursor, RecordScan

MAX_SECONDS: Final = 5.0
"""Seconds for which silences are filtered and sorted."""
AT_ONCE: Final = 1
"""Pages of silences that are made at the same time, on a thread beside the event loop; more wait."""
SLICE: Final = 256
"""Alerts or silences that are filtered before other work runs."""
UNCOUNTED: Final = -1
_SilencePage: TypeAlias = Page[SilenceSeen] | None
"""None: it took too long."""


class _Wanted:
    """Which records a query asks for."""

    def __init__(self, query: HistoryQuery, matchers: Sequence[Matcher]) -> None:
        since, until = instant(query.since, "query since"), instant(query.until, "query until")
        self.since: Nanoseconds = ZERO if since is None else since
        self.until: Nanoseconds = LATEST if until is None else until
        self.receiver = query.receiver
        self.matchers = matchers

    def fits(self, record: FlushRecord) -> bool:
        """Whether a record fits, its alerts not considered."""
        return self.since <= record.began <= self.until and self.receiver in ("", record.receiver)

    async def alert(self, alert: AlertRecord, pauses: Pauses) -> bool:
        """Whether an alert is asked for: one without labels is if nothing is asked of them."""
        return not self.matchers or await meets(self.matchers, dict(alert.labels), pauses)

    async def any(self, alerts: Sequence[AlertRecord], pauses: Pauses) -> bool:
        """Whether one of them is, or nothing is asked of them."""
        if not self.matchers:
            return True
        for alert in alerts:
            if next(pauses):
                await pause()
            if await self.alert(alert, pauses):
                return True
        return False


class _Notifications:
    def __init__(self, context: Context) -> None:
        self._scan = RecordScan(context.backend.tocsin)

    async def __call__(self, call: Call[NotificationsQuery, None]) -> Page[Notification]:
        query = call.query
        wanted = _Wanted(query, await call.matchers(query.filter))
        found = Fitting[Notification](MAX_PAGE_BYTES)
        pauses = pauses_after(SLICE)
        after = ""
        async with aclosing(self._scan.records(Cursor.read(query.after), wanted.since)) as records:
            async for scanned in records:
                record = scanned.record
                if next(pauses):
                    await pause()
                if (
                    wanted.fits(record)
                    and (not query.outcome or query.outcome in outcomes(record))
                    and await wanted.any(record.alerts, pauses)
                    and not found.add(notification(scanned.number, record))
                ):
                    after = scanned.again(0)
                    break
                if scanned.last or (scanned.number and len(found.items) >= query.limit):
                    after = scanned.past
                    break
        return Page(items=tuple(found.items), next=after, total=UNCOUNTED)


class _Alerts:
    def __init__(self, context: Context) -> None:
        self._scan = RecordScan(context.backend.tocsin)

    async def __call__(self, call: Call[HistoryQuery, None]) -> Page[AlertSeen]:
        query = call.query
        wanted = _Wanted(query, await call.matchers(query.filter))
        found = Fitting[AlertSeen](MAX_PAGE_BYTES)
        seen: set[tuple[int, Nanoseconds, str]] = set()
        pauses = pauses_after(SLICE)
        after = ""
        async with aclosing(self._scan.records(Cursor.read(query.after), wanted.since)) as records:
            async for scanned in records:
                record = scanned.record
                for cursor in range(scanned.start, len(record.alerts)) if wanted.fits(record) else ():
                    if next(pauses):
                        await pause()
                    alert = record.alerts[cursor]
                    key = (alert.fingerprint, alert.starts_at, record.receiver)
                    if key in seen or not await wanted.alert(alert, pauses):
                        continue
                    if len(found.items) >= query.limit or not found.add(
                        alert_seen(scanned.number, record, alert)
                    ):
                        after = scanned.again(cursor)
                        break
                    seen.add(key)
                if after or scanned.last:
                    after = after or scanned.past
                    break
        return Page(items=tuple(found.items), next=after, total=UNCOUNTED)


class _Silences:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend
        self._threads = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, call: Call[HistoryQuery, None]) -> Page[SilenceSeen]:
        query = call.query
        if query.receiver:
            raise RefusedError(400, "a silence has no receiver", "query receiver")
        wanted = _Wanted(query, await call.matchers(query.filter))
        now, silences = self._backend.now(), self._backend.silences

        def page() -> _SilencePage:
            try:
                found = run_within(_latest(silences, wanted), MAX_SECONDS)
            except TimeoutError:
                return None
            return shown_page(found, query, lambda silence: _silence(silence, now))

        # The client may be gone before the thread has ended: it holds its slot until then.
        shown = await asyncio.shield(asyncio.create_task(self._in_thread(page)))
        if shown is None:
            message = f"it took more than {MAX_SECONDS:g} seconds: ask for fewer silences"
            raise RefusedError(504, message, "query")
        return shown

    async def _in_thread(self, page: Callable[[], _SilencePage]) -> _SilencePage:
        async with self._threads:
            return await asyncio.to_thread(page)


def _latest(silences: Silences, wanted: _Wanted) -> Steps[list[Silence]]:
    """The silences that were changed last. Reads a copy, so silences may change meanwhile."""
    matchers = frozenset(wanted.matchers)
    found = []
    for cursor, each in enumerate(silences.every()):
        if not cursor % SLICE:
            yield
        in_force = each.starts_at <= wanted.until and each.ends_at >= wanted.since
        if in_force and (not matchers or each.has_matchers(matchers)):
            found.append(each)
    return (yield from sorting(found, key=lambda each: (-each.updated_at, each.id)))


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
