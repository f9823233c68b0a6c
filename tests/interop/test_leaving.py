"""Members go and come back: said goodbye, killed, started again; noticed by both kinds of node."""

import json
import os
from collections.abc import Iterator

import pytest

from tests.interop.conftest import Trio
from tests.support.api import matcher
from tests.support.eventually import eventually
from tests.support.node import Node, NodeKind, metric
from tests.support.tocsin_node import TOCSIN
from tocsin.cli.control import main

pytestmark = pytest.mark.interop

# Three real Alertmanagers may keep a killed member for ever: with TLS a failed dial is no failed probe
# to them. In a mixed cluster our nodes notice, and tell the others.
go_alone_may_not_notice = pytest.mark.xfail(
    os.environ.get("TOCSIN_INTEROP_OURS") == "alertmanager",
    reason="Alertmanagers among themselves may never notice a killed member",
    strict=False,
)

either = pytest.mark.parametrize("who", ["first", "theirs"])


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind, theirs: NodeKind) -> Iterator[Trio]:
    """A cluster of its own, which each test may harm and the next one finds healed."""
    with Trio(tmp_path_factory.mktemp("shaken")) as trio:
        yield trio.fill(ours, theirs)


@pytest.fixture(scope="module")
def polite(tmp_path_factory: pytest.TempPathFactory, ours: NodeKind, theirs: NodeKind) -> Iterator[Trio]:
    """As ``shaken``, but nobody probes anybody: only a goodbye can tell that a member has gone."""
    with Trio(tmp_path_factory.mktemp("polite"), flags={"cluster.probe-interval": "1h"}) as trio:
        yield trio.fill(ours, theirs)


def others(trio: Trio, who: Node) -> list[Node]:
    return [node for node in trio.nodes if node is not who]


@either
def test_a_goodbye_is_heard(polite: Trio, who: str) -> None:
    polite.heal()
    leaver: Node = getattr(polite, who)
    assert leaver.stop() == 0
    staying = others(polite, leaver)
    for node in staying:
        node.wait_members(staying)


@either
@go_alone_may_not_notice
def test_a_kill_is_noticed(shaken: Trio, who: str) -> None:
    shaken.heal()
    victim: Node = getattr(shaken, who)
    victim.kill()
    staying = others(shaken, victim)
    for node in staying:
        node.wait_members(staying, deadline=60.0)


@either
@go_alone_may_not_notice
def test_who_was_killed_comes_back(shaken: Trio, who: str) -> None:
    """At its old address, and by its old name if it has a fixed one: it must outbid its own death."""
    shaken.heal()
    victim: Node = getattr(shaken, who)
    victim.kill()
    staying = others(shaken, victim)
    for node in staying:
        node.wait_members(staying, deadline=60.0)
    victim.restart()
    shaken.wait_whole()


@either
def test_what_happened_meanwhile_is_caught_up(shaken: Trio, who: str) -> None:
    shaken.heal()
    away: Node = getattr(shaken, who)
    away.stop()
    staying = others(shaken, away)
    made = [node.api.post_silence([matcher("alertname", f"Meanwhile{node.name}")]) for node in staying]
    away.restart()
    for id_ in made:
        eventually(lambda id_=id_: away.api.silence(id_), f"{id_} on {away!r}")  # type: ignore[misc]


@either
def test_a_quick_restart(shaken: Trio, who: str) -> None:
    """Killed and started again before anybody can have noticed."""
    shaken.heal()
    victim: Node = getattr(shaken, who)
    victim.kill()
    victim.restart()
    shaken.wait_whole()
    id_ = victim.api.post_silence([matcher("alertname", f"QuickRestart{who}")])
    for node in others(shaken, victim):
        eventually(lambda node=node: node.api.silence(id_), f"a new silence on {node!r}")  # type: ignore[misc]


@go_alone_may_not_notice
def test_a_node_that_nobody_names_is_dialled_again(shaken: Trio) -> None:
    """The first node lists no peers: after its restart it is the others that find it."""
    shaken.heal()
    assert shaken.first.peers == []
    shaken.first.kill()
    staying = others(shaken, shaken.first)
    for node in staying:
        node.wait_members(staying, deadline=60.0)
    shaken.first.restart()
    shaken.first.wait_members(shaken.nodes)


def test_who_was_killed_and_forgotten_is_missed_no_more_and_may_come_back(
    shaken: Trio, ours: NodeKind, capfd: pytest.CaptureFixture[str]
) -> None:
    if ours is not TOCSIN:
        pytest.skip("an Alertmanager forgets by itself only")
    shaken.heal()
    first, theirs, victim = shaken.first, shaken.theirs, shaken.last

    def forget(peer: str, status: int) -> list[str]:
        urls = [f"--alertmanager.url={first.url}", f"--peer.url={theirs.url}"]
        capfd.readouterr()
        found = main(["cluster", "forget", peer, "-o", "json", *urls])
        out, err = capfd.readouterr()
        assert found == status, out + err
        return [row["result"] for row in json.loads(out)]

    address = victim.cluster_address
    assert forget(address, status=1) == ["refused", "cannot"], "it is alive"
    victim.kill()
    failed = "alertmanager_cluster_failed_peers"
    eventually(lambda: metric(first.api.metrics(), failed) == 1, "the killed one is missed", deadline=60.0)
    assert forget(address, status=0) == ["forgotten", "cannot"]
    assert metric(first.api.metrics(), failed) == 0
    assert first.api.http.get("/api/tocsin/v1/cluster").json()["missing"] == []
    assert forget(address, status=1) == ["not missing", "cannot"]
    victim.restart()
    first.wait_members(shaken.nodes)
