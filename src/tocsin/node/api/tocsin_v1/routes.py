"""``GET routes``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Final

from tocsin.alerting.route import Route as Node
from tocsin.alerting.route import RouteOptions
from tocsin.alerting.timestamp import in_seconds
from tocsin.models.base import Page, Paging
from tocsin.models.routes import Route
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import pauses_after
from tocsin.node.api.tocsin_v1.paging import paged
from tocsin.node.api.tocsin_v1.resource import Call, Context, Resource
from tocsin.node.api.tocsin_v1.shared import Shared

SLICE: Final = 256
"""Alerts or routes that are counted before other work runs."""


class _Routes:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend
        self._shared = Shared(self._all, monotonic)

    async def __call__(self, call: Call[Paging, None]) -> Page[Route]:
        return paged(await self._shared.get(), call.query)

    async def _all(self) -> Sequence[Route]:
        backend = self._backend
        now = backend.now()
        groups: Counter[str] = Counter()
        alerts: Counter[str] = Counter()
        pauses = pauses_after(SLICE)
        for route, _, held in backend.tocsin.each_group():
            groups[route.id] += 1
            for alert in held:
                alerts[route.id] += not alert.resolved_at(now)
                if next(pauses):
                    await pause()
        found: list[Route] = []
        depths: dict[str, int] = {}
        for node in backend.config.route.walk():
            if next(pauses):
                await pause()
            depths[node.id] = depths[node.parent.id] + 1 if node.parent is not None else 0
            muted = backend.tocsin.route_muted_by(node.options, now)
            found.append(shown(node, depths[node.id], groups[node.id], alerts[node.id], muted))
        return found


def shown(node: Node, depth: int, groups: int, alerts: int, muted: Sequence[str]) -> Route:
    """A route as the API shows it."""
    options = node.options
    return Route(
        id=node.id,
        parent=node.parent.id if node.parent is not None else "",
        depth=depth,
        matchers=tuple(map(str, node.matchers)),
        receiver=options.receiver,
        group_by=("...",) if options.group_by_all else tuple(sorted(options.group_by)),
        group_wait=in_seconds(options.group_wait),
        group_interval=in_seconds(options.group_interval),
        repeat_interval=in_seconds(options.repeat_interval),
        mute_time_intervals=options.mute_time_intervals,
        active_time_intervals=options.active_time_intervals,
        continues=node.continue_,
        labels={name: str(value) for name, value in options.labels},
        inherited=inherited(options, node.parent.options) if node.parent is not None else (),
        groups=groups,
        alerts=alerts,
        muted=tuple(muted),
    )


def inherited(own: RouteOptions, above: RouteOptions) -> tuple[str, ...]:
    """The fields, by their names in JSON, that are as the parent has them."""
    grouping = (own.group_by, own.group_by_all) == (above.group_by, above.group_by_all)
    same = {
        "receiver": own.receiver == above.receiver,
        "groupBy": grouping,
        "groupWait": own.group_wait == above.group_wait,
        "groupInterval": own.group_interval == above.group_interval,
        "repeatInterval": own.repeat_interval == above.repeat_interval,
        "labels": own.labels == above.labels,
    }
    return tuple(name for name, is_same in same.items() if is_same)


RESOURCE = Resource(
    path="/routes",
    summary="The routing tree, with what is in it now",
    query=Paging,
    answer=Page[Route],
    make=_Routes,
)
