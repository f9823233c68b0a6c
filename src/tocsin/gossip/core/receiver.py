"""What each kind of message does (wire 2.2)."""

from __future__ import annotations

from tocsin.errors import WireError
from tocsin.gossip.address import Address
from tocsin.gossip.core.admission import Admission
from tocsin.gossip.core.context import Context
from tocsin.gossip.core.effects import UserMessage
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.core.pushpull import StateExchange
from tocsin.gossip.core.relay import Relays, answer_address
from tocsin.gossip.core.roles import FailureDetector, Membership
from tocsin.gossip.core.steps import Steps
from tocsin.gossip.core.table import MemberTable
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
    """Passes every message to its handler. Never raises."""

    def __init__(
        self,
        context: Context,
        table: MemberTable,
        outbox: Outbox,
        admission: Admission,
        membership: Membership,
        detector: FailureDetector,
        relays: Relays,
        state_exchange: StateExchange,
    ) -> None:
        self._context = context
        self._table = table
        self._membership = membership
        self._admission = admission
        self._outbox = outbox
        self._detector = detector
        self._relays = relays
        self._exchange = state_exchange
        self._statistics = context.statistics
        self._events = context.events

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
            self._context.refuse(error.layer, error.problem, source)

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
            self._membership.apply_dead(message, now, source, peer)
        elif isinstance(message, User):
            self._statistics.user_messages_received += 1
            self._events.append(UserMessage(message.payload, self._sender(source, peer), peer))
        elif isinstance(message, Ack):
            self._acked(message.sequence_number, now, source)
        elif isinstance(message, Ping):
            destination = answer_address(message.source_address, message.source_port, source)
            if (ack := self._answer(message)) is not None:
                self._outbox.send(destination, message.source_node, ack)
        elif isinstance(message, IndirectPing):
            self._relays.request(message, self._table.local.address.port, source, now)
        elif isinstance(message, Nack):
            self._detector.nacked(message.sequence_number, now)
        else:
            self._unexpected(message, source)

    def _sender(self, source: Address, peer: PeerIdentity | None) -> Address:
        """Where a packet comes from: the listener that it names, unless that is another's, as far as the
        transport knows; then nobody's, at the host of ``peer``. What it brings is charged to that address,
        and waits with what else comes from there."""
        if peer is None or peer.host == source.host:
            return source
        member = self._table.at_address(source)
        if member is not None and self._admission.speaks_for(member.name, source, peer):
            return source
        self._statistics.senders_doubted += 1
        return Address(peer.host, source.port)

    def _acked(self, sequence_number: int, now: float, source: Address) -> None:
        if self._detector.acked(sequence_number, now, source):
            return
        answered, admitted = self._admission.acked(sequence_number)
        if admitted is not None:
            self._membership.apply_alive(admitted.message, now, admitted.address)
        elif not answered:
            self._relays.acked(sequence_number)

    def _answer(self, ping: Ping) -> Ack | None:
        """The ack, unless the ping is meant for another name: an address can have changed hands."""
        if not self._membership.answers_pings:
            return None
        if ping.node and ping.node != self._table.name:
            self._statistics.pings_misaddressed += 1
            return None
        self._statistics.pings_answered += 1
        return Ack(ping.sequence_number)

    def _unexpected(self, message: Message, source: Address) -> None:
        detail = message.error[:256] if isinstance(message, ErrorResponse) else type(message).__name__
        self._context.refuse("unexpected", detail, source)
