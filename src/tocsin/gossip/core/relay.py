"""Pinging on behalf of others (SWIM 4.1 ping-req; wire 2.1)."""

from __future__ import annotations

from collections import deque

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.core.context import Context, Handlers
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.core.patience import Patience
from tocsin.gossip.wire.messages import Ack, IndirectPing, Nack

RELAY = "relay"
MAX_RELAYS = 64
"""Pending, and begun within one probe timeout: each may cost a dial to wherever the requester says."""


def answer_address(source_address: bytes, source_port: int, source: Address) -> Address:
    """Where an answer goes: to the message's own source when it names one, else where the packet came from.

    :class:`~tocsin.errors.WireError` for an address of a wrong length.
    """
    if source_address and source_port:
        return Address.from_packed(source_address, source_port)
    return source


@dataclass(frozen=True, slots=True)
class _Relay:
    requester: Address
    requester_node: str
    sequence_number: int
    target: Address
    nack: bool


class Relays:
    """The indirect pings under way for others, by our own sequence number. At most :data:`MAX_RELAYS`.

    A target gets the time that its own round trips take: the ack of one far away would be thrown away.
    """

    def __init__(self, context: Context, outbox: Outbox) -> None:
        self._config = context.config
        self._patience = Patience(context.config, context.of_peers)
        self._outbox = outbox
        self._timers = context.timers
        self._statistics = context.statistics
        self._pending: dict[int, _Relay] = {}
        self._begun: deque[float] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def handlers(self) -> Handlers:
        """The time of each is limited."""
        return {RELAY: lambda number, _: self.expired(number)}

    def request(self, message: IndirectPing, default_port: int, source: Address, now: float) -> None:
        """Ping the target for the sender. Raises what :func:`answer_address` raises, for either address."""
        requester = answer_address(message.source_address, message.source_port, source)
        target = Address.from_packed(message.target, message.port or default_port)
        while self._begun and self._begun[0] <= now - self._config.probe_timeout:
            self._begun.popleft()
        if max(len(self._begun), len(self._pending)) >= MAX_RELAYS:
            self._statistics.relays_refused += 1
            return
        self._begun.append(now)
        self._statistics.relays += 1
        sequence_number = self._outbox.next_sequence_number()
        self._pending[sequence_number] = _Relay(
            requester, message.source_node, message.sequence_number, target, message.nack
        )
        self._timers.set((RELAY, sequence_number), now + self._patience.direct(message.node))
        self._outbox.send(target, message.node, self._outbox.ping(sequence_number, message.node))

    def acked(self, sequence_number: int) -> None:
        """The target answered: pass it on."""
        relay = self._pending.pop(sequence_number, None)
        if relay is not None:
            self._timers.cancel((RELAY, sequence_number))
            self._outbox.send(relay.requester, relay.requester_node, Ack(relay.sequence_number))

    def expired(self, sequence_number: int) -> None:
        """The target did not answer in time: say at least that we are there."""
        relay = self._pending.pop(sequence_number, None)
        if relay is not None:
            self._timers.cancel((RELAY, sequence_number))
            if relay.nack:
                self._outbox.send(relay.requester, relay.requester_node, Nack(relay.sequence_number))

    def packet_failed(self, destination: Address) -> None:
        """Packets to ``destination`` do not arrive: nothing to wait for."""
        for sequence_number in [n for n, relay in self._pending.items() if relay.target == destination]:
            self.expired(sequence_number)
