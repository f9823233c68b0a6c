"""A network with faults: latency, loss, duplication, reordering, partitions, and streams that can fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from simulation.world import World
from tocsin.gossip.address import Address
from tocsin.gossip.core.effects import OpenStream

RETRANSMISSION = 0.2
"""Seconds that a lost segment delays a stream."""


class Host(Protocol):
    """A process at an address."""

    def packet_arrived(self, data: bytes, source: Address) -> None:
        """A packet came."""

    def packet_undeliverable(self, destination: Address) -> None:
        """A packet is known not to have arrived."""

    def stream_arrived(self, writes: tuple[bytes, ...], source: Address) -> tuple[bytes, ...]:
        """A stream came; returns what is written back."""

    def stream_answered(self, exchange: int, writes: tuple[bytes, ...] | None) -> None:
        """Our stream is done; ``writes`` is what came back."""

    def stream_broken(self, exchange: int, reason: str) -> None:
        """Our stream failed."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How one direction of a link behaves. Times in seconds, shares from 0 to 1."""

    latency: float = 0.001
    jitter: float = 0.001
    """Mean of the exponential part of the delay; so packets overtake each other."""
    loss: float = 0.0
    duplication: float = 0.0
    reorder: float = 0.0
    """Share of packets held back by up to ``reorder_delay``."""
    reorder_delay: float = 0.3


class Network:
    """Carries packets and streams between the hosts attached to it.

    With ``failures_known`` a packet to an address where no process listens is reported to its sender, as a
    connection-based transport does; without it is only lost, as with UDP. A partition swallows everything.
    """

    def __init__(self, world: World, conditions: Conditions, *, failures_known: bool) -> None:
        self.conditions = conditions
        self.links: dict[tuple[Address, Address], Conditions] = {}
        """Conditions of single directions (from, to), before the common ones."""
        self.cuts: set[tuple[Address, Address]] = set()
        """Directions (from, to) that carry nothing."""
        self.packets = 0
        self._world = world
        self._random = world.stream("network")
        self._failures_known = failures_known
        self._hosts: dict[Address, Host] = {}
        self._group: dict[Address, int] = {}

    def attach(self, address: Address, host: Host) -> None:
        """A process starts to listen."""
        self._hosts[address] = host

    def listens(self, address: Address) -> bool:
        """Whether a process is there."""
        return address in self._hosts

    def detach(self, address: Address) -> None:
        """The process is gone; its address refuses connections."""
        self._hosts.pop(address, None)

    def partition(self, *groups: Iterable[Address]) -> None:
        """Only addresses of one group reach each other; those in no group are one of their own."""
        self._group = {address: number for number, group in enumerate(groups, 1) for address in group}

    def heal(self) -> None:
        """No partition any more."""
        self._group = {}

    def send_packet(self, source: Address, destination: Address, data: bytes) -> None:
        """Send a packet, which may arrive never, once or twice."""
        conditions = self._conditions(source, destination)
        self.packets += 1
        if self._cut(source, destination) or self._chance(conditions.loss):
            return
        copies = 2 if self._chance(conditions.duplication) else 1
        for _ in range(copies):
            delay = self._delay(conditions)
            if self._chance(conditions.reorder):
                delay += self._random.random() * conditions.reorder_delay
            self._world.after(delay, lambda: self._deliver(source, destination, data))

    def open_stream(self, source: Address, action: OpenStream) -> None:
        """Carry a stream there and back; its opener hears of exactly one outcome, by the deadline."""
        destination = action.destination
        there = self._stream_delay(source, destination)
        outcome = _Outcome(self, source, action)
        self._world.schedule(action.deadline, lambda: outcome.fail("timed out"))
        if not self._cut(source, destination) and not self._cut(destination, source):
            self._world.after(2 * there, lambda: self._accept(source, action, outcome))

    def _accept(self, source: Address, action: OpenStream, outcome: _Outcome) -> None:
        host = self._hosts.get(action.destination)
        back = self._stream_delay(action.destination, source)
        if host is None:
            self._world.after(back, lambda: outcome.fail("connection refused"))
            return
        if self._cut(source, action.destination):
            return
        writes = tuple(action.writes)
        self._world.trace(f"stream {source} {action.destination}", b"".join(writes))
        answer = host.stream_arrived(writes, source)
        if self._cut(action.destination, source):
            return
        if action.expects_reply and not answer:
            self._world.after(back, lambda: outcome.fail("closed without an answer"))
        else:
            self._world.after(back, lambda: outcome.succeed(answer if action.expects_reply else None))

    def _deliver(self, source: Address, destination: Address, data: bytes) -> None:
        if self._cut(source, destination):
            return
        host = self._hosts.get(destination)
        if host is not None:
            self._world.trace(f"packet {source} {destination}", data)
            host.packet_arrived(data, source)
        elif self._failures_known and not self._cut(destination, source):
            delay = self._delay(self._conditions(destination, source))
            self._world.after(delay, lambda: self._undeliverable(source, destination))

    def _undeliverable(self, source: Address, destination: Address) -> None:
        if (host := self._hosts.get(source)) is not None:
            self._world.trace(f"undeliverable {source} {destination}")
            host.packet_undeliverable(destination)

    def _conditions(self, source: Address, destination: Address) -> Conditions:
        return self.links.get((source, destination), self.conditions) if self.links else self.conditions

    def _cut(self, source: Address, destination: Address) -> bool:
        if (source, destination) in self.cuts:
            return True
        return bool(self._group) and self._group.get(source, 0) != self._group.get(destination, 0)

    def _chance(self, share: float) -> bool:
        return share > 0 and self._random.random() < share

    def _delay(self, conditions: Conditions) -> float:
        return conditions.latency + (
            self._random.expovariate(1 / conditions.jitter) if conditions.jitter else 0
        )

    def _stream_delay(self, source: Address, destination: Address) -> float:
        """Loss only slows a stream down."""
        conditions = self._conditions(source, destination)
        delay = self._delay(conditions)
        while self._chance(conditions.loss) and delay < 30:
            delay += RETRANSMISSION
        return delay


class _Outcome:
    """Reports to the opener once, if it is still the same process."""

    def __init__(self, network: Network, source: Address, action: OpenStream) -> None:
        self._network = network
        self._source = source
        self._exchange = action.exchange
        self._opener = network._hosts.get(source)
        self._done = False

    def succeed(self, writes: tuple[bytes, ...] | None) -> None:
        if (host := self._host()) is not None:
            host.stream_answered(self._exchange, writes)

    def fail(self, reason: str) -> None:
        if (host := self._host()) is not None:
            host.stream_broken(self._exchange, reason)

    def _host(self) -> Host | None:
        if self._done or self._opener is None or self._network._hosts.get(self._source) is not self._opener:
            return None
        self._done = True
        return self._opener
