"""The testing kit: time jumps, networks have faults, seeds replay."""

from __future__ import annotations

import asyncio
import time

import pytest

from tocsin.gossip import Address, GossipConfig, MemberState
from tocsin.gossip.testing import Cluster, FaultyNetwork, run, simulate

pytest_plugins = ["pytester"]
A, B, C = (Address(f"192.0.2.{number}", 7946) for number in (1, 2, 3))


def test_an_hour_passes_at_once() -> None:
    async def main() -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time() - began

    began = time.monotonic()
    assert run(main, timeout=4000) == pytest.approx(3600)
    assert time.monotonic() - began < 3600


def test_a_scenario_that_does_not_end_has_a_deadline_in_virtual_time() -> None:
    async def scenario(cluster: Cluster) -> None:
        await asyncio.sleep(100)

    with pytest.raises(TimeoutError):
        simulate(scenario, timeout=10)


def test_threads_may_bring_work_while_nothing_is_due() -> None:
    async def main() -> str:
        return await asyncio.get_running_loop().run_in_executor(None, lambda: "done")

    assert run(main) == "done"


def test_partitions_divide_and_heal() -> None:
    network = FaultyNetwork()
    network.partition([A], [B])
    assert not network.carries(A, B)
    assert not network.carries(A, C)
    network.heal()
    network.cut_off(A)
    assert not network.carries(A, B)
    assert network.carries(B, C)


def test_packets_are_lost_doubled_and_late_by_chance() -> None:
    network = FaultyNetwork(seed=1, latency=1, jitter=1, loss=0.5, duplication=0.5)
    found = [network.arrivals(A, B) for _ in range(200)]
    assert {len(each) for each in found} == {0, 1, 2}
    assert all(1 <= delay <= 2 for each in found for delay in each)
    again = FaultyNetwork(seed=1, latency=1, jitter=1, loss=0.5, duplication=0.5)
    assert found == [again.arrivals(A, B) for _ in range(200)]


def test_a_silent_member_is_suspected_and_dies() -> None:
    async def scenario(cluster: Cluster) -> None:
        alice, bob, carol = await cluster.members("alice", "bob", "carol")
        cluster.network.cut_off(bob.local.address)
        await alice.wait_for_members(lambda members: len(members) == 2, timeout=120)
        dead = alice.endpoint.member("bob")
        assert dead is not None
        assert dead.state is MemberState.DEAD
        cluster.network.heal()
        await carol.join([bob.local.address])
        await alice.wait_for_members(3, timeout=120)

    simulate(scenario, config=GossipConfig.lan())


def test_the_plugin_gives_the_fixture(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["tocsin.gossip.testing.plugin"]')
    pytester.makepyfile(
        """
        def test_two(simulate):
            async def scenario(cluster):
                alice, bob = await cluster.members("alice", "bob")
                assert len(alice.members) == 2
            simulate(scenario, seed=1)
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
