"""An alert that several nodes have gives one notification, whichever kind of node sends it.

The node that is first in the order of names sends at once; each later one waits a peer-timeout for each place
before it, then finds the notification in its log.
"""

from functools import partial

import pytest

from tests.interop.conftest import Trio
from tests.support.api import matcher, prometheus_alert
from tests.support.eventually import eventually, holds_for
from tests.support.node import Node, metric
from tests.support.turns import Turns

pytestmark = pytest.mark.interop

PATIENCE = 5.0
"""Seconds: longer than group_wait, after which an alert that is muted would have been sent or not."""


def exactly_one(trio: Trio, alert_name: str, posted_to: list[Node], sender: Node) -> None:
    alert = prometheus_alert(alert_name)
    turns = Turns(posted_to)
    for node in posted_to:
        node.api.post_alerts(alert)
    (received, *_) = trio.sink.wait_for(alert_name)
    assert received.sender == sender.url
    turns.wait_for_one(
        lambda: len(trio.sink.of_alert(alert_name)), f"one notification of {alert_name}, none by a later node"
    )


def test_posted_to_all_ours_sends(trio: Trio) -> None:
    exactly_one(trio, "PostedToAll", trio.nodes, sender=trio.first)


def test_ours_sends_and_theirs_stays_silent(trio: Trio) -> None:
    exactly_one(trio, "OursFirst", [trio.first, trio.theirs], sender=trio.first)


def test_theirs_sends_and_ours_stays_silent(trio: Trio) -> None:
    exactly_one(trio, "TheirsFirst", [trio.theirs, trio.last], sender=trio.theirs)


@pytest.mark.parametrize("maker", ["first", "theirs"])
def test_a_silence_of_either_holds_the_alert_back_on_both(trio: Trio, maker: str) -> None:
    making: Node = getattr(trio, maker)
    name = f"HeldBackBy{maker.title()}"
    id_ = making.api.post_silence([matcher("alertname", name)])
    for node in trio.nodes:
        eventually(partial(node.api.silence, id_), f"the silence on {node!r}")
    for node in trio.nodes:
        node.api.post_alerts(prometheus_alert(name))
    holds_for(lambda: not trio.sink.of_alert(name), f"no notification of {name}", seconds=PATIENCE)
    for node in trio.nodes:
        (alert,) = [alert for alert in node.api.alerts() if alert["labels"]["alertname"] == name]
        assert alert["status"]["state"] == "suppressed", node
        assert alert["status"]["silencedBy"] == [id_], node


@pytest.mark.parametrize("theirs", ["0.33"], indirect=True)  # older ones send fewer fields
def test_the_payload_of_either_kind_is_the_same(trio: Trio) -> None:
    """The same alert, sent once by ours and once by theirs: only the sender's address differs."""
    bodies = []
    for node in (trio.first, trio.theirs):
        # Never in the other's log: each alert has a label value of its own, taken out again below.
        name = f"PayloadOf{node.name.title()}"
        node.api.post_alerts(prometheus_alert(name, severity="page", path='C:\\dir "x" <&>'))
        (received, *_) = trio.sink.wait_for(name)
        alert = received.body["alerts"][0]
        assert len(alert.pop("fingerprint")) == 16
        assert alert.pop("startsAt").endswith("Z")
        text = repr(received.body).replace(node.url, "URL").replace(name, "NAME")
        bodies.append((text, received.headers.get("Content-Type"), sorted(received.body)))
    assert bodies[0] == bodies[1]


def test_each_node_counts_what_it_sent(trio: Trio) -> None:
    for node in (trio.first, trio.theirs):
        name = f"CountedBy{node.name.title()}"
        before = sent(node)
        node.api.post_alerts(prometheus_alert(name))
        trio.sink.wait_for(name)
        eventually(lambda: sent(node) > before, f"{node!r} counts its notification")  # noqa: B023


def sent(node: Node) -> float:
    return metric(node.api.metrics(), "alertmanager_notifications_total", integration="webhook")
