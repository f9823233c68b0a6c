"""How many notifications three nodes send for alerts that fire on all of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from benchmarks.bench import Bench, in_threads, settled, wait_for
from benchmarks.row import Figure, Row, Samples, Target
from tests.support.api import prometheus_alert
from tests.support.node import NodeKind, webhook_config
from tests.support.sink import WebhookSink

BATCH = 256


def _notified(peer_timeout: int) -> Callable[[Bench, NodeKind], Samples]:
    def measure(bench: Bench, kind: NodeKind) -> Samples:
        groups = bench.size(1000, 200)
        flags = {"cluster.peer-timeout": f"{peer_timeout}s"}
        with WebhookSink() as sink:
            config = webhook_config(sink.url, group_wait="1s")
            with bench.cluster(kind, config=config, flags=flags) as nodes:
                wait_for(lambda: all(settled(node) for node in nodes), 40, "the nodes have settled")
                alerts = [prometheus_alert(f"Group{number}") for number in range(groups)]
                bodies = [
                    json.dumps(alerts[start : start + BATCH]).encode() for start in range(0, groups, BATCH)
                ]

                def post(number: int) -> None:
                    with nodes[number].connect() as connection:
                        for body in bodies:
                            connection.post("/api/v2/alerts", body)

                in_threads(post, len(nodes))
                # The last node in line looks after two peer timeouts; then nothing may come any more.
                quiet_from = time.monotonic() + 2 * peer_timeout + 3
                count = 0
                end = quiet_from + 30
                while time.monotonic() < end:
                    count = len(sink.all())
                    if time.monotonic() > quiet_from and time.monotonic() - sink.all()[-1].at > 3:
                        break
                    time.sleep(0.25)
                names = {name for received in sink.all() for name in received.alert_names}
        # For as many groups as a full run has, so that a quick run can be read the same way.
        return {"sent": [1000 * count / groups], "missed": [float(groups - len(names))]}

    return measure


def _row(peer_timeout: int) -> Row:
    title = f"1,000 alert groups firing on three nodes, peer timeout {peer_timeout} s"
    return Row(
        f"notified-{peer_timeout}s",
        f"1,000 alerts, each a group of its own, are posted to three settled nodes at once with a group wait "
        f"of 1 s and a peer timeout of {peer_timeout} s; what one receiver gets.",
        (
            Figure("sent", f"{title}: notifications sent", "", Target(limit=1000)),
            Figure("missed", f"{title}: groups never notified", "", Target(limit=0)),
        ),
        _notified(peer_timeout),
    )


ROWS = (_row(15), _row(1))
