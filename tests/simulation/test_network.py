"""The simulated network does what it says."""

from __future__ import annotations

from simulation.network import Conditions, Network
from simulation.world import World
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import ExchangeKind, OpenStream

A, B = Address("10.0.0.1", 1), Address("10.0.0.2", 1)


class Recorder:
    """A host that answers every stream with what came, and notes everything."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.undeliverable: list[Address] = []
        self.answers: list[tuple[bytes, ...] | None] = []
        self.failures: list[str] = []

    def packet_arrived(self, data: bytes, source: Address) -> None:
        self.packets.append(data)

    def packet_undeliverable(self, destination: Address) -> None:
        self.undeliverable.append(destination)

    def stream_arrived(self, writes: tuple[bytes, ...], source: Address) -> tuple[bytes, ...]:
        return writes

    def stream_answered(self, exchange: int, writes: tuple[bytes, ...] | None) -> None:
        self.answers.append(writes)

    def stream_broken(self, exchange: int, reason: str) -> None:
        self.failures.append(reason)


def pair(conditions: Conditions, *, failures_known: bool = True) -> tuple[World, Network, Recorder, Recorder]:
    world = World(1)
    network = Network(world, conditions, failures_known=failures_known)
    a, b = Recorder(), Recorder()
    network.attach(A, a)
    network.attach(B, b)
    return world, network, a, b


def stream(deadline: float = 10.0) -> OpenStream:
    return OpenStream(1, ExchangeKind.JOIN, B, "", (b"hello",), expects_reply=True, deadline=deadline)


def test_loss_and_duplication_take_their_share() -> None:
    world, network, _, b = pair(Conditions(loss=0.2, duplication=0.1))
    for _ in range(2000):
        network.send_packet(A, B, b"x")
    world.run(10)
    assert 1650 < len(b.packets) < 1870  # 2000 x 0.8 x 1.1 = 1760


def test_packets_overtake_each_other_only_when_told_to() -> None:
    numbers = [b"%03d" % n for n in range(100)]
    for conditions, ordered in ((Conditions(jitter=0.0), True), (Conditions(jitter=0.0, reorder=0.1), False)):
        world, network, _, b = pair(conditions)
        for number in numbers:
            network.send_packet(A, B, number)
        world.run(10)
        assert (b.packets == numbers) is ordered
        assert sorted(b.packets) == numbers


def test_a_partition_swallows_and_a_cut_works_one_way() -> None:
    world, network, a, b = pair(Conditions())
    network.partition([A], [B])
    network.send_packet(A, B, b"lost")
    network.open_stream(A, stream())
    world.run(20)
    assert (b.packets, a.failures) == ([], ["timed out"])
    network.heal()
    network.cuts.add((A, B))
    network.send_packet(A, B, b"lost")
    network.send_packet(B, A, b"heard")
    world.run(1)
    assert (a.packets, b.packets) == ([b"heard"], [])


def test_where_nobody_listens_is_known_only_to_connections() -> None:
    for known in (True, False):
        world, network, a, _ = pair(Conditions(), failures_known=known)
        network.detach(B)
        network.send_packet(A, B, b"x")
        network.open_stream(A, stream())
        world.run(20)
        assert a.undeliverable == ([B] if known else [])
        assert a.failures == ["connection refused"]


def test_a_stream_has_one_outcome_and_none_for_a_process_that_is_gone() -> None:
    world, network, a, _ = pair(Conditions(loss=0.5))
    network.open_stream(A, stream(60.0))
    world.run(100)
    assert (a.answers, a.failures) == ([(b"hello",)], [])
    network.open_stream(A, stream(200.0))
    network.detach(A)
    network.attach(A, reborn := Recorder())
    world.run(200)
    assert (reborn.answers, reborn.failures) == ([], [])


def test_links_can_have_conditions_of_their_own() -> None:
    world, network, a, b = pair(Conditions())
    network.links[A, B] = Conditions(loss=1.0)
    network.send_packet(A, B, b"x")
    network.send_packet(B, A, b"y")
    world.run(1)
    assert (a.packets, b.packets) == ([b"y"], [])
