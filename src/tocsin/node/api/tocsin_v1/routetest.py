"""``GET routes/test``."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.alerting.explain.routes import routing_steps
from tocsin.alerting.labels import Labels
from tocsin.alerting.timestamp import format_milliseconds
from tocsin.models.routetest import Destination, RouteLooked, RouteTested, RouteTestQuery
from tocsin.node.api.steps import run_steps
from tocsin.node.api.tocsin_v1.resource import Call, Context, RefusedError, Resource, instant


class _RouteTest:
    def __init__(self, context: Context) -> None:
        self._backend = context.backend

    async def __call__(self, call: Call[RouteTestQuery, None]) -> RouteTested:
        backend = self._backend
        labels = labels_of(call.query.label)
        at = instant(call.query.at, "query at")
        if at is None:
            at = backend.now()
        await run_steps(labels.fingerprinting())
        root = backend.config.route
        # The time may be any: what is asked here must change nothing of what holds now.
        await backend.look_ups.find_all((labels,))
        silenced = await run_steps(backend.silences.mutes_at(labels, at))
        inhibited = tuple(backend.would_be_inhibited_by(labels, at))
        destinations = []
        for route in root.match(labels):
            intervals = tuple(backend.tocsin.route_muted_by(route.options, at))
            group = route.group_labels(labels)
            muted = "inhibited" if inhibited else "time interval" if intervals else ""
            destinations.append(
                Destination(
                    id=route.id,
                    receiver=route.options.receiver,
                    group_labels=dict(group.pairs),
                    group_key=route.group_key(group),
                    intervals=intervals,
                    muted=muted or ("silenced" if silenced else ""),
                )
            )
        return RouteTested(
            labels=dict(labels.pairs),
            at=format_milliseconds(at),
            way=tuple(
                RouteLooked(id=told.id, receiver=told.receiver, taken=not told.why, why=told.why)
                for told in routing_steps(root, labels)
            ),
            destinations=tuple(destinations),
            silenced_by=silenced,
            inhibited_by=inhibited,
        )


def labels_of(pairs: Sequence[str], place: str = "query label") -> Labels:
    """Labels out of ``name=value``; an empty value is not a label. Raises RefusedError."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise RefusedError(400, f"{pair!r} is not a name=value", place)
        if name in found:
            raise RefusedError(400, f"the label {name} is given twice", place)
        found[name] = value
    return Labels({name: value for name, value in found.items() if value})


RESOURCE = Resource(
    path="/routes/test",
    summary="Which way an alert would take through the routing tree",
    query=RouteTestQuery,
    answer=RouteTested,
    make=_RouteTest,
)
