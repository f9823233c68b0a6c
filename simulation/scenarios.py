"""The stories that the simulator tells. Each takes a seed and a size and raises when it does not end well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from simulation.cluster import Cluster
from simulation.network import Conditions
from simulation.node import SimulatedNode
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Dead, MemberState, Suspect
from tocsin.gossip.wire.packet import PacketCodec

LOSSY = Conditions(latency=0.005, jitter=0.005, loss=0.2, duplication=0.05, reorder=0.05)
TWO_DEATHS_NOTICED = 10.0
"""Seconds of ``two_deaths``; one dead relay and one bad health score more than ``small_death`` has."""
ROGUE = Address("10.9.9.9", 9094)

Scenario = Callable[[int, int], Cluster]
SCENARIOS: dict[str, tuple[Scenario, int]] = {}
"""By name: the scenario and how many nodes it has unless told otherwise."""


def _scenario(nodes: int) -> Callable[[Scenario], Scenario]:
    def register(scenario: Scenario) -> Scenario:
        SCENARIOS[scenario.__name__] = (scenario, nodes)
        return scenario

    return register


@_scenario(nodes=100)
def join(seed: int, nodes: int) -> Cluster:
    """All start within a second and find each other; then nothing happens, and nobody is declared dead."""
    cluster = Cluster(seed, nodes, "join")
    cluster.start_all()
    cluster.run(15)
    cluster.require(cluster.checker.converged(), "the members drifted apart")
    cluster.require_no_false_death()
    return cluster


@_scenario(nodes=30)
def loss(seed: int, nodes: int) -> Cluster:
    """A fifth of all packets is lost, others doubled or late: relays and streams keep the members together.

    A refutation may miss one member, which then holds the suspect for dead until the next push/pull.
    """
    cluster = Cluster(seed, nodes, "loss", conditions=LOSSY)
    cluster.start_all()
    cluster.run(60)
    deaths = cluster.checker.false_deaths
    cluster.facts["false deaths"] = len(deaths)
    cluster.require(len(deaths) <= nodes // 10, f"{len(deaths)} false deaths, the first: {deaths[:1]}")
    cluster.until("all see all", cluster.checker.converged, 90)
    return cluster


@_scenario(nodes=20)
def crash(seed: int, nodes: int) -> Cluster:
    """A process dies without a word: everyone notices, and nobody else is blamed."""
    cluster = Cluster(seed, nodes, "crash")
    cluster.start_all()
    cluster.nodes[-1].crash()
    cluster.facts["crash noticed after"] = cluster.until("the death seen", cluster.checker.converged, 60)
    cluster.require_no_false_death()
    return cluster


@_scenario(nodes=3)
def small_death(seed: int, nodes: int) -> Cluster:
    """In a cluster of the usual size a member dies, or (every other seed) swallows all and answers nothing.

    All others hold it for dead within six seconds, always.
    """
    cluster = Cluster(seed, nodes, "small_death")
    cluster.start_all()
    cluster.run(cluster.world.random.uniform(5, 10))
    victim = cluster.nodes[-1]
    others = cluster.nodes[:-1]
    if seed % 2:
        victim.crash()
    else:
        cluster.network.partition([node.address for node in others])
    cluster.facts["noticed after"] = cluster.until(
        "the death seen", lambda: cluster.checker.converged(others), 6
    )
    victims = {death.subject for death in cluster.checker.false_deaths if death.observer != victim.name}
    cluster.require(victims <= {victim.name}, f"healthy members declared dead: {sorted(victims)}")
    return cluster


@_scenario(nodes=5)
def two_deaths(seed: int, nodes: int) -> Cluster:
    """Two members die, or (every other seed) swallow all; at once, or (every other pair) within a second.

    All others, of at least three, hold both for dead within so many seconds, and blame nobody else.
    """
    cluster = Cluster(seed, nodes, "two_deaths")
    cluster.start_all()
    cluster.run(cluster.world.random.uniform(5, 10))
    victims, others = cluster.nodes[-2:], cluster.nodes[:-2]
    for number, victim in enumerate(victims):
        if number and seed % 4 < 2:
            cluster.run(cluster.world.random.uniform(0, 1))
        if seed % 2:
            victim.crash()
        else:
            lost = victims[: number + 1]
            cluster.network.partition([node.address for node in cluster.nodes if node not in lost])
    cluster.facts["noticed after"] = cluster.until(
        "the deaths seen", lambda: cluster.checker.converged(others), TWO_DEATHS_NOTICED
    )
    gone = {node.name for node in victims}
    wrong = {d.subject for d in cluster.checker.false_deaths if d.observer not in gone} - gone
    cluster.require(not wrong, f"healthy members declared dead: {sorted(wrong)}")
    return cluster


def part_and_heal(cluster: Cluster, within: float) -> None:
    """Two halves lose each other, each makes news, the network heals: one cluster again, and all know all.

    ``within`` so many seconds each half, and then everybody, must have the right members.
    """
    cluster.start_all()
    middle = len(cluster.nodes) // 2
    halves = cluster.nodes[:middle], cluster.nodes[middle:]
    cluster.network.partition(*([node.address for node in half] for half in halves))
    cluster.facts["halves apart after"] = cluster.until(
        "each half sees only itself", lambda: all(map(cluster.checker.converged, halves)), within
    )
    rumours = [b"left", b"right"]
    for half, rumour in zip(halves, rumours, strict=True):
        half[0].spread(rumour)
    cluster.run(cluster.world.random.uniform(1, 60))
    cluster.network.heal()
    cluster.facts["one again after"] = cluster.until("all see all", cluster.checker.converged, within)
    cluster.facts["all know all after"] = cluster.until(
        "all know all", lambda: cluster.checker.all_know(rumours), 90
    )


@_scenario(nodes=20)
def partition(seed: int, nodes: int) -> Cluster:
    """Two halves lose each other, and are one cluster again once the network heals."""
    cluster = Cluster(seed, nodes, "partition")
    part_and_heal(cluster, 90)
    return cluster


@_scenario(nodes=10)
def restart(seed: int, nodes: int) -> Cluster:
    """One process is back before its death was noticed, one after: both refute the charges."""
    cluster = Cluster(seed, nodes, "restart")
    cluster.start_all()
    quick, slow = cluster.nodes[-2:]
    quick.set_meta(b"of the old life")
    cluster.run(3)
    quick.crash()
    cluster.run(0.2)
    quick.start()
    cluster.until("the quick one is back", cluster.checker.converged, 30)
    cluster.until("the old life is outbid", lambda: quick.endpoint.local.incarnation > 2, 30)
    slow.crash()
    cluster.until("the death seen", cluster.checker.converged, 60)
    cluster.run(cluster.world.random.uniform(0, 60))
    slow.start()
    cluster.facts["restarted one back after"] = cluster.until(
        "the slow one is back", cluster.checker.converged, 30
    )
    cluster.require_no_false_death()
    return cluster


@_scenario(nodes=10)
def accusation(seed: int, nodes: int) -> Cluster:
    """A stranger accuses members that are well: they refute, and all agree again."""
    cluster = Cluster(seed, nodes, "accusation")
    cluster.start_all()
    chance, codec = cluster.world.random, PacketCodec(label=b"", compression=False)
    for _ in range(5):
        victim, *told = chance.sample(cluster.nodes, 4)
        accuser = chance.choice([node.name for node in cluster.nodes if node is not victim])
        incarnation = victim.endpoint.local.incarnation + chance.choice([0, 0, 1, 7, 10**6])
        message: Suspect | Dead = Suspect(incarnation, victim.name, accuser)
        if chance.random() < 0.5:
            message = Dead(incarnation, victim.name, accuser)
        for node in told:
            for packet in codec.encode([encode_message(message)], checksum=False):
                node.packet_arrived(packet, ROGUE)
        cluster.until("the accused has refuted", partial(_outbid, victim, incarnation), 10)
        cluster.until("all see all", cluster.checker.converged, 10)
        cluster.until("all hold it for alive", partial(_alive, cluster, victim.name), 10)
    return cluster


@_scenario(nodes=16)
def slow_member(seed: int, nodes: int) -> Cluster:
    """One member is slow to look at its packets: it doubts itself, and does not talk others to death."""
    config = replace(GossipConfig(), stream_ping=False)
    cluster = Cluster(seed, nodes, "slow_member", config=config)
    cluster.start_all()
    slow = cluster.nodes[-1]
    chance = cluster.world.stream("slowness")
    slow.processing_delay = lambda: chance.choice([0.0, 0.6, 1.2, 2.5])
    highest = 0
    for _ in range(90):
        cluster.run(1)
        highest = max(highest, slow.endpoint.health_score)
    cluster.facts["highest health score"] = highest
    cluster.require(highest > 0, "the slow member did not notice that it is slow")
    victims = {death.subject for death in cluster.checker.false_deaths} - {slow.name}
    cluster.require(not victims, f"healthy members declared dead: {sorted(victims)}")
    slow.processing_delay = None
    cluster.until("all see all", cluster.checker.converged, 60)
    cluster.until("the slow one is well again", lambda: slow.endpoint.health_score == 0, 30)
    return cluster


@_scenario(nodes=20)
def leave(seed: int, nodes: int) -> Cluster:
    """Members leave on purpose: all others know at once, and know that they left."""
    cluster = Cluster(seed, nodes, "leave", conditions=LOSSY)
    cluster.start_all()
    leavers = cluster.nodes[-3:]
    for node in leavers:
        node.leave()
    cluster.facts["leaving known after"] = cluster.until("all know", cluster.checker.converged, 5)
    cluster.until("the leavers are gone", lambda: not any(node.running for node in leavers), 5)
    for node in cluster.checker.running():
        for leaver in leavers:
            member = node.endpoint.member(leaver.name)
            cluster.require(
                member is not None and member.state is MemberState.LEFT, f"{leaver.name} did not leave"
            )
    cluster.require_no_false_death()
    return cluster


@_scenario(nodes=30)
def broadcast(seed: int, nodes: int) -> Cluster:
    """Many rumours at once, a fifth of the packets lost: every member hears every one."""
    cluster = Cluster(seed, nodes, "broadcast", conditions=LOSSY)
    cluster.start_all()
    rumours = [f"rumour {number} ".encode() + b"x" * 150 for number in range(60)]
    for rumour in rumours:
        cluster.world.random.choice(cluster.nodes).spread(rumour)
    cluster.facts["all know all after"] = cluster.until(
        "all know all", lambda: cluster.checker.all_know(rumours), 40
    )
    cluster.until(
        "the queues are empty",
        lambda: all(node.endpoint.queued_user_broadcasts == 0 for node in cluster.nodes),
        60,
    )
    return cluster


def _outbid(node: SimulatedNode, incarnation: int) -> bool:
    return node.endpoint.local.incarnation > incarnation


def _alive(cluster: Cluster, name: str) -> bool:
    members = [node.endpoint.member(name) for node in cluster.checker.running()]
    return all(member is not None and member.state is MemberState.ALIVE for member in members)
