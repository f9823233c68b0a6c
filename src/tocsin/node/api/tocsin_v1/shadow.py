"""``GET shadow``."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, cast

from tocsin.alerting.shadow.model import Judgement, Result
from tocsin.alerting.shadow.shadow import Shadow
from tocsin.alerting.timestamp import in_seconds
from tocsin.models.shadow import (
    ShadowCounts,
    ShadowDifference,
    ShadowGroup,
    ShadowQuery,
    ShadowReceiver,
    ShadowReport,
)
from tocsin.node.api.tocsin_v1.recordviews import moment
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource

MAX_GROUPS: Final = 100
"""Groups that are listed."""


class _Shadow:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend

    async def __call__(self, call: Call[ShadowQuery, None]) -> ShadowReport:
        backend = self._backend
        shadow = backend.tocsin.shadow
        if shadow is None:
            raise RefusedError(404, "this node is not in shadow: it runs without --dispatch.shadow")
        return report(shadow, call.query, node=backend.cluster_status().name, now=backend.now())


def report(shadow: Shadow, query: ShadowQuery, *, node: str, now: int) -> ShadowReport:
    """What the machine has found."""
    results = shadow.results
    wanted = [each for each in reversed(results.differences) if query.receiver in ("", each.receiver)]
    totals = {name: counts for name, counts in results.by_receiver().items() if query.receiver in ("", name)}
    counts = _counts(sum(totals.values(), Counter[Result]()))
    groups = [
        ShadowGroup(integration=integration, group_key=key, counts=_counts(each))
        for (integration, key), each in results.by_group()
        if query.receiver in ("", integration.rpartition("/")[0])
    ]
    statistics = shadow.statistics
    return ShadowReport(
        node=node,
        since=moment(shadow.since),
        now=moment(now),
        differs=bool(counts.late or counts.missing or counts.extra),
        allowance=in_seconds(shadow.allowance),
        counts=counts,
        receivers=tuple(
            [ShadowReceiver(receiver=name, counts=_counts(totals[name])) for name in sorted(totals)]
        ),
        groups=tuple(groups[:MAX_GROUPS]),
        differences=tuple([_difference(each) for each in wanted[: query.limit]]),
        forgotten=statistics.differences_forgotten,
        pending=statistics.pending,
        not_compared=statistics.not_compared.total(),
    )


def _counts(found: Counter[Result]) -> ShadowCounts:
    return ShadowCounts(
        agreed=found["agreed"], late=found["late"], missing=found["missing"], extra=found["extra"]
    )


def _difference(each: Judgement) -> ShadowDifference:
    return ShadowDifference(
        result=cast("Literal['late', 'missing', 'extra']", each.result),
        integration=each.integration,
        group_key=each.group_key,
        at=moment(each.at),
        ours=moment(each.ours),
        theirs=moment(each.theirs),
        firing=each.firing,
        resolved=each.resolved,
        why=each.why,
        alerts=each.alerts,
        more=each.more,
    )


RESOURCE = Resource(
    path="/shadow",
    summary="What this node would have sent, compared with what the others have",
    description="Of a node that runs with `--dispatch.shadow`; others answer 404.",
    query=ShadowQuery,
    answer=ShadowReport,
    make=_Shadow,
)
