"""Nodes that speak DTLS over a network of virtual time: datagrams are lost, doubled, late and altered."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from tests.support.certificates import CertificateAuthority
from tocsin.gossip.address import Address
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.transport.dtls.context import DTLSContexts
from tocsin.gossip.transport.dtls.cookies import Cookies
from tocsin.gossip.transport.dtls.incoming import Incoming
from tocsin.gossip.transport.dtls.outgoing import Outgoing
from tocsin.gossip.transport.dtls.settings import DTLSTransportConfig, DTLSTransportStatistics
from tocsin.gossip.transport.tls.settings import TLSTransportConfig
from tocsin.tls.identity import ClusterIdentity
from tocsin.tls.refusal import RefusalError
from tocsin.tls.settings import ClusterTLSConfig

PORT = 9094


@cache
def authority() -> CertificateAuthority:
    """One for all tests."""
    return CertificateAuthority()


HOSTS = [f"10.0.0.{number}" for number in range(1, 10)]


@cache
def shared_tls() -> ClusterTLSConfig:
    """One certificate for all hosts."""
    return authority().cluster_config(authority().issue(*HOSTS))


@cache
def shared_contexts() -> DTLSContexts:
    """Made once: contexts are not changed by use."""
    return DTLSContexts(ClusterIdentity(shared_tls()))


def config_for(**changes: object) -> DTLSTransportConfig:
    """The defaults, with changes; ``tls_...`` are the TLS transport's."""
    tls = {key.removeprefix("tls_"): value for key, value in changes.items() if key.startswith("tls_")}
    own = {key: value for key, value in changes.items() if not key.startswith("tls_")}
    base = TLSTransportConfig(listen_address=Address("127.0.0.1", 0))
    return DTLSTransportConfig(tls=replace(base, **tls), **own)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Faults:
    """Chances, for each datagram."""

    drop: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    truncate: float = 0.0
    delay: float = 0.001
    jitter: float = 0.0
    """Seconds, at most: with more than the gap between two datagrams it changes their order."""


class Node:
    """One node: a listening socket's address, a dialling one's."""

    def __init__(
        self,
        world: World,
        host: str,
        *,
        contexts: DTLSContexts | None = None,
        config: DTLSTransportConfig | None = None,
        dial_port: int = 40000,
    ) -> None:
        self.world = world
        self.listen = Address(host, PORT)
        self.dials = Address(host, dial_port)
        self.statistics = DTLSTransportStatistics()
        contexts = contexts or shared_contexts()
        config = config or config_for()
        secrets = random.Random(world.random.random())
        self.incoming = Incoming(config, contexts, Cookies(lambda: secrets.randbytes(32)), self.statistics)
        self.outgoing = Outgoing(config, contexts, self.statistics, secrets, PORT)
        self.packets: list[tuple[bytes, Address]] = []
        self.peers: list[PeerIdentity] = []
        self.identified: list[tuple[Address, PeerIdentity]] = []
        self.failures: list[tuple[Address, str]] = []
        self.refusals: list[tuple[Address, RefusalError]] = []
        world.attach(self)

    @property
    def data(self) -> list[bytes]:
        """Received packets without their sources."""
        return [packet for packet, _ in self.packets]

    def send(self, other: Node | Address, packet: bytes) -> None:
        """As the transport does."""
        address = other.listen if isinstance(other, Node) else other
        self.outgoing.send(address, packet, self.world.now)
        self.drain()

    def receive(self, to: Address, datagram: bytes, source: Address) -> None:
        """From the network."""
        part = self.incoming if to == self.listen else self.outgoing
        part.receive(datagram, source, self.world.now)
        self.drain()

    def next_timeout(self) -> float | None:
        """The earlier of the two."""
        due = [
            when for when in (self.incoming.next_timeout(), self.outgoing.next_timeout()) if when is not None
        ]
        return min(due, default=None)

    def handle_timeout(self) -> None:
        """Of both."""
        self.incoming.handle_timeout(self.world.now)
        self.outgoing.handle_timeout(self.world.now)
        self.drain()

    def drain(self) -> None:
        """Carry out the effects."""
        for source, part in ((self.listen, self.incoming), (self.dials, self.outgoing)):
            effects = part.effects
            for address, datagram in effects.datagrams:
                self.world.carry(source, address, datagram)
            self.packets += [(packet, address) for packet, address, _ in effects.packets]
            self.peers += [peer for _, _, peer in effects.packets]
            self.identified += effects.identified
            self.failures += effects.failures
            self.refusals += effects.refusals
            effects.identified.clear()
            for each in (effects.datagrams, effects.packets, effects.failures, effects.refusals):
                each.clear()


class World:
    """Virtual time and a network with faults, from one seed."""

    def __init__(self, seed: int = 0, faults: Faults | None = None) -> None:
        self.random = random.Random(seed)
        self.faults = faults or Faults()
        self.now = 1000.0
        self.longest = 0
        self.carried: list[tuple[float, Address, Address, bytes]] = []
        self.cut: Callable[[Address, Address, bytes], bool] = lambda source, to, datagram: False
        """True for a datagram that is to be lost."""
        self._nodes: dict[Address, Node] = {}
        self._flying: list[tuple[float, int, Address, Address, bytes]] = []
        self._count = itertools.count()

    def attach(self, node: Node) -> None:
        """A node of the same addresses takes the place of another, which is as dead as can be."""
        self._nodes[node.listen] = self._nodes[node.dials] = node

    def detach(self, node: Node) -> None:
        """Its power is cut."""
        for address in (node.listen, node.dials):
            if self._nodes.get(address) is node:
                del self._nodes[address]

    def carry(self, source: Address, to: Address, datagram: bytes) -> None:
        """Put a datagram into the network."""
        faults, chance = self.faults, self.random.random
        self.longest = max(self.longest, len(datagram))
        self.carried.append((self.now, source, to, datagram))
        if chance() < faults.drop or self.cut(source, to, datagram):
            return
        for _ in range(2 if chance() < faults.duplicate else 1):
            copy = datagram
            if chance() < faults.corrupt:
                copy = self._corrupted(copy)
            if chance() < faults.truncate:
                copy = copy[: self.random.randrange(len(copy))]
            when = self.now + faults.delay + self.random.uniform(0, faults.jitter)
            heapq.heappush(self._flying, (when, next(self._count), source, to, copy))

    def _corrupted(self, datagram: bytes) -> bytes:
        changed = bytearray(datagram)
        for _ in range(self.random.randint(1, 3)):
            changed[self.random.randrange(len(changed))] ^= 1 << self.random.randrange(8)
        return bytes(changed)

    def run(self, seconds: float, until: Callable[[], object] = lambda: False) -> bool:
        """Let time pass until a condition holds, at most so long. Whether it holds."""
        end = self.now + seconds
        for _ in range(1_000_000):
            if until():
                return True
            nodes = dict.fromkeys(self._nodes.values())
            timers = [(due, node) for node in nodes if (due := node.next_timeout()) is not None]
            when = min([due for due, _ in timers] + [each[0] for each in self._flying[:1]], default=end)
            if when > end:
                self.now = end
                return bool(until())
            self.now = max(self.now, when)
            if self._flying and self._flying[0][0] <= self.now:
                _, _, source, to, datagram = heapq.heappop(self._flying)
                if (target := self._nodes.get(to)) is not None:
                    target.receive(to, datagram, source)
            for due, node in timers:
                if due <= self.now:
                    node.handle_timeout()
            if when == end and not self._flying and not timers:
                return bool(until())
        raise AssertionError("the world does not come to rest")
