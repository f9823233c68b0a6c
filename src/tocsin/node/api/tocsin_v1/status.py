"""``GET status``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tocsin.alerting.silence import SilenceState
from tocsin.alerting.timestamp import format_milliseconds
from tocsin.models.base import Query
from tocsin.models.status import Build, Counts, Status
from tocsin.node.api.backend import ClusterStatus
from tocsin.node.api.tocsin_v1.resource import Call, Context, Resource

IN_SHADOW: Final = (
    "this node is in shadow (--dispatch.shadow): it notifies nobody, and compares what it would send with"
    " what the others do; tocsinctl shadow report says what it found"
)
MAX_WARNINGS: Final = 50


class _Status:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend
        self._read_only = context.read_only

    async def __call__(self, call: Call[Query, None]) -> Status:  # noqa: ARG002 - as all resources
        backend = self._backend
        now = backend.now()
        cluster = backend.cluster_status()
        alerts = backend.alerts.counts(now)
        silences = backend.silences.counts(now)
        version = backend.version
        return Status(
            name=cluster.name,
            build=Build(version=version.revision, alertmanager=version.version, runtime=version.go_version),
            started_at=format_milliseconds(backend.started_at),
            now=format_milliseconds(now),
            ready=backend.tocsin.settled,
            cluster=cluster.status,
            read_only=self._read_only,
            features=tuple(backend.tocsin.features),
            warnings=tuple(self._warnings(cluster))[:MAX_WARNINGS],
            configuration=backend.tocsin.configuration(),
            counts=Counts(
                alerts_firing=alerts["firing"],
                alerts_resolved=alerts["resolved"],
                silences_active=silences[SilenceState.ACTIVE],
                silences_pending=silences[SilenceState.PENDING],
                silences_expired=silences[SilenceState.EXPIRED],
                groups=backend.tocsin.group_count,
            ),
        )

    def _warnings(self, cluster: ClusterStatus) -> Iterator[str]:
        if self._backend.tocsin.shadow is not None:
            yield IN_SHADOW
        if cluster.clear_text:
            yield (
                "cluster traffic is clear text: whoever reaches the cluster port can read it, silence alerts"
                " and hold notifications back; use --cluster.tls-config"
            )
        for gap in cluster.gaps:
            yield f"{gap.name} is missing: {gap.why or 'not reached yet'}"
        yield from self._backend.tocsin.doubts()


RESOURCE = Resource(
    path="/status",
    summary="The node at a glance",
    query=Query,
    answer=Status,
    make=_Status,
)
