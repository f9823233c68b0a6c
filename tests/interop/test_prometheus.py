"""A real Prometheus fires its alert through our nodes to a webhook."""

from functools import partial
from pathlib import Path

import pytest

from tests.support import alertmanager
from tests.support.cluster import Cluster
from tests.support.eventually import eventually, holds_for
from tests.support.node import Node, NodeKind
from tests.support.prometheus import Prometheus

pytestmark = pytest.mark.interop


def test_one_rule_two_nodes_one_notification(tmp_path: Path, ours: NodeKind) -> None:
    with Cluster(tmp_path) as cluster:
        nodes = [cluster.add(ours, "first", peer_name="a"), cluster.add(ours, "second", peer_name="b")]
        cluster.wait_whole()
        targets = [node.url.removeprefix("http://") for node in nodes]
        with Prometheus(alertmanager.prometheus(), tmp_path / "prometheus", targets):
            (received, *_) = cluster.sink.wait_for("AlwaysFiring")
            (alert,) = received.body["alerts"]
            assert alert["status"] == "firing"
            assert alert["labels"] == {"alertname": "AlwaysFiring", "severity": "page"}
            assert alert["annotations"] == {"summary": "fires with 1"}
            assert "vector" in alert["generatorURL"]
            for node in nodes:
                eventually(partial(has_it, node), f"the alert on {node!r}")
            holds_for(lambda: len(cluster.sink.of_alert("AlwaysFiring")) == 1, "only one", seconds=4.0)


def has_it(node: Node) -> bool:
    return [alert["labels"]["alertname"] for alert in node.api.alerts()] == ["AlwaysFiring"]
