"""The resources of the API. A new one is a module and a line here."""

from __future__ import annotations

from typing import Final

from tocsin.node.api.tocsin_v1 import (
    acknowledge,
    cluster,
    document,
    events,
    explain,
    facets,
    forget,
    history,
    intervals,
    receivers,
    receivertest,
    routes,
    routetest,
    shadow,
    silenceimport,
    status,
    worst,
)
from tocsin.node.api.tocsin_v1.resource import AnyResource

RESOURCES: Final[tuple[AnyResource, ...]] = (
    acknowledge.RESOURCE,
    cluster.CLUSTER,
    cluster.CONNECTIONS,
    cluster.MEMBERS,
    document.RESOURCE,
    events.RESOURCE,
    explain.RESOURCE,
    facets.RESOURCE,
    forget.RESOURCE,
    intervals.RESOURCE,
    history.ALERTS,
    history.NOTIFICATIONS,
    history.SILENCES,
    receivers.RESOURCE,
    receivertest.RESOURCE,
    routes.RESOURCE,
    routetest.RESOURCE,
    shadow.RESOURCE,
    silenceimport.RESOURCE,
    status.RESOURCE,
    worst.RESOURCE,
)
