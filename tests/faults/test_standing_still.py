"""A node that stood still has had its alerts notified by others, and knows so before it goes on."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.api import prometheus_alert
from tests.support.cluster import Cluster
from tests.support.eventually import eventually, holds_for
from tests.support.node import metric, webhook_config
from tests.support.tocsin_node import TOCSIN

GROUPS = 20
FLAGS = {"cluster.reconnect-interval": "1m"}  # nobody tells it of its own accord


def test_a_node_that_goes_on_after_it_was_taken_for_dead_sends_nothing_again(tmp_path: Path) -> None:
    with Cluster(tmp_path, flags=FLAGS) as cluster:
        first = cluster.add(TOCSIN, "first", peer_name="a")  # which does not wait for anybody
        others = [cluster.add(TOCSIN, name, peer_name=name) for name in ("b", "c")]
        cluster.wait_whole()
        for node in cluster.nodes:
            node.config_file.write_text(webhook_config(cluster.sink.url, group_wait="8s"))
            node.api.http.post("/-/reload").raise_for_status()
        alerts = [prometheus_alert(f"Late{number}") for number in range(GROUPS)]
        for node in (*others, first):
            node.api.post_alerts(*alerts)
        first.process.send(signal.SIGSTOP)  # long before they are due
        for node in others:
            node.wait_members(others)  # what they send now, they do not tell it
        eventually(lambda: len(cluster.sink.all()) >= GROUPS, "another notifies")
        first.process.send(signal.SIGCONT)  # and they are due here too
        cluster.wait_whole()
        assert metric(first.api.metrics(), "tocsin_event_loop_stalls_total") > 0
        holds_for(lambda: len(cluster.sink.all()) == GROUPS, "nothing is sent again", seconds=3.0)
        first.api.post_alerts(prometheus_alert("After"))
        cluster.sink.wait_for("After")
