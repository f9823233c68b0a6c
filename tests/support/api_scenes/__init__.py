"""The scenes: sequences of requests to a fresh node, the same for the real Alertmanager and for ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.support.api_requests import Request
from tests.support.api_scenes.alerts import alerts, bad_alerts
from tests.support.api_scenes.negotiation import negotiation
from tests.support.api_scenes.paths import paths
from tests.support.api_scenes.queries import queries
from tests.support.api_scenes.silences import bad_silences, silences

SCENES: Mapping[str, Callable[[], Iterator[Request]]] = {
    "paths": paths,
    "negotiation": negotiation,
    "queries": queries,
    "bad alerts": bad_alerts,
    "alerts": alerts,
    "bad silences": bad_silences,
    "silences": silences,
}
