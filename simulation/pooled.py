"""Real endpoints over bounded pools of connections: what the model is held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulation.connections import Pools
from simulation.dissemination import DIAL_TRIPS, EAGER_INTERVAL, LATENCY
from simulation.network import Conditions, Network
from simulation.node import SimulatedNode
from simulation.sizes import HANDSHAKE, RUMOUR, TLS_RECORD, framed
from simulation.world import World
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.effects import Event, MemberLeft, OpenStream
from tocsin.gossip.wire.messages import MemberState

JOINING: Final = 1.0
"""Seconds within which all nodes start."""
SEEDS: Final = 3
FRESH: Final = 1.0
"""A push/pull carries rumours of so many seconds: as with digests, it does not grow with the state."""


class PooledNetwork(Network):
    """Counts bytes and connections; what needs a dial comes later by the time that takes."""

    def __init__(self, world: World, addresses: list[Address], limit: int) -> None:
        super().__init__(world, Conditions(latency=LATENCY, jitter=0.0), failures_known=True)
        self.pools = Pools(len(addresses), limit)
        self.bytes_sent = 0
        self._clock = world
        self._numbers = {address: number for number, address in enumerate(addresses)}

    def send_packet(self, source: Address, destination: Address, data: bytes) -> None:
        """Send a packet, after a dial if need be."""
        self.bytes_sent += framed(data)
        send = super().send_packet
        self._connect(source, destination, lambda: send(source, destination, data))

    def open_stream(self, source: Address, action: OpenStream) -> None:
        """Open a stream on the connection, after a dial if need be."""
        self.streamed(tuple(action.writes))
        open_stream = super().open_stream
        self._connect(source, action.destination, lambda: open_stream(source, action))

    def streamed(self, writes: tuple[bytes, ...]) -> None:
        """So much was written on a stream."""
        self.bytes_sent += sum(len(data) + TLS_RECORD for data in writes)

    def _connect(self, source: Address, destination: Address, send: Callable[[], None]) -> None:
        if self.pools.use(self._numbers[source], self._numbers[destination]):
            self.bytes_sent += HANDSHAKE
            self._clock.after(DIAL_TRIPS * LATENCY, send)
        else:
            send()


class _Connections:
    """What a transport tells its endpoint."""

    def __init__(self, pools: Pools, addresses: list[Address], number: int) -> None:
        self._pools = pools
        self._addresses = addresses
        self._number = number

    @property
    def connection_limit(self) -> int:
        """The pool's bound."""
        return self._pools.limit

    def connected(self) -> list[Address]:
        """The destinations that a packet reaches without a dial."""
        return [self._addresses[peer] for peer in self._pools.peers(self._number)]


class PooledCluster:
    """Real endpoints behind the interface of the model, :class:`.dissemination.Dissemination`."""

    def __init__(
        self, size: int, limit: int, seed: int, config: GossipConfig, *, biased: bool, eager: bool
    ) -> None:
        self.size = size
        self.times: dict[int, float] = {}
        self.deaths = 0
        """Members that some node declared dead; wrongly, as all are alive."""
        self.eager = eager
        self.world = World(seed)
        addresses = [
            Address(f"10.{100 + i // 10000}.{100 + i // 100 % 100}.{100 + i % 100}", 9094)
            for i in range(size)
        ]
        self.network = PooledNetwork(self.world, addresses, limit)
        self.pools = self.network.pools
        self._born: list[float] = []
        self._knowing: list[int] = []
        self.nodes = [
            PooledNode(self, config, f"node-{i:05}", address, addresses[:SEEDS])
            for i, address in enumerate(addresses)
        ]
        for number, node in enumerate(self.nodes):
            if biased:
                node.connections = _Connections(self.pools, addresses, number)
            delay = 0.01 * number if number < SEEDS else 0.1 + self.world.random.random() * JOINING
            self.world.after(delay, node.start)

    @property
    def bytes_sent(self) -> int:
        """Sent by all nodes, without TCP and IP."""
        return self.network.bytes_sent

    @property
    def complete(self) -> bool:
        """Everyone knows everyone."""
        return all(len(node.endpoint.members()) == self.size for node in self.nodes)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.world.run(seconds)

    def spread(self, node: int) -> int:
        """A rumour is born at ``node``; its number."""
        rumour = len(self._born)
        self._born.append(self.world.now)
        self._knowing.append(0)
        self.nodes[node].spread(b"%08d" % rumour + bytes(RUMOUR - 8))
        return rumour

    def learned(self, payload: bytes) -> None:
        """One more node knows a rumour."""
        rumour = int(payload[:8])
        self._knowing[rumour] += 1
        if self._knowing[rumour] == self.size:
            self.times[rumour] = self.world.now - self._born[rumour]

    def observed(self, node: SimulatedNode, event: Event) -> None:  # noqa: ARG002
        """A node reported an event."""
        if isinstance(event, MemberLeft) and event.member.state is MemberState.DEAD:
            self.deaths += 1


class PooledNode(SimulatedNode):
    """Gossips a new rumour at once, as the asyncio driver does, if the cluster is ``eager``."""

    def __init__(
        self, cluster: PooledCluster, config: GossipConfig, name: str, address: Address, seeds: list[Address]
    ) -> None:
        super().__init__(cluster.world, cluster.network, config, name, address, seeds, cluster)
        self._cluster = cluster
        self._eager_armed = False
        self._not_before = 0.0

    def stream_arrived(self, writes: tuple[bytes, ...], source: Address) -> tuple[bytes, ...]:
        """A stream came; the answer is counted."""
        answer = super().stream_arrived(writes, source)
        self._cluster.network.streamed(answer)
        return answer

    def _learn(self, rumour: bytes) -> None:
        news = bool(rumour) and rumour not in self.rumours
        super()._learn(rumour)
        if not news:
            return
        self._cluster.learned(rumour)
        if self._cluster.eager:
            self._arm_burst()

    def _arm_burst(self) -> None:
        if not self._eager_armed:
            self._eager_armed = True
            self._cluster.world.schedule(self._not_before, self._burst)

    def _burst(self) -> None:
        self._eager_armed = False
        self._not_before = self._cluster.world.now + EAGER_INTERVAL
        if self.endpoint.gossip_fresh():
            self._arm_burst()
        self._pump()

    def _state(self, join: bool) -> bytes:  # noqa: ARG002
        fresh = self._cluster.world.now - FRESH
        return b"\n".join(rumour for rumour, since in self.rumours.items() if since > fresh)
