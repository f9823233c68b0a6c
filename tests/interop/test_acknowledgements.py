"""An acknowledgement in a cluster with a real Alertmanager: kept by it, shown by it, ended by one of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest

from tests.interop.conftest import Trio
from tests.support.api import prometheus_alert, rfc3339
from tests.support.eventually import eventually
from tocsin.alerting.acknowledge import ANNOTATION

pytestmark = pytest.mark.interop
ENDED = "tocsin_acknowledgements_ended_total"


def ended(trio: Trio) -> list[int]:
    counts = []
    for node in (trio.first, trio.last):
        lines = [line for line in node.api.metrics().splitlines() if line.startswith(ENDED)]
        counts.append(int(float(lines[0].split()[-1])))
    return counts


def test_it_is_a_silence_to_others_and_ends_once_with_its_alerts(trio: Trio) -> None:
    nodes = (trio.first, trio.theirs, trio.last)
    alert = prometheus_alert("Acknowledged", version=str(trio.theirs.kind))
    for node in nodes:
        node.api.post_alerts(alert)
    asked = {"createdBy": "ann", "matchers": [f'version="{trio.theirs.kind}"', 'alertname="Acknowledged"']}
    made = trio.last.api.http.post("/api/tocsin/v1/acknowledge", json=asked)
    assert made.status_code == 200, made.text
    identifier = made.json()["silenceId"]
    for node in nodes:
        silence = eventually(partial(node.api.silence, identifier), f"the silence on {node!r}")
        assert silence is not None
        assert silence["status"]["state"] == "active"
        if trio.theirs.kind.version == (0, 33) or node is not trio.theirs:
            assert silence["annotations"] == {ANNOTATION: "true"}, node
    if trio.theirs.kind.version != (0, 33):
        trio.first.api.expire_silence(identifier)
        return  # Its end takes a while, and is the same with all of them.
    before = ended(trio)
    for node in nodes:
        node.api.post_alerts({**alert, "endsAt": rfc3339(datetime.now(UTC))})

    def is_over() -> bool:
        silences = [node.api.silence(identifier) for node in nodes]
        return all(one is not None and one["status"]["state"] == "expired" for one in silences)

    eventually(is_over, "it has ended everywhere", deadline=90)
    assert sum(ended(trio)) - sum(before) in (1, 2)  # Two, where the first was too slow to tell the last.
