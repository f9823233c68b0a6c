"""Which members can be reached, found out by ourselves alone: light pings, and a stream for the verdict."""

from __future__ import annotations

from collections import deque
from dataclasses import field
from typing import Final

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.core.context import Context, Handlers
from tocsin.gossip.core.effects import ExchangeKind
from tocsin.gossip.core.exchanges import Exchanges
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.core.static.membership import StaticMembership

PROBE: Final = "probe"
MAX_PINGS: Final = 32
"""Pings at each interval. More members than that are pinged round robin."""
UNANSWERED: Final = 1
"""Pings without an ack at the time of the next, after which a stream has to decide."""
_REMEMBERED: Final = 4
"""Pings to one member whose ack still counts."""


@dataclass(slots=True)
class _Contact:
    pinged: float = float("-inf")
    heard: float = float("-inf")
    unanswered: int = 0
    pings: deque[int] = field(default_factory=deque)
    check: int = 0
    check_began: float = 0.0


class Reachability:
    """The failure detector of static membership. Only what makes the way there and back counts as a sign of
    life."""

    def __init__(
        self, context: Context, membership: StaticMembership, outbox: Outbox, exchanges: Exchanges
    ) -> None:
        self._config = context.config
        self._random = context.random
        self._membership = membership
        self._table = membership.table
        self._outbox = outbox
        self._exchanges = exchanges
        self._timers = context.timers
        self._statistics = context.statistics
        self._of_peers = context.of_peers
        self._next_tick = 0.0
        self._contacts: dict[str, _Contact] = {}
        self._pings: dict[int, str] = {}
        self._checks: dict[int, str] = {}

    @property
    def handlers(self) -> Handlers:
        """The ticker."""
        return {PROBE: lambda _, now: self.tick(now)}

    def start(self, now: float) -> None:
        """Begin, at a random point of the interval so that members do not ping in step."""
        if self._config.probe_interval > 0:
            self._next_tick = now + self._random.random() * self._config.probe_interval
            self._timers.set((PROBE, 0), self._next_tick)

    def stop(self) -> None:
        """Ping no more."""
        self._timers.cancel((PROBE, 0))
        self._contacts.clear()
        self._pings.clear()
        self._checks.clear()

    def tick(self, now: float) -> None:
        """Ping those who were not pinged for longest; have a stream decide on those who do not answer."""
        interval = self._config.probe_interval
        self._next_tick = max(self._next_tick + interval, now + interval / 2)
        self._timers.set((PROBE, 0), self._next_tick)
        self.members_changed()
        members = [m for m in self._table.all() if m.live and m.name != self._table.name]
        members.sort(key=lambda member: self._contact(member.name).pinged)
        for member in members[:MAX_PINGS]:
            contact = self._contact(member.name)
            # Pings are counted, not seconds: a process that slept blames nobody for its own silence.
            if contact.unanswered >= UNANSWERED:
                self._check(member, contact, now)
            self._ping(member, contact, now)

    def acked(self, sequence_number: int, now: float, source: Address) -> bool:  # noqa: ARG002
        """A ping was answered."""
        name = self._pings.pop(sequence_number, None)
        if name is None:
            return False
        contact = self._contacts.get(name)
        if contact is not None:
            self._statistics.probes_acked += 1
            if contact.pings and contact.pings[-1] == sequence_number:
                self._of_peers.answered(name, now - contact.pinged)
            contact.heard = now
            contact.unanswered = 0
        return True

    def packet_failed(self, destination: Address, now: float) -> None:
        """A packet to ``destination`` is known not to have arrived."""
        member = self._table.at_address(destination)
        if member is not None and member.live and member.name != self._table.name:
            self._statistics.pings_failed_at_once += 1
            self._check(member, self._contact(member.name), now)

    def members_changed(self) -> None:
        """Forget those that are not live members any more."""
        for name in list(self._contacts):
            member = self._table.get(name)
            if member is None or not member.live:
                contact = self._contacts.pop(name)
                for sequence_number in contact.pings:
                    self._pings.pop(sequence_number, None)
                self._checks.pop(contact.check, None)

    def nacked(self, sequence_number: int, now: float) -> None:
        """Nobody is asked to ping for us."""

    def stream_acked(self, sequence_number: int, now: float) -> None:
        """The stream that decides brought an ack."""
        if (contact := self._checked(sequence_number)) is not None:
            self._statistics.stream_pings_acked += 1
            contact.heard = now
            contact.unanswered = 0

    def stream_failed(self, sequence_number: int, now: float) -> None:
        """The stream that decides failed: the member is gone, unless we know better."""
        name = self._checks.get(sequence_number)
        contact = self._checked(sequence_number)
        if name is None or contact is None or contact.heard >= contact.check_began:
            return  # An ack came meanwhile.
        if now - contact.check_began > self._patience + self._config.probe_interval:
            contact.unanswered = 0  # Reported so late that it was this process that slept.
            return
        self._statistics.probes_failed += 1
        self._membership.down(name, now)
        self.members_changed()

    # -- within

    @property
    def _patience(self) -> float:
        """Seconds that a stream has to decide: enough for TCP to repeat what is lost, many times over."""
        return max(3 * self._config.probe_interval, 6 * self._config.probe_timeout)

    def _checked(self, sequence_number: int) -> _Contact | None:
        name = self._checks.pop(sequence_number, None)
        contact = self._contacts.get(name) if name is not None else None
        if contact is not None:
            contact.check = 0
        return contact

    def _contact(self, name: str) -> _Contact:
        return self._contacts.setdefault(name, _Contact())

    def _ping(self, member: Member, contact: _Contact, now: float) -> None:
        sequence_number = self._outbox.next_sequence_number()
        contact.pinged = now
        contact.unanswered += 1
        contact.pings.append(sequence_number)
        if len(contact.pings) > _REMEMBERED:
            self._pings.pop(contact.pings.popleft(), None)
        self._pings[sequence_number] = member.name
        self._statistics.probes += 1
        self._outbox.send(member.address, member.name, self._outbox.ping(sequence_number, member.name))

    def _check(self, member: Member, contact: _Contact, now: float) -> None:
        if contact.check:
            return
        sequence_number = self._outbox.next_sequence_number()
        ping = self._outbox.ping(sequence_number, member.name)
        exchange = self._exchanges.open(
            ExchangeKind.PING, member.address, member.name, ping, now + self._patience, sequence_number
        )
        if self._exchanges.get(exchange) is not None:
            contact.check, contact.check_began = sequence_number, now
            self._checks[sequence_number] = member.name
