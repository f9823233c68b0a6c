"""For tests of programs that use the library: time that passes at once, and a network with faults.

A scenario is a coroutine function that is given a :class:`Cluster`::

    from tocsin.gossip.testing import Cluster, simulate

    async def a_dead_member_is_noticed(cluster: Cluster) -> None:
        alice, bob = await cluster.members("alice", "bob")
        cluster.network.cut_off(bob.local.address)
        await alice.wait_for_members(1, timeout=60)

    simulate(a_dead_member_is_noticed, seed=7)

A minute of the cluster takes as long as its work. For pytest there is a fixture ``simulate``: a conftest.py
gets it by ``pytest_plugins = ["tocsin.gossip.testing.plugin"]``.
"""

from __future__ import annotations

from tocsin.gossip.testing.clock import VirtualTimeLoop, run
from tocsin.gossip.testing.cluster import Cluster, Scenario, simulate
from tocsin.gossip.testing.network import FaultyNetwork

__all__ = ["Cluster", "FaultyNetwork", "Scenario", "VirtualTimeLoop", "run", "simulate"]
