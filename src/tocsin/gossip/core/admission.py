"""Who becomes a member: newcomers are asked first, and with name binding must prove their name.

SWIM believes every peer that says that a member exists. So one holder of a valid certificate could fill every
member table with fabricated members, which are probed, gossiped to, and counted in the positions of peers.
Here a name that was unknown is a *newcomer*: it is pinged, and becomes a member (and is gossiped) when it has
answered. Until then it is nobody's business: not in the table, not gossiped to, not named in gossip. How
many may wait is bounded in all, for each certificate that brings them, and for each address that they claim.

Three are believed at once: a member that our own first join brings, because somebody has to be; one at a time
of those that join us from their own address, so that an honest joiner hears everything from its first moment;
and, in a large cluster, members announced by the holders of three certificates, so that not everyone dials
everyone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from tocsin.bounded import Memo, Quota
from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.core.context import Context, Handlers
from tocsin.gossip.core.effects import ProtocolError
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.core.table import MemberTable
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Alive, NodeState

NEWCOMER = "newcomer"
LARGE = 128
"""Members from which on three witnesses are enough and a relayed newcomer is not pinged at once."""
WITNESSES = 3
PATIENCE = 2.0
"""Seconds that a relayed newcomer of a large cluster may wait for its witnesses."""
MAX_JOINERS = 4096
"""Pairs of certificate and address whose joins are counted; the longest unseen is forgotten."""


@dataclass(slots=True)
class _Newcomer:
    message: Alive
    address: Address
    introducer: str
    sequence_number: int
    deadline: float
    wait: float
    slot: tuple[str, str] | None
    """Already a member, on credit that one of this certificate and address has at a time."""
    witnesses: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A newcomer that has answered."""

    message: Alive
    address: Address


class Admission:
    """The admission policy of one member table. Never raises."""

    def __init__(
        self,
        context: Context,
        table: MemberTable,
        outbox: Outbox,
    ) -> None:
        config = self._config = context.config
        self._context = context
        self._random = context.random
        self._table = table
        self._outbox = outbox
        self._timers = context.timers
        self._statistics = context.statistics
        self._waiting: dict[str, _Newcomer] = {}
        self._asked: dict[int, str] = {}
        self._of_introducer: Quota[str] = Quota(config.max_newcomers_per_peer, config.max_newcomers)
        self._of_host: Quota[str] = Quota()
        self._slots: set[tuple[str, str]] = set()
        self._joins: Memo[tuple[str, str], tuple[float, float]] = Memo(MAX_JOINERS)
        self._found: Memo[Address, PeerIdentity] = Memo(config.max_members)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def handlers(self) -> Handlers:
        """Newcomers are asked again, or given up."""
        return {NEWCOMER: self.timed_out}

    # -- names

    def objection(self, message: Alive, address: Address, source: Address, peer: PeerIdentity | None) -> str:
        """With name binding: why ``address`` cannot have the name, as far as is known now; or empty."""
        if not self._config.bind_names:
            return ""
        name = message.node
        if peer is not None and source == address and not peer.carries(name):
            return self._name_refused("claimed", f"claims to be {name[:64]!r}, which its certificate is not")
        found = self._found.get(address)
        if found is not None and not found.carries(name):
            return self._name_refused("known", f"what answers at {address} is not {name[:64]!r}")
        return ""

    def speaks_for(self, name: str, address: Address, peer: PeerIdentity | None) -> bool:
        """Whether a message of ``peer`` may be one of that member at that address: its certificate carries
        the name, or, unless names are bound, it is that host or the one that was seen at the address. True
        where the transport knows nobody."""
        if peer is None or peer.carries(name):
            return True
        if self._config.bind_names:
            return False
        found = self._found.get(address)
        seen = found is not None and found.certificate == peer.certificate != ""
        return seen or peer.host == address.host

    def state_objection(self, nodes: Iterable[NodeState], peer: PeerIdentity | None) -> str:
        """With name binding: a member's table holds the member itself, under a name that it may have."""
        if not self._config.bind_names or peer is None or any(peer.carries(node.name) for node in nodes):
            return ""
        return self._name_refused("state", "the sender's table has none of the names of its certificate")

    def peer_identified(self, address: Address, peer: PeerIdentity) -> list[str]:
        """This is who answers at ``address``; with name binding, the members there of other names.

        They are rejected: the caller removes them.
        """
        rejected: list[str] = []
        if address == self._table.local.address:
            return rejected
        self._found.put(address, peer)
        if not self._config.bind_names:
            return rejected
        for name, newcomer in list(self._waiting.items()):
            if newcomer.address == address and not peer.carries(name):
                self._forget(name)
                self._report(self._name_refused("contacted", _wrong(name, address)), address)
        for member in self._table.all():
            if member.address == address and member.live and not peer.carries(member.name):
                self._forget(member.name)
                rejected.append(member.name)
                self._statistics.members_quarantined += 1
                self._report(self._name_refused("contacted", _wrong(member.name, address)), address)
        return rejected

    # -- newcomers

    def may_join(self, peer: PeerIdentity | None, now: float) -> bool:
        """Whether one more join of this peer is answered: so many at once, then so many a second."""
        if peer is None:
            return True
        config, key = self._config, (peer.certificate, peer.host)
        tokens, since = self._joins.get(key) or (float(config.join_burst), now)
        tokens = min(float(config.join_burst), tokens + (now - since) * config.join_rate)
        allowed = tokens >= 1
        self._joins.put(key, (tokens - allowed, now))
        self._statistics.joins_refused += not allowed
        return allowed

    def admit(self, message: Alive, address: Address, peer: PeerIdentity | None, now: float) -> bool:
        """Whether an unknown name becomes a member at once; else it waits, if there is room.

        ``peer`` is who says so; None: somebody we believe, or a transport that authenticates nobody.
        """
        if peer is None:
            return True
        name, host = message.node, address.host
        waiting = self._waiting.get(name)
        if waiting is not None:
            return self._heard_again(waiting, message, address, peer)
        config = self._config
        if self._of_host.of(host) + self._table.at_host(host) >= config.max_members_per_host:
            return self._refuse("host")
        if self._of_introducer.full_of(peer.certificate):
            return self._refuse("certificate")
        if self._of_introducer.full:
            return self._refuse("total")
        slot = (peer.certificate, host) if peer.host == host else None
        if slot in self._slots:
            slot = None
        if slot is not None:
            self._slots.add(slot)
        self._of_host.add(host)
        self._of_introducer.add(peer.certificate)
        number = self._number()
        self._asked[number] = name
        newcomer = self._waiting[name] = _Newcomer(
            message,
            address,
            peer.certificate,
            number,
            now + config.newcomer_timeout,
            config.probe_timeout,
            slot,
            {peer.certificate},
        )
        if peer.host != host and self._table.known > LARGE:
            self._timers.set((NEWCOMER, name), now + self._random.random() * PATIENCE)
        else:
            self._ask(name, newcomer, now)
        return slot is not None

    def acked(self, sequence_number: int) -> tuple[bool, Admitted | None]:
        """Whether it was a newcomer that answered, and what makes it a member now, if it is to become one."""
        name = self._asked.get(sequence_number)
        newcomer = self._forget(name) if name is not None else None
        if name is None or newcomer is None:
            return False, None
        found = self._found.get(newcomer.address)
        if self._config.bind_names and (found is None or not found.carries(name)):
            self._report(self._name_refused("contacted", _wrong(name, newcomer.address)), newcomer.address)
            return True, None
        self._statistics.newcomers_confirmed += 1
        admitted = Admitted(newcomer.message, newcomer.address) if newcomer.slot is None else None
        return True, admitted

    def timed_out(self, name: str, now: float) -> None:
        """Ask a newcomer again, or give it up."""
        newcomer = self._waiting.get(name)
        if newcomer is None:
            return
        if now >= newcomer.deadline:
            self._statistics.newcomers_expired += 1
            self._forget(name)
        else:
            self._ask(name, newcomer, now)

    # -- within

    def _heard_again(self, waiting: _Newcomer, message: Alive, address: Address, peer: PeerIdentity) -> bool:
        if waiting.address != address:
            return self._refuse("conflict")
        if message.incarnation > waiting.message.incarnation:
            waiting.message = message
        if self._table.known <= LARGE:
            return False
        waiting.witnesses.add(peer.certificate)
        if len(waiting.witnesses) < WITNESSES:
            return False
        self._statistics.newcomers_confirmed += 1
        self._forget(message.node)
        return True

    def _ask(self, name: str, newcomer: _Newcomer, now: float) -> None:
        """Without the membership updates that pings carry otherwise: a fabricated member would use up their
        retransmissions."""
        ping = encode_message(self._outbox.ping(newcomer.sequence_number, name))
        self._outbox.send_parts(newcomer.address, name, [ping], checksum=False)
        self._timers.set((NEWCOMER, name), min(now + newcomer.wait, newcomer.deadline))
        newcomer.wait *= 2

    def _number(self) -> int:
        """Not to be guessed, or an ack could be forged; apart from the numbers of probes."""
        while True:
            number = 1 << 31 | self._outbox.next_sequence_number()
            if number not in self._asked:
                return number

    def _forget(self, name: str) -> _Newcomer | None:
        newcomer = self._waiting.pop(name, None)
        if newcomer is None:
            return None
        del self._asked[newcomer.sequence_number]
        self._timers.cancel((NEWCOMER, name))
        self._of_host.release(newcomer.address.host)
        self._of_introducer.release(newcomer.introducer)
        if newcomer.slot is not None:
            self._slots.discard(newcomer.slot)
        return newcomer

    def _refuse(self, bound: str) -> bool:
        counts = self._statistics.newcomers_refused
        counts[bound] = counts.get(bound, 0) + 1
        return False

    def _name_refused(self, how: str, detail: str) -> str:
        counts = self._statistics.names_refused
        counts[how] = counts.get(how, 0) + 1
        return detail

    def _report(self, detail: str, source: Address) -> None:
        self._context.report(ProtocolError("name_binding", detail, source))


def _wrong(name: str, address: Address) -> str:
    return f"the certificate of what answers at {address} is not of {name[:64]!r}"
