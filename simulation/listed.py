"""Stories of clusters whose membership is what discovery lists (:mod:`tocsin.gossip.core.listed`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simulation.cluster import Cluster
from simulation.network import Conditions
from simulation.node import SimulatedNode
from simulation.scenarios import LOSSY, ROGUE, Scenario, part_and_heal
from tocsin.gossip.address import Address
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Alive, Dead, MemberState, Suspect
from tocsin.gossip.wire.packet import PacketCodec

LISTED_SCENARIOS: dict[str, tuple[Scenario, int]] = {}
"""By name: the scenario and how many nodes it has unless told otherwise."""


def _scenario(nodes: int) -> Callable[[Scenario], Scenario]:
    def register(scenario: Scenario) -> Scenario:
        LISTED_SCENARIOS[scenario.__name__] = (scenario, nodes)
        return scenario

    return register


def _cluster(
    seed: int,
    size: int,
    scenario: str,
    conditions: Conditions | None = None,
    *,
    failures_known: bool = True,
) -> Cluster:
    cluster = Cluster(seed, size, scenario, conditions=conditions, failures_known=failures_known)
    everybody = [node.address for node in cluster.nodes]
    for node in cluster.nodes:
        node.listed = list(everybody)
    return cluster


@_scenario(nodes=30)
def listed_loss(seed: int, nodes: int) -> Cluster:
    """A fifth of all packets is lost: streams decide, so nobody is given up whose process runs."""
    cluster = _cluster(seed, nodes, "listed_loss", LOSSY)
    cluster.start_all()
    rumours = [f"rumour {number}".encode() for number in range(20)]
    for rumour in rumours:
        cluster.world.random.choice(cluster.nodes).spread(rumour)
    cluster.facts["all know all after"] = cluster.until(
        "all know all", lambda: cluster.checker.all_know(rumours), 60
    )
    cluster.run(60)
    cluster.require_no_false_death()
    cluster.require(cluster.checker.converged(), "the members drifted apart")
    return cluster


@_scenario(nodes=20)
def listed_crash(seed: int, nodes: int) -> Cluster:
    """A process dies without a word: all find out by themselves; it comes back, and all find that out."""
    cluster = _cluster(seed, nodes, "listed_crash")
    cluster.start_all()
    victim = cluster.nodes[-1]
    victim.crash()
    cluster.facts["crash noticed after"] = cluster.until("the death seen", cluster.checker.converged, 10)
    cluster.run(cluster.world.random.uniform(0, 30))
    victim.start()
    cluster.facts["back after"] = cluster.until("it is back", cluster.checker.converged, 5)
    cluster.require_no_false_death()
    return cluster


@_scenario(nodes=12)
def listed_datagrams(seed: int, nodes: int) -> Cluster:
    """A fifth of all packets is lost, and nobody told, as with UDP: crashes are noticed, and nothing else."""
    cluster = _cluster(seed, nodes, "listed_datagrams", LOSSY, failures_known=False)
    cluster.start_all()
    for victim in cluster.nodes[-2:]:
        cluster.run(20)
        cluster.require_no_false_death()
        victim.crash()
        cluster.facts["crash noticed after"] = cluster.until("the death seen", cluster.checker.converged, 10)
        victim.start()
        cluster.until("it is back", cluster.checker.converged, 10)
    cluster.require_no_false_death()
    return cluster


@_scenario(nodes=20)
def listed_partition(seed: int, nodes: int) -> Cluster:
    """Two halves lose each other, and are one cluster again once the network heals."""
    cluster = _cluster(seed, nodes, "listed_partition")
    part_and_heal(cluster, 30)
    return cluster


@_scenario(nodes=12)
def listed_churn(seed: int, nodes: int) -> Cluster:
    """The lists change all the time, on each node at another moment, and processes come and go.

    At no time has a node a member that its list has not. When the lists rest, all agree.
    """
    cluster = _cluster(seed, nodes, "listed_churn")
    chance = cluster.world.stream("churn")
    everybody = [node.address for node in cluster.nodes]
    for node in cluster.nodes[:3]:
        node.start()
    for _ in range(120):
        node = chance.choice(cluster.nodes)
        match chance.randrange(4):
            case 0 if node.running:
                node.crash()
            case 1 if not node.running:
                node.start()
            case _:
                node.list_peers(chance.sample(everybody, chance.randrange(1, nodes)))
        cluster.run(chance.uniform(0, 3))
        _require_listed(cluster)
    for node in cluster.nodes:
        if not node.running:
            node.start()
        node.list_peers(everybody)
    cluster.facts["agreed after"] = cluster.until("all see all", cluster.checker.converged, 30)
    cluster.require_no_false_death()
    return cluster


@_scenario(nodes=6)
def listed_disagreement(seed: int, nodes: int) -> Cluster:
    """Each lists only its successor: each sees its own list, and news goes round all the same."""
    cluster = _cluster(seed, nodes, "listed_disagreement")
    everybody = [node.address for node in cluster.nodes]
    for number, node in enumerate(cluster.nodes):
        node.listed = [node.address, everybody[(number + 1) % nodes]]
        node.start()
    cluster.until(
        "each sees whom it lists", lambda: all(len(n.endpoint.members()) == 2 for n in cluster.nodes), 20
    )
    cluster.run(30)
    _require_listed(cluster)
    cluster.nodes[0].spread(b"news")
    cluster.facts["all know all after"] = cluster.until(
        "all know all", lambda: cluster.checker.all_know([b"news"]), 120
    )
    for node in cluster.nodes:
        node.list_peers(everybody)
    cluster.facts["agreed after"] = cluster.until("all see all", cluster.checker.converged, 10)
    cluster.require_no_false_death()
    return cluster


@_scenario(nodes=8)
def listed_rogue(seed: int, nodes: int) -> Cluster:
    """A stranger conjures members up and talks others dead: nothing comes of it, not for a moment."""
    cluster = _cluster(seed, nodes, "listed_rogue")
    cluster.start_all()
    chance, codec = cluster.world.random, PacketCodec(label=b"", compression=False)
    versions = bytes((1, 5, 2, 0, 0, 0))
    for number in range(300):
        victim, told = chance.sample(cluster.nodes, 2)
        incarnation = chance.choice([1, 7, 10**6])
        phantom = Address(f"10.8.{number % 250}.1", 9094)
        lies: list[Alive | Suspect | Dead] = [
            Alive(incarnation, f"phantom-{number}", phantom.packed, 9094, b"", versions),
            Alive(incarnation, victim.name, phantom.packed, 9094, b"", versions),
            Suspect(incarnation, victim.name, told.name),
            Dead(incarnation, victim.name, told.name),
            Dead(incarnation, victim.name, victim.name),
        ]
        message = chance.choice(lies)
        for packet in codec.encode([encode_message(message)], checksum=False):
            told.packet_arrived(packet, ROGUE)
        cluster.require(cluster.checker.converged(), f"{told.name} believed {message}")
        cluster.run(0.1)
    cluster.require(all(node.endpoint.known == nodes for node in cluster.nodes), "phantoms are known")
    cluster.require_no_false_death()
    return cluster


@_scenario(nodes=20)
def listed_leave(seed: int, nodes: int) -> Cluster:
    """Members leave on purpose: the others know that they left."""
    cluster = _cluster(seed, nodes, "listed_leave", LOSSY)
    cluster.start_all()
    leavers = cluster.nodes[-3:]
    for node in leavers:
        node.leave()
    cluster.facts["leaving known after"] = cluster.until("all know", cluster.checker.converged, 10)
    cluster.until("the leavers are gone", lambda: not any(node.running for node in leavers), 5)
    left = [node.endpoint.member(leaver.name) for node in cluster.checker.running() for leaver in leavers]
    told = sum(member is not None and member.state is MemberState.LEFT for member in left)
    cluster.facts["goodbyes heard of 100"] = 100 * told / len(left)
    cluster.require(2 * told > len(left), "goodbyes were not heard")
    return cluster


@_scenario(nodes=10)
def listed_pause(seed: int, nodes: int) -> Cluster:
    """A process sleeps for a while: it is given up and found again, and gives nobody up when it wakes."""
    cluster = _cluster(seed, nodes, "listed_pause")
    cluster.start_all()
    sleeper = cluster.nodes[-1]
    sleeper.pause(cluster.world.random.uniform(5, 60))
    cluster.run(61)
    cluster.until("all see all", cluster.checker.converged, 30)
    wrong = [death for death in cluster.checker.false_deaths if death.observer == sleeper.name]
    cluster.require(not wrong, f"the sleeper gave up others: {wrong[:1]}")
    return cluster


@_scenario(nodes=12)
def listed_among_swim(seed: int, nodes: int) -> Cluster:
    """Every other node speaks SWIM: each kind holds the other for members, over loss, crashes and time."""
    cluster = _cluster(seed, nodes, "listed_among_swim", Conditions(loss=0.02))
    for node in cluster.nodes[::2]:
        node.listed = None
    cluster.start_all()
    cluster.run(120)
    cluster.require_no_false_death()
    cluster.require(cluster.checker.converged(), "the members drifted apart")
    for victim in cluster.nodes[-2:]:
        victim.crash()
        cluster.until("the death seen", cluster.checker.converged, 60)
        victim.start()
        cluster.until("it is back", cluster.checker.converged, 60)
    cluster.nodes[0].spread(b"of swim")
    cluster.nodes[1].spread(b"of discovery")
    cluster.until("all know all", lambda: cluster.checker.all_know([b"of swim", b"of discovery"]), 60)
    return cluster


def _require_listed(cluster: Cluster, nodes: Iterable[SimulatedNode] | None = None) -> None:
    for node in nodes or cluster.nodes:
        if node.running and node.listed is not None:
            strangers = {m.address for m in node.endpoint.members()} - {*node.listed, node.address}
            cluster.require(not strangers, f"{node.name} has members that it does not list: {strangers}")
