"""A network with faults, within one process: latency, loss, duplicates, partitions, silent hosts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from tocsin.gossip.address import Address
from tocsin.gossip.transport.memory import MemoryNetwork


class FaultyNetwork(MemoryNetwork):
    """Every fault may be changed at any time. Times are seconds, ``loss`` and ``duplication`` shares up to 1.

    A stream is opened or not (a dial into a partition takes its whole time), and loses nothing once open.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        latency: float = 0.001,
        jitter: float = 0.001,
        loss: float = 0.0,
        duplication: float = 0.0,
    ) -> None:
        super().__init__()
        self.latency = latency
        self.jitter = jitter
        """At most so much more latency, by chance: packets overtake each other."""
        self.loss = loss
        self.duplication = duplication
        self._random = Random(f"network/{seed}")
        self._sides: dict[Address, int] = {}

    def partition(self, *sides: Iterable[Address]) -> None:
        """Let only addresses of one side reach each other; those that are on none are one more side."""
        self._sides = {address: number for number, side in enumerate(sides, 1) for address in side}

    def cut_off(self, address: Address) -> None:
        """Nobody reaches it, and it reaches nobody."""
        self._sides[address] = max(self._sides.values(), default=0) + 1

    def heal(self) -> None:
        """No partition any more."""
        self._sides = {}

    def carries(self, source: Address, destination: Address) -> bool:
        """Whether both are on one side, and nobody of them has fallen silent."""
        same = self._sides.get(source, 0) == self._sides.get(destination, 0)
        return same and destination not in self.black_holes and source not in self.black_holes

    def arrivals(self, source: Address, destination: Address) -> Sequence[float]:
        """The delay of each copy of a packet; nothing for one that is lost."""
        if not self.carries(source, destination) or self._random.random() < self.loss:
            return ()
        copies = 2 if self._random.random() < self.duplication else 1
        return [self.latency + self.jitter * self._random.random() for _ in range(copies)]
