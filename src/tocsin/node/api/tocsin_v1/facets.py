"""``GET facets``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from time import monotonic
from typing import Final

from tocsin.alerting.matcher import Matcher
from tocsin.bounded import Memo
from tocsin.models.base import Page
from tocsin.models.facets import Facet, FacetsQuery, FacetValue
from tocsin.node.api.tocsin_v1.paging import paged
from tocsin.node.api.tocsin_v1.resource import Call, Context, Resource
from tocsin.node.api.tocsin_v1.shared import Shared
from tocsin.node.api.turns import meets, turns_of

SLICE: Final = 64
"""Alerts or labels that are looked at before others get their turn."""
MAX_FILTERS: Final = 16
"""Whose answers are shared with whoever asks the same."""


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


_Counts = dict[str, dict[str, _Count]]


class _Facets:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend
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
        return await _shown(await self._counted(matchers), most)

    async def _counted(self, matchers: Sequence[Matcher]) -> _Counts:
        backend = self._backend
        now = backend.now()
        counts: _Counts = {}
        turns = turns_of(SLICE)
        for alert in backend.alerts.all():
            if next(turns):
                await asyncio.sleep(0)
            labels = alert.labels
            if alert.resolved_at(now) or not await meets(matchers, labels, turns):
                continue
            if backend.silences.looking_up(labels) is not None:
                await backend.look_ups.find_all((labels,))
            silenced = bool(backend.silences.mutes(labels, now))
            inhibited = bool(backend.inhibited_by(labels, now))
            for name, value in labels.pairs:
                values = counts.setdefault(name, {})
                count = values.get(value)
                if count is None:
                    count = values[value] = _Count()
                count.add(silenced, inhibited)
        return counts


async def _shown(counts: _Counts, most: int) -> Sequence[Facet]:
    found = []
    for name, values in counts.items():
        await asyncio.sleep(0)
        ordered = nsmallest(most, values.items(), key=lambda each: (-each[1].alerts, each[0]))
        found.append(
            Facet(
                name=name,
                alerts=sum([count.alerts for count in values.values()]),
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
                more=max(len(values) - most, 0),
            )
        )
    found.sort(key=lambda facet: (-facet.alerts, facet.name))
    return found


RESOURCE = Resource(
    path="/facets",
    summary="Which labels and values the firing alerts have, with counts by state",
    query=FacetsQuery,
    answer=Page[Facet],
    make=_Facets,
)
