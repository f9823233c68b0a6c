"""Three real nodes over DTLS: members, silences, alerts, a killed one, one without the right certificate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.api import matcher, prometheus_alert
from tests.support.bursts import post_silences, wait_active
from tests.support.cluster import Cluster, issue, make_authority
from tests.support.eventually import eventually, holds_for
from tests.support.node import Node, metric, webhook_config
from tests.support.tocsin_node import TOCSIN

DTLS = {"cluster.transport": "dtls"}
PLACE = 3.0
FLAGS = {**DTLS, "cluster.pushpull-interval": "10m", "cluster.peer-timeout": f"{PLACE:g}s"}


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Cluster]:
    """Whole states are exchanged too seldom to help."""
    with Cluster(tmp_path, flags=FLAGS) as cluster:
        for name in ("00-a", "50-b", "zz-c"):
            cluster.add(TOCSIN, name, peer_name=name)
        cluster.wait_whole()
        yield cluster


def test_packets_go_over_dtls_and_silences_and_alerts_reach_all(trio: Cluster) -> None:
    first, second, _third = trio.nodes
    id_ = first.api.post_silence([matcher("alertname", "Held")])
    for node in trio.nodes:
        eventually(partial(node.api.silence, id_), f"the silence on {node!r}")
    # Far more than datagrams hold: that goes by streams.
    post_silences(second, 200, comment="long" * 500)
    wait_active(trio.nodes, 201)
    for node in trio.nodes:
        node.api.post_alerts(prometheus_alert("Loud"), prometheus_alert("Held"))
    (received, *_) = trio.sink.wait_for("Loud")
    assert received.sender == first.url
    holds_for(
        lambda: len(trio.sink.of_alert("Loud")) == 1 and not trio.sink.of_alert("Held"),
        "one notification, and none of what is silenced",
        seconds=2 * PLACE + 1,
    )
    for node in trio.nodes:
        eventually(lambda: _is_well(node.api.metrics()), f"{node!r} has one association each way with each")  # noqa: B023


def _is_well(text: str) -> bool:
    assert metric(text, "tocsin_transport_refusals_total") == 0
    assert metric(text, "tocsin_transport_dtls_associations_outbound") == 2
    assert metric(text, "tocsin_transport_dtls_associations_inbound") == 2
    assert metric(text, "tocsin_transport_dtls_datagrams_received_total") > 20
    return metric(text, "alertmanager_cluster_health_score") == 0


def test_a_killed_node_is_found_out_and_comes_back(trio: Cluster) -> None:
    first, second, third = trio.nodes
    third.kill()
    for node in (first, second):
        eventually(
            lambda node=node: metric(node.api.metrics(), "alertmanager_cluster_members") == 2,  # type: ignore[misc]
            f"{node!r} has declared it dead",
        )
    id_ = first.api.post_silence([matcher("x", "while it was away")])
    eventually(lambda: second.api.silence(id_), "the silence on the other")
    third.restart()
    trio.wait_whole()
    eventually(lambda: third.api.silence(id_), "the silence on the one that came back")
    again = third.api.post_silence([matcher("x", "when it was back")])
    for node in (first, second):
        eventually(partial(node.api.silence, again), f"the silence on {node!r}")


def test_a_certificate_of_another_authority_is_refused_with_the_reason(trio: Cluster, tmp_path: Path) -> None:
    first = trio.nodes[0]
    stranger = Node(
        TOCSIN,
        "stranger",
        tmp_path / "stranger",
        config=webhook_config(trio.sink.url),
        tls=issue(make_authority(tmp_path / "elsewhere"), "stranger"),
        peers=[node.cluster_address for node in trio.nodes],
        flags=DTLS,
    )
    try:
        stranger.start()
        eventually(
            lambda: re.search("unknown authority", stranger.process.text()), "the stranger's log tells why"
        )
        whole = {node.cluster_address for node in trio.nodes}
        holds_for(
            lambda: (
                first.api.peer_addresses() == whole
                and stranger.api.peer_addresses() == {stranger.cluster_address}
            ),
            "the stranger stays outside",
            seconds=3.0,
        )
    finally:
        stranger.close()
