"""A node that joins late gets the whole state at once, however large, from either kind of node."""

import secrets
from pathlib import Path

import pytest

from tests.support.api import matcher, prometheus_alert
from tests.support.cluster import Cluster
from tests.support.eventually import eventually, holds_for
from tests.support.node import NodeKind

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("from_ours", [True, False], ids=["from-ours", "from-theirs"])
def test_state_past_64_KB(tmp_path: Path, ours: NodeKind, theirs: NodeKind, from_ours: bool) -> None:  # noqa: N802
    with Cluster(tmp_path, flags={"cluster.pushpull-interval": "1h"}) as cluster:
        giver = cluster.add(ours if from_ours else theirs, "giver")
        # Random text: still past 64 KB when it was compressed.
        texts = {
            giver.api.post_silence([matcher("alertname", f"Late{number}")], comment=text): text
            for number, text in enumerate(secrets.token_hex(600) for _ in range(120))
        }
        taker = cluster.add(theirs if from_ours else ours, "taker")

        def taken() -> bool:
            return {silence["id"]: silence["comment"] for silence in taker.api.silences()} == texts

        eventually(taken, f"all {len(texts)} silences on {taker!r}")


@pytest.mark.parametrize("from_ours", [True, False], ids=["from-ours", "from-theirs"])
def test_the_notification_log_comes_with_the_join(
    tmp_path: Path, ours: NodeKind, theirs: NodeKind, from_ours: bool
) -> None:
    """What one node sent before the other was there, the other does not send again."""
    with Cluster(tmp_path, flags={"cluster.pushpull-interval": "1h"}) as cluster:
        sender = cluster.add(ours if from_ours else theirs, "sender").wait_ready()
        alert = prometheus_alert("SentBefore")
        sender.api.post_alerts(alert)
        cluster.sink.wait_for("SentBefore")
        joiner = cluster.add(theirs if from_ours else ours, "joiner")
        cluster.wait_whole()
        joiner.api.post_alerts(alert)
        holds_for(lambda: len(cluster.sink.of_alert("SentBefore")) == 1, "not sent again", seconds=3.0)
        # The joiner does notify: it was its log that held it back, nothing else.
        joiner.api.post_alerts(prometheus_alert("SentAfter"))
        cluster.sink.wait_for("SentAfter")
