"""``GET intervals``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from time import monotonic
from typing import Final

from tocsin.alerting.timeinterval import TimeInterval
from tocsin.alerting.timestamp import SECOND, Nanoseconds, format_milliseconds
from tocsin.models.base import Page, Paging
from tocsin.models.intervals import Interval
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import pauses_after
from tocsin.node.api.tocsin_v1.paging import paged
from tocsin.node.api.tocsin_v1.resource import Call, Context, Resource
from tocsin.node.api.tocsin_v1.shared import Shared

DAY: Final = 1440
"""Minutes."""


class _Intervals:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend
        self._shared = Shared(self._all, monotonic)

    async def __call__(self, call: Call[Paging, None]) -> Page[Interval]:
        return paged(await self._shared.get(), call.query)

    async def _all(self) -> Sequence[Interval]:
        config = self._backend.config
        now = self._backend.now()
        mutes: Counter[str] = Counter()
        activates: Counter[str] = Counter()
        pauses = pauses_after(64)
        for route in config.route.walk():
            mutes.update(route.options.mute_time_intervals)
            activates.update(route.options.active_time_intervals)
            if next(pauses):
                await pause()
        found: list[Interval] = []
        for name, spans in config.time_intervals.items():
            zone = zone_of(spans)
            monday = monday_of(now, zone)
            week: list[tuple[tuple[int, int], ...]] = []
            for day in range(7):
                week.append(day_of(spans, monday + timedelta(days=day)))
                await pause()
            found.append(
                Interval(
                    name=name,
                    inside=any(span.contains(now) for span in spans),
                    zone=str(zone),
                    monday=format_milliseconds(int(monday.timestamp()) * SECOND),
                    week=tuple(week),
                    mutes=mutes[name],
                    activates=activates[name],
                )
            )
        return found


def zone_of(spans: Sequence[TimeInterval]) -> tzinfo:
    """The one zone of all, or UTC."""
    zones = {str(span.location): span.location for span in spans if span.location is not None}
    alike = len(zones) == 1 and all(span.location is not None for span in spans)
    return next(iter(zones.values())) if alike else UTC


def monday_of(now: Nanoseconds, zone: tzinfo) -> datetime:
    """Midnight of this week's Monday."""
    local = datetime.fromtimestamp(now // SECOND, zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=local.weekday())


def day_of(spans: Sequence[TimeInterval], midnight: datetime) -> tuple[tuple[int, int], ...]:
    """The minutes of a day that lie in one of ``spans``.

    Within a day that can only change where a range begins or ends; with several zones, also at quarters of
    an hour.
    """
    edges = {0, DAY}
    for span in spans:
        for times in span.times or ():
            edges.update((times.start_minute, times.end_minute))
        if str(span.location or UTC) != str(midnight.tzinfo):
            edges.update(range(0, DAY, 15))
    ordered = sorted(edges)
    found: list[tuple[int, int]] = []
    for start, end in pairwise(ordered):
        at = int((midnight + timedelta(minutes=start)).timestamp()) * SECOND
        if not any(span.contains(at) for span in spans):
            continue
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)


RESOURCE = Resource(
    path="/intervals",
    summary="The time intervals, as this week",
    query=Paging,
    answer=Page[Interval],
    make=_Intervals,
)
