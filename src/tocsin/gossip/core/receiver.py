"""What each kind of message does (spec 2.2)."""

from __future__ import annotations

from tocsin.errors import WireError
from tocsin.gossip.address import Address
from tocsin.gossip.core.admission import Admission
from tocsin.gossip.core.effects import Event, ProtocolTrouble, UserMessage
from tocsin.gossip.core.membership import MAX_PENDING_TROUBLE, Membership
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.core.probe import Prober
from tocsin.gossip.core.pushpull import StateExchange
from tocsin.gossip.core.relay import Relays, answer_address
from tocsin.gossip.core.statistics import Statistics
from tocsin.gossip.core.steps import Steps
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import (
    Ack,
    Alive,
    Dead,
    ErrorResponse,
    IndirectPing,
    Message,
    Nack,
    Ping,
    PushPull,
    Suspect,
    User,
)


class Receiver:
    """Hands every message to the part that it concerns. Never raises."""

    def __init__(
        self,
        *,
        membership: Membership,
        admission: Admission,
        outbox: Outbox,
        prober: Prober,
        relays: Relays,
        state_exchange: StateExchange,
        statistics: Statistics,
        events: list[Event],
    ) -> None:
        self._membership = membership
        self._admission = admission
        self._outbox = outbox
        self._prober = prober
        self._relays = relays
        self._exchange = state_exchange
        self._statistics = statistics
        self._events = events

    def receive(
        self, message: Message, source: Address, now: float, peer: PeerIdentity | None = None
    ) -> None:
        """A message that came in a packet."""
        counts = self._statistics.messages_received
        kind = type(message).__name__
        counts[kind] = counts.get(kind, 0) + 1
        try:
            self._apply(message, source, now, peer)
        except WireError as error:
            self._statistics.messages_refused += 1
            self.trouble(error.layer, error.problem, source)

    def receive_stream(
        self, message: Message, source: Address, now: float, peer: PeerIdentity | None = None
    ) -> Steps[Message | None]:
        """A message that opened a stream, in steps; returns the answer, if it gets one."""
        self._statistics.streams_received += 1
        if isinstance(message, PushPull):
            return (yield from self._exchange.answer(message, source, now, peer))
        if isinstance(message, Ping):
            return self._answer(message)
        if isinstance(message, User):
            self._statistics.user_messages_received += 1
            self._events.append(UserMessage(message.payload, source, peer))
        else:
            self._unexpected(message, source)
        return None

    def _apply(self, message: Message, source: Address, now: float, peer: PeerIdentity | None) -> None:
        if isinstance(message, Alive):
            self._membership.apply_alive(message, now, source, peer)
        elif isinstance(message, Suspect):
            self._membership.apply_suspect(message, now)
        elif isinstance(message, Dead):
            self._membership.apply_dead(message, now)
        elif isinstance(message, User):
            self._statistics.user_messages_received += 1
            self._events.append(UserMessage(message.payload, source, peer))
        elif isinstance(message, Ack):
            number = message.sequence_number
            if not self._prober.acked(number, now) and not self._admission.acked(number, now):
                self._relays.acked(message.sequence_number)
        elif isinstance(message, Ping):
            destination = answer_address(message.source_address, message.source_port, source)
            if (ack := self._answer(message)) is not None:
                self._outbox.send(destination, message.source_node, ack)
        elif isinstance(message, IndirectPing):
            self._relays.request(message, self._membership.local.address.port, source, now)
        elif isinstance(message, Nack):
            self._prober.nacked(message.sequence_number, now)
        else:
            self._unexpected(message, source)

    def _answer(self, ping: Ping) -> Ack | None:
        """The ack, unless the ping is meant for another name: an address can have changed hands."""
        if ping.node and ping.node != self._membership.name:
            self._statistics.pings_misaddressed += 1
            return None
        self._statistics.pings_answered += 1
        return Ack(ping.sequence_number)

    def _unexpected(self, message: Message, source: Address) -> None:
        self._statistics.messages_refused += 1
        detail = message.error[:256] if isinstance(message, ErrorResponse) else type(message).__name__
        self.trouble("unexpected", detail, source)

    def trouble(self, reason: str, detail: str, source: Address) -> None:
        """Report what was refused; the counters go on counting when nobody drains the events."""
        if len(self._events) < MAX_PENDING_TROUBLE:
            self._events.append(ProtocolTrouble(reason, detail, source))
