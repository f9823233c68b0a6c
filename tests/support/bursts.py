"""Many silences at once over HTTP, as a script or a tool posts them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx

from tests.support.api import matcher, rfc3339
from tests.support.eventually import eventually
from tests.support.node import Node, metric


def post_silences(node: Node, count: int, *, comment: str = "burst", connections: int = 4) -> None:
    """Post ``count`` silences over a few connections."""
    now = datetime.now(UTC)

    def body(number: int) -> bytes:
        silence = {
            "matchers": [matcher("alertname", f"{comment[:16]}{number}")],
            "startsAt": rfc3339(now),
            "endsAt": rfc3339(now + timedelta(hours=1)),
            "createdBy": "tests",
            "comment": comment,
        }
        return json.dumps(silence).encode()

    def post(first: int) -> None:
        headers = {"content-type": "application/json"}
        with httpx.Client(base_url=node.url, timeout=30.0, trust_env=False, headers=headers) as client:
            for number in range(first, count, connections):
                client.post("/api/v2/silences", content=body(number)).raise_for_status()

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(post, range(connections)))


def active_silences(node: Node) -> int:
    """How many the node has."""
    return int(metric(node.api.metrics(), "alertmanager_silences", state="active"))


def wait_active(nodes: list[Node], count: int, *, deadline: float = 60.0) -> None:
    """Wait until each has ``count`` silences."""
    for node in nodes:

        def whole(node: Node = node) -> bool:
            seen = active_silences(node)
            assert seen == count, f"{seen} of {count}"
            return True

        eventually(whole, f"{count} silences on {node!r}", deadline=deadline, ignoring=(httpx.HTTPError,))
