"""``GET facets``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import field
from time import monotonic
from typing import Final

from tocsin.alerting.matcher import Matcher
from tocsin.alerting.steps import Steps, sorting
from tocsin.bounded import Memo
from tocsin.dataclass import dataclass
from tocsin.models.base import Page
from tocsin.models.facets import Facet, FacetsQuery, FacetValue
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import meets, pauses_after, run_steps
from tocsin.node.api.tocsin_v1.paging import paged
from tocsin.node.api.tocsin_v1.resource import Call, Context, Resource
from tocsin.node.api.tocsin_v1.shared import Shared

SLICE: Final = 64
"""Alerts or labels that are counted before other work runs."""
MAX_FILTERS: Final = 8
"""Filters whose facets are shared among equal requests."""
MAX_COUNTED: Final = 100_000
"""Values of all labels together that are counted; posted alerts can have any number."""
MAX_SHOWN: Final = 10_000
"""Labels, and values of them together, that are kept for an answer: the most frequent labels come first."""
AT_ONCE: Final = 1
"""Counts at the same time; more wait."""


@dataclass(slots=True)
class _Count:
    alerts: int = 0
    active: int = 0
    silenced: int = 0
    inhibited: int = 0

    def add(self, silenced: bool, inhibited: bool) -> None:
        self.alerts += 1
        self.active += not (silenced or inhibited)
        self.silenced += silenced
        self.inhibited += inhibited


@dataclass(slots=True)
class _Label:
    alerts: int = 0
    values: dict[str, _Count] = field(default_factory=dict)
    left_out: int = 0
    """Alerts with values that are not counted."""


_Counts = dict[str, _Label]


class _Facets:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend
        self._statistics = context.statistics
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._shared: Memo[tuple[tuple[str, ...], int], Shared[Sequence[Facet]]] = Memo(MAX_FILTERS)

    async def __call__(self, call: Call[FacetsQuery, None]) -> Page[Facet]:
        key = (call.query.filter, call.query.values)
        shared = self._shared.get(key)
        if shared is None:
            matchers = await call.matchers(call.query.filter)
            shared = Shared(lambda: self._found(matchers, call.query.values), monotonic)
            self._shared.put(key, shared)
        return paged(await shared.get(), call.query)

    async def _found(self, matchers: Sequence[Matcher], most: int) -> Sequence[Facet]:
        self._statistics.facets_waiting += 1
        try:
            async with self._turn:
                return await run_steps(_shown(await self._counted(matchers), most))
        finally:
            self._statistics.facets_waiting -= 1

    async def _counted(self, matchers: Sequence[Matcher]) -> _Counts:
        backend = self._backend
        counts: _Counts = {}
        counted = 0
        pauses = pauses_after(SLICE)
        for alert in backend.alerts.all():
            if next(pauses):
                await pause()
            labels = alert.labels
            if alert.resolved_at(backend.now()) or not await meets(matchers, labels, pauses):
                continue
            if backend.silences.looking_up(labels) is not None:
                await backend.look_ups.find_all((labels,))
            now = backend.now()  # the time of each step, not of the beginning: see AlertOperations
            silenced = backend.silences.is_muted(labels, now)
            inhibited = bool(backend.inhibited_by(labels, now))
            for name, value in labels.pairs:
                label = counts.get(name)
                if label is None:
                    if counted >= MAX_COUNTED:
                        self._statistics.facets_left_out += 1
                        continue
                    label = counts[name] = _Label()
                label.alerts += 1
                count = label.values.get(value)
                if count is None:
                    if counted >= MAX_COUNTED:
                        label.left_out += 1
                        self._statistics.facets_left_out += 1
                        continue
                    counted += 1
                    count = label.values[value] = _Count()
                count.add(silenced, inhibited)
        return counts


def _shown(counts: _Counts, most: int) -> Steps[Sequence[Facet]]:
    labels = yield from sorting(
        list(counts.items()), key=lambda each: (-each[1].alerts, each[0]), most=MAX_SHOWN
    )
    found = []
    left = MAX_SHOWN
    for name, label in labels:
        yield
        room = min(most, left)
        ordered = yield from sorting(
            list(label.values.items()), key=lambda each: (-each[1].alerts, each[0]), most=room
        )
        left -= len(ordered)
        found.append(
            Facet(
                name=name,
                alerts=label.alerts,
                values=tuple(
                    FacetValue(
                        value=value,
                        alerts=count.alerts,
                        active=count.active,
                        silenced=count.silenced,
                        inhibited=count.inhibited,
                    )
                    for value, count in ordered
                ),
                more=len(label.values) + label.left_out - len(ordered),
            )
        )
    return found


RESOURCE = Resource(
    path="/facets",
    summary="Which labels and values the firing alerts have, with counts by state",
    query=FacetsQuery,
    answer=Page[Facet],
    make=_Facets,
)
