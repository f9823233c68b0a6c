"""The failure detector: one member probed at a time (SWIM 3.1, 4.3; wire 2.1)."""

from __future__ import annotations

from enum import Enum

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.core.context import Context, Handlers
from tocsin.gossip.core.effects import ExchangeKind
from tocsin.gossip.core.exchanges import Exchanges
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.core.patience import Patience
from tocsin.gossip.core.swim.membership import SwimMembership
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import IndirectPing, MemberState, Suspect

PROBE = "probe"
PROBE_TIMEOUT = "probe timeout"
PROBE_DEADLINE = "probe deadline"
NACK_PROTOCOL = 4
STREAM_PING_PROTOCOL = 3
HURRIED_CLUSTER = 16
"""With so many other members at most, an interval has up to :data:`HURRIED_TICKS` probes."""
HURRIED_TICKS = 4
MAX_SUSPICIOUS = 16
"""Members that wait to be probed out of turn."""


class Stage(Enum):
    """How far a probe has come."""

    DIRECT = "direct"
    INDIRECT = "indirect"


@dataclass(slots=True)
class Probe:
    """The probe under way. The member is as it was at the start: a later refutation voids the accusation."""

    member: Member
    sequence_number: int
    deadline: float
    began: float
    stage: Stage = Stage.DIRECT
    failed_at: float = 0.0
    """When the direct ping had failed or its time was over."""
    undelivered: bool = False
    """The direct ping is known not to have arrived."""
    nacks_due: float = 0.0
    """Until when nacks are waited for."""
    relays: int = 0
    nacks_expected: int = 0
    nacks_received: int = 0
    stream_pending: bool = False
    stream_acked: bool = False
    overdue: bool = False
    """The deadline is past, and only the missing nacks are waited for."""

    @property
    def hopeless(self) -> bool:
        """Nothing is left to wait for: the ping did not arrive, nor did those of others, nor a stream."""
        return (
            self.undelivered
            and not self.stream_pending
            and not self.stream_acked
            and self.relays == self.nacks_received
        )


def _protocol_maximum(member: Member) -> int:
    return member.versions[1] if len(member.versions) > 1 else 0


class Prober:
    """A ticker and at most one :class:`Probe`.

    A tick that finds a probe under way is remembered once, so that the next probe starts as soon as that one
    is over; further ones are dropped. Quicker than memberlist in three ways, which cost a small cluster a few
    packets a second and a large one nothing: a small cluster's members are probed more often; one to which
    packets fail is probed next; and the verdict falls as soon as nothing is left to wait for.
    """

    def __init__(
        self, context: Context, membership: SwimMembership, outbox: Outbox, exchanges: Exchanges
    ) -> None:
        self._config = context.config
        self._random = context.random
        self._membership = membership
        self._table = membership.table
        self._outbox = outbox
        self._exchanges = exchanges
        self._timers = context.timers
        self._awareness = context.awareness
        self._statistics = context.statistics
        self._of_peers = context.of_peers
        self._patience = Patience(context.config, context.of_peers)
        self._index = 0
        self._next_tick = 0.0
        self._tick_missed = False
        self._suspicious: dict[str, None] = {}
        self._out_of_turn = False
        self.current: Probe | None = None

    @property
    def handlers(self) -> Handlers:
        """The ticker, and both deadlines of the probe under way."""
        return {
            PROBE: lambda _, now: self.tick(now),
            PROBE_TIMEOUT: self.timed_out,
            PROBE_DEADLINE: self.deadline_passed,
        }

    @property
    def interval(self) -> float:
        """Seconds from one probe to the next."""
        others = self._table.live - 1
        hurried = min(max(others, 1), HURRIED_TICKS) if others <= HURRIED_CLUSTER else 1
        return self._config.probe_interval / hurried

    def start(self, now: float) -> None:
        """Begin, at a random point of the interval so that members do not probe in step."""
        if self._config.probe_interval > 0:
            self._next_tick = now + self._random.random() * self._config.probe_interval
            self._timers.set((PROBE, 0), self._next_tick)

    def stop(self) -> None:
        """Probe no more."""
        self._timers.cancel((PROBE, 0))
        self._tick_missed = False
        self._suspicious.clear()
        self._end()

    def members_changed(self) -> None:
        """The probe under way goes on."""

    def tick(self, now: float) -> None:
        """The ticker's timer fired."""
        interval = self.interval
        late = (now - self._next_tick) % interval
        self._next_tick = max(self._next_tick + interval, now - late + interval)
        self._timers.set((PROBE, 0), self._next_tick)
        if self.current is None:
            self._begin(now)
        else:
            self._tick_missed = True

    def timed_out(self, sequence_number: int, now: float) -> None:
        """The direct ping's time is over."""
        if (probe := self._of(sequence_number)) is not None and probe.stage is Stage.DIRECT:
            self._go_indirect(probe, now)

    def packet_failed(self, destination: Address, now: float) -> None:
        """Packets to ``destination`` do not arrive: the direct ping has failed already, or comes next."""
        probe = self.current
        if probe is None or probe.member.address != destination:
            self._suspect_next(destination)
        elif probe.stage is Stage.DIRECT:
            self._statistics.pings_failed_at_once += 1
            probe.undelivered = True
            self._go_indirect(probe, now)
            self._judge(probe, now)

    def acked(self, sequence_number: int, now: float, source: Address) -> bool:
        """The member answered, to us or to a relay. False when the ack is not of the probe under way."""
        if (probe := self._of(sequence_number)) is None:
            return False
        if probe.stage is Stage.DIRECT:
            self._of_peers.answered(probe.member.name, now - probe.began)
        elif source == probe.member.address:
            self._patience.answered_late(probe.member.name, now - probe.began)
        self._succeed(now)
        return True

    def nacked(self, sequence_number: int, now: float) -> None:
        """A relay is there but had no answer either."""
        probe = self._of(sequence_number)
        if probe is not None and probe.nacks_received < probe.nacks_expected:
            probe.nacks_received += 1
            self._statistics.nacks_received += 1
            if probe.overdue and probe.nacks_received == probe.nacks_expected:
                self._decide(probe, now)
            else:
                self._judge(probe, now)

    def stream_acked(self, sequence_number: int, now: float) -> None:  # noqa: ARG002
        """The member answered on a stream; it counts if no packet says so until the deadline."""
        if (probe := self._of(sequence_number)) is not None:
            probe.stream_pending = False
            probe.stream_acked = True

    def stream_failed(self, sequence_number: int, now: float) -> None:
        """The stream could not be opened, or brought no ack."""
        if (probe := self._of(sequence_number)) is not None:
            probe.stream_pending = False
            self._judge(probe, now)

    def deadline_passed(self, sequence_number: int, now: float) -> None:
        """The verdict, unless a nack may still come.

        A relay gives up after a probe timeout, so with memberlist's settings it says so just after the
        deadline. Not to hear that would be taken for our own bad health, and stretch the next probes.
        """
        probe = self._of(sequence_number)
        if probe is None:
            return
        missing = probe.nacks_received < probe.nacks_expected
        if not probe.stream_acked and missing and now < probe.nacks_due:
            probe.overdue = True
            self._timers.set((PROBE_DEADLINE, sequence_number), probe.nacks_due)
        else:
            self._decide(probe, now)

    def _decide(self, probe: Probe, now: float) -> None:
        if probe.stream_acked:
            self._statistics.stream_pings_acked += 1
            self._succeed(now)
        else:
            self._fail(probe, now)

    def _judge(self, probe: Probe, now: float) -> None:
        if probe.hopeless:
            self._statistics.probes_hopeless += 1
            self._fail(probe, now)

    def _fail(self, probe: Probe, now: float) -> None:
        self._statistics.probes_failed += 1
        missing = probe.nacks_expected - probe.nacks_received
        self._awareness.apply(missing if probe.nacks_expected else 1)
        member, config = probe.member, self._config
        # The member has been silent since its ping failed. Of a deadline that our own bad health has
        # stretched only the usual part counts: the member shall have its time to refute.
        silent = min(now - probe.failed_at, max(0.0, config.probe_interval - config.probe_timeout))
        self._end()
        self._membership.apply_suspect(
            Suspect(member.incarnation, member.name, self._table.name),
            now,
            witnessed=True,
            since=now - silent,
        )
        self._catch_up(now)

    def _suspect_next(self, destination: Address) -> None:
        member = self._table.at_address(destination)
        if member is None or member.state is not MemberState.ALIVE or member.name == self._table.name:
            return
        if len(self._suspicious) < MAX_SUSPICIOUS:
            self._suspicious[member.name] = None

    def _of(self, sequence_number: int) -> Probe | None:
        probe = self.current
        return probe if probe is not None and probe.sequence_number == sequence_number else None

    def _begin(self, now: float) -> None:
        member = self._next_member(now)
        if member is None:
            return
        outbox, direct = self._outbox, self._patience.direct(member.name)
        sequence_number = outbox.next_sequence_number()
        deadline = now + self._awareness.scale(self._config.probe_interval)
        self.current = Probe(member, sequence_number, deadline, now)
        self._statistics.probes += 1
        self._timers.set((PROBE_TIMEOUT, sequence_number), now + direct)
        self._timers.set((PROBE_DEADLINE, sequence_number), deadline)
        ping = outbox.ping(sequence_number, member.name)
        if member.state is MemberState.ALIVE:
            outbox.send(member.address, member.name, ping)
        else:
            # The suspect learns of the accusation together with the ping, and can refute it at once.
            accusation = Suspect(member.incarnation, member.name, self._table.name)
            outbox.send_to(member, [encode_message(ping), encode_message(accusation)])

    def _next_member(self, now: float) -> Member | None:
        """The next member worth probing; after a whole round without any, none.

        Every other probe may be out of turn.
        """
        membership = self._table
        self._out_of_turn = not self._out_of_turn and bool(self._suspicious)
        while self._out_of_turn and self._suspicious:
            name = next(iter(self._suspicious))
            del self._suspicious[name]
            member = membership.get(name)
            if member is not None and member.state is MemberState.ALIVE:
                self._statistics.probes_out_of_turn += 1
                return member
        for _ in range(2 * membership.known + 1):  # The rest of this round and, in a new order, the next one.
            member = membership.at(self._index)
            if member is None:
                membership.reap(now)
                self._index = 0
                continue
            self._index += 1
            if member.live and member.name != membership.name:
                return member
        return None

    def _go_indirect(self, probe: Probe, now: float) -> None:
        probe.stage = Stage.INDIRECT
        probe.failed_at = now
        self._timers.cancel((PROBE_TIMEOUT, probe.sequence_number))
        member, membership = probe.member, self._table
        local = membership.local
        relays = membership.choose(
            self._config.indirect_checks,
            lambda other: other.state is MemberState.ALIVE and other.name != member.name,
        )
        names = [relay.name for relay in relays]
        probe.relays = len(relays)
        probe.nacks_due = now + self._patience.nacks(member.name, names)
        probe.deadline = max(probe.deadline, now + self._patience.indirect(member.name, names))
        self._timers.set((PROBE_DEADLINE, probe.sequence_number), probe.deadline)
        for relay in relays:
            nack = _protocol_maximum(relay) >= NACK_PROTOCOL
            probe.nacks_expected += nack
            request = IndirectPing(
                sequence_number=probe.sequence_number,
                target=member.address.packed,
                port=member.address.port,
                node=member.name,
                nack=nack,
                source_address=local.address.packed,
                source_port=local.address.port,
                source_node=local.name,
            )
            self._outbox.send(relay.address, relay.name, request)
            self._statistics.indirect_pings_sent += 1
        if self._config.stream_ping and _protocol_maximum(member) >= STREAM_PING_PROTOCOL:
            probe.stream_pending = True
            self._exchanges.open(
                ExchangeKind.PING,
                member.address,
                member.name,
                self._outbox.ping(probe.sequence_number, member.name),
                probe.deadline,
                probe.sequence_number,
            )

    def _succeed(self, now: float) -> None:
        self._statistics.probes_acked += 1
        self._awareness.apply(-1)
        self._end()
        self._catch_up(now)

    def _end(self) -> None:
        if self.current is not None:
            self._timers.cancel((PROBE_TIMEOUT, self.current.sequence_number))
            self._timers.cancel((PROBE_DEADLINE, self.current.sequence_number))
            self.current = None

    def _catch_up(self, now: float) -> None:
        if self._tick_missed:
            self._tick_missed = False
            self._begin(now)
