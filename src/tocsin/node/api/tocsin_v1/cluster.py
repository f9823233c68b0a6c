"""``GET cluster``, ``GET cluster/members`` and ``GET cluster/connections``."""

from __future__ import annotations

from time import monotonic

from tocsin.models.base import Page, Paging, Query
from tocsin.models.cluster import Cluster, Connection, Member
from tocsin.node.api.tocsin_v1.paging import paged
from tocsin.node.api.tocsin_v1.resource import Call, Context, Resource
from tocsin.node.api.tocsin_v1.shared import Shared


class _Cluster:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend.tocsin

    async def __call__(self, call: Call[Query, None]) -> Cluster:  # noqa: ARG002 - as all resources
        return self._backend.cluster()


class _Members:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend.tocsin
        self._shared = Shared(self._all, monotonic)

    async def __call__(self, call: Call[Paging, None]) -> Page[Member]:
        return paged(await self._shared.get(), call.query)

    async def _all(self) -> tuple[Member, ...]:
        return tuple(self._backend.members())


class _Connections:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend.tocsin
        self._shared = Shared(self._all, monotonic)

    async def __call__(self, call: Call[Paging, None]) -> Page[Connection]:
        return paged(await self._shared.get(), call.query)

    async def _all(self) -> tuple[Connection, ...]:
        return tuple(self._backend.connections())


CLUSTER = Resource(
    path="/cluster",
    summary="The cluster, how its traffic is protected, and who was refused",
    query=Query,
    answer=Cluster,
    make=_Cluster,
)
MEMBERS = Resource(
    path="/cluster/members",
    summary="The members of the cluster",
    query=Paging,
    answer=Page[Member],
    make=_Members,
)
CONNECTIONS = Resource(
    path="/cluster/connections",
    summary="The open connections of TLS between this node and its peers",
    query=Paging,
    answer=Page[Connection],
    make=_Connections,
)
