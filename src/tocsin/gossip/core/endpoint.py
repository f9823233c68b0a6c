"""One member of a cluster, without any I/O: packets, streams and time go in, actions and events come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from tocsin.errors import ClosedError, NotFoundError, UserError
from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.awareness import Awareness
from tocsin.gossip.core.context import Context, Handlers
from tocsin.gossip.core.effects import (
    Action,
    Event,
    ExchangeKind,
    PacketsLost,
    ProtocolError,
    StateRequest,
)
from tocsin.gossip.core.exchanges import EXCHANGE, Exchange
from tocsin.gossip.core.local import VERSIONS
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.partners import Connections
from tocsin.gossip.core.parts import Codecs, MembershipKind, assemble
from tocsin.gossip.core.steps import Steps, finished
from tocsin.gossip.core.views import Views
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Ack, Dead, MemberState, Message, Pieces, User
from tocsin.gossip.wire.packet import PacketCodec
from tocsin.gossip.wire.stream import StreamCodec

if TYPE_CHECKING:
    from random import Random

GOSSIP = "gossip"
LEAVE_FANOUT = 16
"""Live members that are sent our leave message at once, before the gossip that follows."""


def _no_state(join: bool) -> bytes:  # noqa: ARG001
    return b""


class Endpoint(Views):
    """SWIM with Lifeguard, gossip and push/pull, as hashicorp/memberlist speaks them.

    Inputs and commands take ``now`` (seconds, any monotonic origin, never going back). After each of them the
    caller drains :meth:`drain` and arms one timer for :meth:`next_timeout`. No input
    raises, whatever its bytes. ``local_state(join)`` gives the application's part of a push/pull; with
    ``state_for(request)``, which gets more arguments, that is called instead. Gossip prefers peers to which
    ``connections`` has one open.
    ``incarnation`` is the first one of this run: past the last of an earlier one, where that is known.
    """

    def __init__(
        self,
        config: GossipConfig,
        *,
        name: str,
        address: Address,
        now: float,
        random: Random,
        local_state: Callable[[bool], bytes] = _no_state,
        state_for: Callable[[StateRequest], bytes | Pieces] | None = None,
        meta: bytes = b"",
        incarnation: int = 1,
        packet_codec: PacketCodec | None = None,
        stream_codec: StreamCodec | None = None,
        connections: Connections | None = None,
        kind: MembershipKind = MembershipKind.SWIM,
    ) -> None:
        if not name:
            raise UserError("a member needs a name")
        self.config = config
        self._check_meta(meta)
        versions = VERSIONS[:3] + bytes(config.delegate_versions)
        parts = assemble(
            kind,
            Context(config, random, Awareness(config.awareness_max)),
            Member(name, _canonical(address), incarnation, MemberState.ALIVE, now, meta, versions),
            Codecs(
                packet_codec or PacketCodec(label=config.label, compression=config.compression),
                stream_codec or StreamCodec(label=config.label, compression=config.compression),
            ),
            connections,
            state_for or (lambda request: local_state(request.join)),
        )
        super().__init__(parts)
        self._timers = parts.context.timers
        self._events = parts.context.events
        self._packet_codec = parts.codecs.packets
        self._stream_codec = parts.codecs.streams
        self._partners = parts.partners
        self._exchanges = parts.exchanges
        self._relays = parts.relays
        self._detector = parts.detector
        self._state_exchange = parts.state_exchange
        self._receiver = parts.receiver
        self._handlers: Handlers = {
            **parts.handlers,
            GOSSIP: lambda _, now: self.gossip(now),
            EXCHANGE: lambda exchange, now: self.stream_failed(exchange, "no outcome by the deadline", now),
        }
        self._gossip_phase = now + random.random() * config.gossip_interval
        self._started = False
        self._membership.announce()
        self._of_peers.alive(name)

    # -- drains and time

    def drain(self) -> list[Action | Event]:
        """What to send, in order, then what happened, in order; handed out once."""
        actions, self._outbox.actions = self._outbox.actions, []
        if not self._events:
            return [*actions]
        effects = [*actions, *self._events]
        self._events.clear()
        return effects

    def next_timeout(self) -> float | None:
        """When :meth:`handle_timeout` wants to be called, or None."""
        return self._timers.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """Do all that is due at ``now``. Harmless when nothing is."""
        while (timer := self._timers.pop_due(now)) is not None:
            kind, key = timer
            self._handlers[kind](key, now)
        self._after(now)

    # -- commands

    def start(self, now: float) -> None:
        """Begin to probe, gossip and push/pull. Calling it again does nothing."""
        if self._started or self.leaving:
            return
        self._started = True
        self._detector.start(now)
        self._state_exchange.start(now)
        self._after(now)

    def join(self, address: Address, now: float) -> int:
        """Exchange states with the node at ``address``; the number comes back in ``ExchangeFinished``."""
        self._check_open()
        return self._state_exchange.join(_canonical(address), now)

    def set_listed(self, addresses: Iterable[Address], now: float) -> None:
        """What discovery lists, for static membership; our own address may be among it."""
        self._membership.set_listed([_canonical(address) for address in addresses], now)
        self._detector.members_changed()

    def leave(self, now: float) -> None:
        """Leave on purpose: notify many members at once, and keep gossiping until :attr:`left`. We stop
        probing."""
        if self.leaving:
            return
        self._detector.stop()
        self._state_exchange.stop()
        self._membership.leave(now)
        local = self.local
        message = encode_message(Dead(local.incarnation, local.name, local.name))
        for member in self._table.choose(LEAVE_FANOUT, lambda other: other.live):
            self._outbox.send_to(member, [message])
        self._after(now)

    def broadcast(self, payload: bytes, now: float, *, name: str | None = None) -> None:
        """Gossip an application's message to all; one with a ``name`` replaces the queued one of that name.

        Dropped when there is no other live member: a node that joins gets the whole state by push/pull.
        :class:`~tocsin.errors.UserError` when it does not fit a packet (use :meth:`send_reliable`).
        """
        self._check_open()
        message = encode_message(User(payload))
        if len(message) > self._outbox.largest_broadcast:
            raise UserError(
                f"a broadcast of {len(payload)} bytes does not fit a packet of {self.config.packet_size}"
            )
        if self._table.live > 1:
            self._user_broadcasts.add(message, name)
            self._after(now)

    def send_reliable(self, member_name: str, payload: bytes, now: float) -> int:
        """Send a message to one member on a stream; :class:`~tocsin.errors.NotFoundError` if unknown."""
        self._check_open()
        member = self._find(member_name)
        deadline = now + 2 * self.config.stream_timeout
        return self._exchanges.open(ExchangeKind.USER, member.address, member.name, User(payload), deadline)

    def send_best_effort(self, member_name: str, payload: bytes, now: float) -> None:  # noqa: ARG002
        """Send a message to one member, a packet; :class:`~tocsin.errors.NotFoundError` if it is unknown."""
        self._check_open()
        self._outbox.send_to(self._find(member_name), [encode_message(User(payload))])

    def update_meta(self, meta: bytes, now: float) -> None:
        """Change our meta and broadcast it; :class:`~tocsin.errors.UserError` when it is too long."""
        self._check_open()
        self._check_meta(meta)
        self._membership.announce(meta)
        self._after(now)

    def set_address(self, address: Address) -> None:
        """Set the advertised address, for a driver that binds first.

        :class:`~tocsin.errors.UserError` once started: the others would take the new address for a second
        member of our name.
        """
        if self._started:
            raise UserError("the advertised address cannot change after the start")
        self._membership.readdress(_canonical(address))
        self._membership.announce()

    def gossip_fresh(self) -> bool:
        """Send the application's broadcasts that were never sent; True when there are more of them.

        To every other live member while they are few, else to a fan-out.
        """
        config, live = self.config, self._table.live - 1
        count = live if live <= config.eager_members else config.gossip_nodes
        members = self._partners.choose(count, lambda other: other.live) if count > 0 else []
        return bool(members) and self._outbox.gossip_fresh(members)

    def gossip(self, now: float) -> None:
        """One gossip round: what is queued to a few random members, the lately dead among them.

        Runs by itself while something is queued; may be called at any time to send sooner.
        """
        if self._outbox.idle:
            return
        patience = self.config.gossip_to_the_dead_time
        for member in self._partners.choose(
            self.config.gossip_nodes,
            lambda other: (
                other.live or (other.state is MemberState.DEAD and now - other.state_changed <= patience)
            ),
        ):
            if not self._outbox.gossip(member):
                break

    # -- inputs

    def receive_packet(
        self, data: bytes, source: Address, now: float, peer: PeerIdentity | None = None
    ) -> bool:
        """A packet arrived; whether all of it could be decoded. ``source`` is where an answer to a message
        without source fields goes; ``peer`` whom the transport has authenticated as its sender."""
        statistics = self._statistics
        statistics.packets_received += 1
        statistics.packet_bytes_received += len(data)
        packet = self._packet_codec.decode(data)
        statistics.packets_unsealed += bool(packet.messages) and not packet.sealed
        for problem in packet.problems:
            statistics.packets_refused += 1
            self._context.report(ProtocolError(problem.layer, problem.problem, source))
        for message in packet.messages:
            self._receiver.receive(message, source, now, peer)
        self._membership.packet_from(source, now)
        self._after(now)
        return not packet.problems

    def is_member(self, host: str) -> bool:
        """Whether a live member, ourselves included, is at the source of that address."""
        return self._table.is_live_at(host)

    def packet_failed(self, destination: Address, now: float) -> None:
        """A packet to ``destination`` is known not to have arrived, so a direct ping to it has failed."""
        self._statistics.packets_failed += 1
        self._detector.packet_failed(destination, now)
        self._relays.packet_failed(destination)
        self._events.append(PacketsLost(destination))
        self._after(now)

    def peer_identified(self, address: Address, peer: PeerIdentity, now: float) -> None:
        """The transport has seen who answers at ``address``."""
        for name in self._admission.peer_identified(address, peer):
            self._membership.remove(name)
        self._after(now)

    def receive_stream(
        self, message: Message, source: Address, now: float, peer: PeerIdentity | None = None
    ) -> Iterable[bytes]:
        """A peer's stream brought ``message``; returns the writes of the answer, empty when it gets none."""
        return finished(self.receive_stream_in_steps(message, source, now, peer))

    def receive_stream_in_steps(
        self, message: Message, source: Address, now: float, peer: PeerIdentity | None = None
    ) -> Steps[Iterable[bytes]]:
        """As :meth:`receive_stream`, some milliseconds of work at a time; other inputs may come between."""
        answer = yield from self._receiver.receive_stream(message, source, now, peer)
        self._after(now)
        return () if answer is None else self._stream_codec.encode(answer, reply=True)

    def stream_replied(
        self, exchange: int, message: Message | None, now: float, peer: PeerIdentity | None = None
    ) -> None:
        """A stream of ours is done: with the answer, or None when none was expected."""
        finished(self.stream_replied_in_steps(exchange, message, now, peer))

    def stream_replied_in_steps(
        self, exchange: int, message: Message | None, now: float, peer: PeerIdentity | None = None
    ) -> Steps[None]:
        """As :meth:`stream_replied`, some milliseconds of work at a time; other inputs may come between."""
        known = self._exchanges.get(exchange)
        if known is None:
            return
        error = ""
        if known.kind in (ExchangeKind.JOIN, ExchangeKind.PUSH_PULL):
            error = yield from self._state_exchange.replied(known, message, now, peer)
        elif known.kind is ExchangeKind.PING and (
            not isinstance(message, Ack) or message.sequence_number != known.sequence_number
        ):
            error = "the answer is not the ping's ack"
        conflict = self._state_exchange.conflict(message) if known.kind is ExchangeKind.JOIN else None
        self._finish(known, error, now, conflict)

    def is_exchanging(self, address: Address) -> bool:
        """Whether an exchange of states that we have begun with the node there is under way."""
        return self._exchanges.with_states(address)

    def stream_progressed(self, exchange: int, deadline: float) -> None:
        """The answer on a stream of ours goes on: its outcome comes by ``deadline``, later than it was to."""
        self._exchanges.extend(exchange, deadline)

    def stream_failed(self, exchange: int, reason: str, now: float) -> None:
        """A stream of ours failed; ``reason`` is for people."""
        if (known := self._exchanges.get(exchange)) is not None:
            self._finish(known, reason or "failed", now)

    # -- within

    def _finish(self, exchange: Exchange, error: str, now: float, conflict: Address | None = None) -> None:
        self._exchanges.finish(exchange, error, conflict)
        self._state_exchange.finished(exchange.identifier, now)
        if exchange.kind is ExchangeKind.PING:
            if error:
                self._detector.stream_failed(exchange.sequence_number, now)
            else:
                self._detector.stream_acked(exchange.sequence_number, now)
        self._after(now)

    def _after(self, now: float) -> None:
        """The follow-up work of every input and command."""
        for address in self._membership.take_to_join():
            if self._started and not self.leaving:
                self._state_exchange.join(address, now)
        self._arm_gossip(now)

    def _arm_gossip(self, now: float) -> None:
        """Run the gossip ticker only while broadcasts are queued and there are members to gossip to.

        Its ticks stay in phase, so that going quiet and starting again sends no sooner and no more often.
        """
        if (GOSSIP, 0) in self._timers or self._outbox.idle or self._table.known < 2:
            return
        interval = self.config.gossip_interval
        wait = interval - (now - self._gossip_phase) % interval
        if wait < interval / 100:  # the tick just done, but for rounding
            wait += interval
        self._timers.set((GOSSIP, 0), now + wait)

    def _find(self, name: str) -> Member:
        member = self._table.get(name)
        if member is None:
            raise NotFoundError(f"no member is named {name!r}")
        return member

    def _check_open(self) -> None:
        if self.leaving:
            raise ClosedError("this member has left the cluster")

    def _check_meta(self, meta: bytes) -> None:
        if len(meta) > self.config.meta_max_size:
            raise UserError(f"meta of {len(meta)} bytes is too long: at most {self.config.meta_max_size}")


def _canonical(address: Address) -> Address:
    """IPv4-mapped addresses become IPv4."""
    return Address.from_packed(address.packed, address.port)
