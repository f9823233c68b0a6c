"""``POST acknowledge``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tocsin.alerting import regex
from tocsin.alerting.acknowledge import ANNOTATION, matchers_of_alert, matchers_of_group
from tocsin.alerting.labels import Labels
from tocsin.alerting.matcher import Matcher
from tocsin.alerting.silence import Silence
from tocsin.alerting.timestamp import SECOND, format_milliseconds
from tocsin.errors import ValidationError
from tocsin.models.acknowledge import Acknowledge, Acknowledged
from tocsin.models.base import Query
from tocsin.node.api.requests import read_matchers
from tocsin.node.api.scheduler import pause
from tocsin.node.api.steps import meets, pauses_after, run_steps
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource

SLICE: Final = 256
"""Alerts or groups that are evaluated before other work runs."""


class _Acknowledge:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend

    async def __call__(self, call: Call[Query, Acknowledge]) -> Acknowledged:
        asked = call.body
        given = [bool(asked.alert), asked.group is not None, bool(asked.matchers)]
        if sum(given) != 1:
            raise RefusedError(400, "give one of alert, group and matchers", "body")
        matchers = await self._matchers(call)
        now = self._backend.now()
        silence = Silence(
            id="",
            matcher_sets=(tuple(matchers),),
            starts_at=now,
            ends_at=now + int(asked.duration * SECOND),
            created_by=call.creator or asked.created_by,
            comment=asked.comment,
            annotations=Labels({ANNOTATION: "true"}),
        )
        firing = await self._firing(matchers)
        if not firing:
            raise RefusedError(404, "no alert that matches fires", "body")
        identifier = await self._backend.set_silence(silence)
        return Acknowledged(
            silence_id=identifier,
            matchers=tuple(map(str, matchers)),
            ends_at=format_milliseconds(silence.ends_at),
            alerts=firing,
        )

    async def _matchers(self, call: Call[Query, Acknowledge]) -> Sequence[Matcher]:
        backend, asked = self._backend, call.body
        if asked.alert:
            try:
                alert = backend.alerts.get(int(asked.alert, 16))
            except ValueError:
                alert = None
            if alert is None:
                raise RefusedError(404, "no such alert is known", "body alert")
            return matchers_of_alert(alert.labels)
        if asked.group is not None:
            labels = Labels(asked.group)
            pauses = pauses_after(SLICE)
            for route, named, _ in backend.tocsin.each_group():
                if next(pauses):
                    await pause()
                if route.options.receiver == asked.receiver and named == labels:
                    try:
                        return matchers_of_group(route, labels)
                    except ValidationError as error:
                        raise RefusedError(400, str(error), "body group") from None
            raise RefusedError(404, "there is no such group with that receiver", "body group")
        try:
            return await run_steps(read_matchers(asked.matchers, call.mode, regex.Purse(), several=True))
        except ValueError as error:
            raise RefusedError(400, str(error), "body matchers") from None

    async def _firing(self, matchers: Sequence[Matcher]) -> int:
        now, count = self._backend.now(), 0
        pauses = pauses_after(SLICE)
        for alert in self._backend.alerts.all():
            if next(pauses):
                await pause()
            count += not alert.resolved_at(now) and await meets(matchers, alert.labels, pauses)
        return count


RESOURCE = Resource(
    method="POST",
    path="/acknowledge",
    summary="Silence what fires until it has ended",
    description="Makes a silence that ends when the alerts that it silences have, and at the latest at its"
    " own end. Alerts that join meanwhile are silenced too.",
    query=Query,
    body=Acknowledge,
    answer=Acknowledged,
    make=_Acknowledge,
)
