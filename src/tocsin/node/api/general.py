"""The operations on the node itself: its status and its receivers."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tocsin.alerting.matcher import ParserMode
from tocsin.alerting.timestamp import format_milliseconds
from tocsin.node.api.answers import value_answer
from tocsin.node.api.backend import Backend
from tocsin.node.api.receivers import receiver_labels
from tocsin.node.api.requests import Query
from tocsin.node.api.steps import meets, pauses_after, run_steps

SHOW_SLICE: Final = 256
"""Patterns that are matched before other work runs."""


class GeneralOperations:
    """GET status and GET receivers."""

    def __init__(self, backend: Backend, mode: ParserMode) -> None:
        self._mode = mode
        self._backend = backend

    async def status(self, request: Request) -> Response:  # noqa: ARG002 - as all operations
        """Cluster, configuration, uptime (which is the time of the start) and version."""
        backend = self._backend
        cluster = backend.cluster_status()
        version = backend.version
        peers = sorted(cluster.peers, key=lambda peer: peer.name)
        shown: dict[str, object] = {"name": cluster.name} if cluster.name else {}
        shown["peers"] = [{"address": peer.address, "name": peer.name} for peer in peers]
        shown["status"] = cluster.status
        return value_answer(
            {
                "cluster": shown,
                "config": {"original": backend.config.original},
                "uptime": format_milliseconds(backend.started_at),
                "versionInfo": {
                    "branch": version.branch,
                    "buildDate": version.build_date,
                    "buildUser": version.build_user,
                    "goVersion": version.go_version,
                    "revision": version.revision,
                    "version": version.version,
                },
            }
        )

    async def receivers(self, request: Request) -> Response:
        """The receivers, in the order of the configuration. Raises ValidationError."""
        matchers = await run_steps(Query(request.scope["query_string"], self._mode).receiver_matchers())
        pauses = pauses_after(SHOW_SLICE)
        return value_answer(
            [
                {"labels": labels, "name": name}
                for name, labels in receiver_labels(self._backend.config).items()
                if await meets(matchers, labels, pauses)
            ]
        )
