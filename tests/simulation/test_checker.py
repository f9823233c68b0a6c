"""The checker must notice what it is there for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulation.cluster import BrokenRunError, Cluster
from tocsin.gossip.wire.messages import Dead, MemberState


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(1, 4, "join")
    cluster.start_all()
    return cluster


def test_it_sees_a_false_death(cluster: Cluster) -> None:
    observer, victim = cluster.nodes[:2]
    cluster.require_no_false_death()
    for node in (observer, victim):
        cluster.network.partition([node.address])
    cluster.run(40)
    assert victim.name in {death.subject for death in cluster.checker.false_deaths}
    with pytest.raises(BrokenRunError, match="false death"):
        cluster.require_no_false_death()


def test_it_sees_an_incarnation_fall(cluster: Cluster) -> None:
    membership = cluster.nodes[0].endpoint._table
    member = membership.get(cluster.nodes[1].name)
    assert member is not None
    membership.store(replace(member, incarnation=9))
    assert cluster.checker.audit() == ""
    membership.store(replace(member, incarnation=8))
    assert "now 8" in cluster.checker.audit()


def test_it_sees_a_node_that_believes_itself_dead(cluster: Cluster) -> None:
    membership = cluster.nodes[0].endpoint._table
    membership.store(replace(membership.local, state=MemberState.DEAD))
    with pytest.raises(BrokenRunError, match="believes itself DEAD"):
        cluster.run(1)


def test_it_sees_disagreement(cluster: Cluster) -> None:
    assert cluster.checker.converged()
    victim = cluster.nodes[1]
    membership = cluster.nodes[0].endpoint._membership
    dead = Dead(victim.endpoint.local.incarnation, victim.name, "x")
    membership.apply_dead(dead, cluster.world.now, victim.address)
    assert not cluster.checker.converged()
    assert victim.name in cluster.checker.disagreement()
