"""DTLS handshakes over networks that drop, double, delay and alter datagrams: many seeds, virtual time."""

from __future__ import annotations

import pytest

from tests.support.dtls import HOSTS, Faults, Node, World, config_for

LOSSY = Faults(drop=0.3, delay=0.01, jitter=0.02)
SHUFFLED = Faults(duplicate=0.3, delay=0.01, jitter=0.5)
NOISY = Faults(corrupt=0.1, truncate=0.03, delay=0.01)
TERRIBLE = Faults(drop=0.25, duplicate=0.25, corrupt=0.05, truncate=0.02, delay=0.01, jitter=0.4)
NETWORKS = {"lossy": LOSSY, "shuffled": SHUFFLED, "noisy": NOISY, "terrible": TERRIBLE}
SEEDS = 100
PER_RUN = 10
QUICK = 10
FIRST = [
    pytest.param(first, marks=[pytest.mark.slow] if first >= QUICK else [])
    for first in range(0, SEEDS, PER_RUN)
]
"""Of so many seeds each; those past QUICK are for the slow tests."""


def talk(world: World, nodes: list[Node], seconds: float) -> dict[bytes, tuple[int, int]]:
    """All send to all, every 0.5 s. What was sent, by whom and to whom."""
    sent: dict[bytes, tuple[int, int]] = {}
    end = world.now + seconds
    while world.now < end:
        for i, one in enumerate(nodes):
            for j, other in enumerate(nodes):
                if one is not other:
                    packet = b"%d to %d at %r " % (i, j, world.now) + bytes(world.random.randrange(1300))
                    sent[packet] = i, j
                    one.send(other, packet)
        world.run(0.5)
    return sent


def check(world: World, nodes: list[Node], sent: dict[bytes, tuple[int, int]]) -> None:
    """Nothing that was not sent arrives, nothing twice, nothing at the wrong place, nothing too long."""
    assert world.longest <= 1400
    for j, node in enumerate(nodes):
        assert len(set(node.data)) == len(node.data)
        for packet, source in node.packets:
            i, to = sent[packet]
            assert to == j
            assert source == nodes[i].listen


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("network", NETWORKS)
def test_handshakes_come_through(network: str, first: int) -> None:
    for seed in range(first, first + PER_RUN):
        world = World(seed, NETWORKS[network])
        nodes = [Node(world, host) for host in HOSTS[:3]]
        sent = talk(world, nodes, 10.0)
        check(world, nodes, sent)
        world.faults = Faults()  # The network has mended: now everybody is to reach everybody.
        more = talk(world, nodes, 12.0)
        check(world, nodes, sent | more)
        late = talk(world, nodes, 1.0)
        world.run(1.0)
        check(world, nodes, sent | more | late)
        for packet, (_, to) in late.items():
            assert packet in nodes[to].data, (
                f"seed {seed}: {packet[:30]!r} did not arrive over a good network"
            )
        for node in nodes:
            assert node.statistics.dtls.handshakes_inbound_pending <= 2
            assert node.statistics.dtls.associations_outbound == 2


@pytest.mark.parametrize("first", FIRST)
def test_most_handshakes_come_through_while_a_third_of_all_datagrams_is_lost(first: int) -> None:
    for seed in range(first, first + PER_RUN):
        world = World(seed, LOSSY)
        a, b = Node(world, HOSTS[0]), Node(world, HOSTS[1])
        n = 0

        def heard(a: Node = a, b: Node = b) -> bool:
            return bool(a.packets and b.packets)

        while not world.run(0.5, heard):
            n += 1
            assert n < 60, f"seed {seed}: no packet came through in 30 s"
            a.send(b, b"a %d" % n)
            b.send(a, b"b %d" % n)
        assert not a.statistics.refusals
        assert not a.statistics.refused_by_peer


@pytest.mark.parametrize("first", FIRST)
def test_a_peer_that_crashes_and_comes_back_is_reached_again(first: int) -> None:
    for seed in range(first, first + PER_RUN):
        world = World(seed, LOSSY)
        config = config_for()
        a, b = Node(world, HOSTS[0], config=config), Node(world, HOSTS[1], config=config)
        talk(world, [a, b], 8.0)
        world.detach(b)
        talk(world, [a], 1.0)
        same_port = world.random.random() < 0.5
        reborn = Node(world, HOSTS[1], config=config, dial_port=40000 if same_port else 41000)
        n = 0

        def heard(a: Node = a, reborn: Node = reborn) -> bool:
            return bool([each for each in a.data if each.startswith(b"again")] and reborn.packets)

        while not world.run(0.5, heard):
            n += 1
            assert n < 60, f"seed {seed}: not reached in 30 s"
            a.send(reborn, b"again %d" % n)
            reborn.send(a, b"again %d" % n)
