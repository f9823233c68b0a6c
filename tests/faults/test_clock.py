"""A clock that was far ahead, and is right again."""

from __future__ import annotations

from pathlib import Path

from tests.support.api import matcher
from tests.support.cluster import Cluster
from tests.support.eventually import eventually
from tests.support.node import metric
from tests.support.skew import skew, skewable
from tests.support.tocsin_node import TOCSIN

MONTH = 30 * 86400
FLAGS = {"cluster.pushpull-interval": "1h"}  # nobody tells it of its own accord


def test_what_a_node_took_for_long_gone_it_asks_for_again(tmp_path: Path) -> None:
    with Cluster(tmp_path, flags=FLAGS) as cluster:
        offset = tmp_path / "offset"
        ahead = cluster.add(skewable(TOCSIN, offset), "ahead", peer_name="ahead")
        right = cluster.add(TOCSIN, "right", peer_name="right")
        cluster.wait_whole()
        skew(offset, MONTH)

        def missed() -> str:
            """A silence of two hours, that ended a month ago by a clock that is a month ahead."""
            before = metric(ahead.api.metrics(), "tocsin_cluster_inbox_received_total", reason="update")
            identifier = right.api.post_silence([matcher("alertname", "Missed")])
            eventually(
                lambda: (
                    metric(ahead.api.metrics(), "tocsin_cluster_inbox_received_total", reason="update")
                    > before
                ),
                "the silence reaches the node",
            )
            return identifier if ahead.api.silence(identifier) is None else ""

        lost: list[str] = []
        eventually(lambda: lost.append(missed()) or bool(lost[-1]), "the node takes a silence for gone")  # type: ignore[func-returns-value]
        skew(offset, 0)
        eventually(lambda: ahead.api.silence(lost[-1]) is not None, "it has asked for it again")
