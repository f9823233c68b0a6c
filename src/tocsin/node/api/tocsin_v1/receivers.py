"""``GET receivers``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Final

from tocsin.alerting.integration import Integration as Known
from tocsin.alerting.integration import integrations
from tocsin.alerting.timestamp import Nanoseconds, format_milliseconds, in_seconds
from tocsin.models.base import Page, Paging
from tocsin.models.receivers import Integration, Receiver
from tocsin.node.api.receivers import receiver_labels
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import pauses_after
from tocsin.node.api.tocsin_v1.backend import TocsinBackend
from tocsin.node.api.tocsin_v1.paging import paged
from tocsin.node.api.tocsin_v1.resource import Call, Context, Resource
from tocsin.node.api.tocsin_v1.shared import Shared

SLICE: Final = 256
"""Alerts, routes or receivers that are counted before other work runs."""


class _Receivers:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend
        self._shared = Shared(self._all, monotonic)

    async def __call__(self, call: Call[Paging, None]) -> Page[Receiver]:
        return paged(await self._shared.get(), call.query)

    async def _all(self) -> Sequence[Receiver]:
        backend = self._backend
        config, now = backend.config, backend.now()
        routes: Counter[str] = Counter()
        groups: Counter[str] = Counter()
        alerts: Counter[str] = Counter()
        pauses = pauses_after(SLICE)
        for route in config.route.walk():
            routes[route.options.receiver] += 1
            if next(pauses):
                await pause()
        for route, _, held in backend.tocsin.each_group():
            groups[route.options.receiver] += 1
            for alert in held:
                alerts[route.options.receiver] += not alert.resolved_at(now)
                if next(pauses):
                    await pause()
        labels = receiver_labels(config)
        found = []
        for receiver in config.receivers:
            if next(pauses):
                await pause()
            name = receiver.name
            found.append(
                Receiver(
                    name=name,
                    labels=labels[name],
                    used=bool(routes[name]),
                    routes=routes[name],
                    groups=groups[name],
                    alerts=alerts[name],
                    integrations=tuple(shown(backend.tocsin, each) for each in integrations(receiver)),
                )
            )
        return found


def shown(backend: TocsinBackend, known: Known) -> Integration:
    """An integration as the API shows it."""
    health = backend.health(known.receiver, known.integration, known.index)
    recent = health.recent
    return Integration(
        name=str(known),
        kind=known.integration,
        index=known.index,
        send_resolved=known.send_resolved,
        sent=health.sent,
        failed=health.failed,
        given_up=health.given_up,
        failing=health.failing,
        last_success=_time(health.sent_at),
        last_failure=_time(health.failed_at),
        reason=health.reason,
        error=health.error,
        latency=round(in_seconds(sum(recent) // len(recent)), 6) if recent else 0.0,
        slowest=round(in_seconds(max(recent)), 6) if recent else 0.0,
    )


def _time(instant: Nanoseconds) -> str:
    return format_milliseconds(instant) if instant else ""


RESOURCE = Resource(
    path="/receivers",
    summary="The receivers, and how notifying them went",
    query=Paging,
    answer=Page[Receiver],
    make=_Receivers,
)
