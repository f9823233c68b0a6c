"""Push/pull: when, what is refused, and how a peer's table is merged (spec 2.7, 2.8)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.admission import Admission
from tocsin.gossip.core.effects import Event, ExchangeKind, ProtocolTrouble, RemoteState, StateRequest
from tocsin.gossip.core.exchanges import Exchange, Exchanges
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.membership import VERSIONS, Membership, TimerName
from tocsin.gossip.core.statistics import Statistics
from tocsin.gossip.core.steps import Steps
from tocsin.gossip.core.timers import Timers
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import (
    Alive,
    Dead,
    ErrorResponse,
    MemberState,
    Message,
    NodeState,
    Pieces,
    PushPull,
    Suspect,
)

if TYPE_CHECKING:
    from random import Random

PUSH_PULL = "push/pull"
ENTRIES_AT_ONCE = 64
"""Of a peer's table, applied before other work may have a turn."""
UNSCALED = 32
"""Up to so many members the interval is used as it is."""

_NO_VERSIONS = bytes(len(VERSIONS))


def interval_scale(known: int) -> int:
    """By how much the interval is stretched with ``known`` members: 1, then 2 from 33, 3 from 65 ..."""
    if known <= UNSCALED:
        return 1
    return math.ceil(math.log2(known) - math.log2(UNSCALED)) + 1


def incompatibility(local: Iterable[Member], remote: Iterable[NodeState]) -> str:
    """Why two tables cannot be one cluster, or empty.

    The alive members of both span a range: from the largest minimum to the smallest maximum. Every member of
    both, dead ones too, must currently speak a version within it; missing versions count as 0. This is done
    for the protocol and the delegate separately.
    """
    alive: dict[bytes, None] = {}
    spoken: dict[bytes, str] = {}
    for entry in remote:
        whole = len(entry.versions) == len(VERSIONS)
        spoken.setdefault(entry.versions if whole else _NO_VERSIONS, entry.name)
        if whole and entry.state == MemberState.ALIVE:
            alive[entry.versions] = None
    for member in local:
        spoken.setdefault(member.versions, member.name)
        if member.state is MemberState.ALIVE:
            alive[member.versions] = None
    for offset, kind in ((0, "protocol"), (3, "delegate")):
        low = max((versions[offset] for versions in alive), default=0)
        high = min((versions[offset + 1] for versions in alive), default=255)
        for versions, name in spoken.items():
            if not low <= (current := versions[offset + 2]) <= high:
                return f"{kind} version {current} of {name[:64]!r} is not within {low} to {high}"
    return ""


def merge(
    nodes: Iterable[NodeState],
    membership: Membership,
    statistics: Statistics,
    source: Address,
    now: float,
    peer: PeerIdentity | None = None,
) -> Steps[None]:
    """Apply a peer's table entry by entry, some at a time. Its dead are only suspects to us: each may still
    refute, and has its time from the step on in which it was accused."""
    for number, entry in enumerate(nodes):
        if number % ENTRIES_AT_ONCE == 0:
            later = yield
            now = now if later is None else later
        if entry.state == MemberState.ALIVE:
            alive = Alive(
                incarnation=entry.incarnation,
                node=entry.name,
                address=entry.address,
                port=entry.port,
                meta=entry.meta,
                versions=entry.versions,
            )
            membership.apply_alive(alive, now, source, peer)
        elif entry.state == MemberState.LEFT:
            membership.apply_dead(Dead(entry.incarnation, entry.name, entry.name), now)
        elif entry.state in (MemberState.SUSPECT, MemberState.DEAD):
            membership.apply_suspect(Suspect(entry.incarnation, entry.name, membership.name), now)
        else:
            statistics.messages_refused += 1


class StateExchange:
    """Our side of push/pull: the periodic one, joins, and answering those of others."""

    def __init__(
        self,
        config: GossipConfig,
        state_for: Callable[[StateRequest], bytes | Pieces],
        *,
        random: Random,
        membership: Membership,
        admission: Admission,
        exchanges: Exchanges,
        timers: Timers[TimerName],
        statistics: Statistics,
        events: list[Event],
    ) -> None:
        self._config = config
        self._state_for = state_for
        self._random = random
        self._membership = membership
        self._admission = admission
        self._exchanges = exchanges
        self._timers = timers
        self._statistics = statistics
        self._events = events
        self._periodic = 0
        self._believing = False

    def start(self, now: float) -> None:
        """Begin the periodic exchange, at a random point of the first interval."""
        if self._config.push_pull_interval > 0:
            first = self._random.random() * self._config.push_pull_interval
            self._timers.set((PUSH_PULL, 0), now + first)

    def stop(self) -> None:
        """Begin no more exchanges; those under way go on."""
        self._timers.cancel((PUSH_PULL, 0))
        self._periodic = 0

    def tick(self, now: float) -> None:
        """The timer fired: exchange with one random alive member. The next waits until this one is over."""
        chosen = self._membership.choose(1, lambda member: member.state is MemberState.ALIVE)
        if not chosen:
            self._arm(now)
            return
        member = chosen[0]
        self._periodic = self._open(ExchangeKind.PUSH_PULL, member.address, member.name, now)
        if self._exchanges.get(self._periodic) is None:
            self.finished(self._periodic, now)

    def join(self, address: Address, now: float) -> int:
        """Exchange states with whoever is at ``address``."""
        return self._open(ExchangeKind.JOIN, address, "", now)

    def answer(
        self, message: PushPull, source: Address, now: float, peer: PeerIdentity | None = None
    ) -> Steps[PushPull | None]:
        """Merge a peer's state, in steps; the answer is ours as it was before.

        None: neither, the peer is refused.
        """
        if message.join and not self._admission.may_join(peer, now):
            return None
        if objection := self._admission.state_objection(message.nodes, peer):
            self._refuse("name_binding", objection, source)
            return None
        answer = self._own_state(StateRequest(message.join, received=message.user_state))
        self._statistics.push_pulls_answered += 1
        yield from self._merge(message, source, now, peer)
        return answer

    def replied(
        self, exchange: Exchange, message: Message | None, now: float, peer: PeerIdentity | None = None
    ) -> Steps[str]:
        """Merge the answer to ours, in steps; returns what was wrong with it, or empty."""
        if isinstance(message, PushPull):
            if objection := self._admission.state_objection(message.nodes, peer):
                return self._refuse("name_binding", objection, exchange.destination)
            if exchange.kind is ExchangeKind.JOIN and self._membership.live == 1 and not self._believing:
                return (yield from self._believe(message, exchange.destination, now))
            return (yield from self._merge(message, exchange.destination, now, peer))
        if isinstance(message, ErrorResponse):
            return f"the peer answered: {message.error[:256]}"
        return "the answer is not a push/pull"

    def finished(self, exchange: int, now: float) -> None:
        """An exchange is over, well or not."""
        if exchange == self._periodic != 0:
            self._periodic = 0
            self._arm(now)

    def _own_state(self, request: StateRequest) -> PushPull:
        nodes, state = self._membership.entries(), self._state_for(request)
        if isinstance(state, bytes):
            return PushPull(request.join, nodes, state)
        return PushPull(request.join, nodes, pieces=state)

    def _arm(self, now: float) -> None:
        scale = interval_scale(self._membership.known)
        self._timers.set((PUSH_PULL, 0), now + self._config.push_pull_interval * scale)

    def _open(self, kind: ExchangeKind, destination: Address, node: str, now: float) -> int:
        self._statistics.push_pulls_started += 1
        # One stream timeout to connect and one for the states to pass.
        deadline = now + 2 * self._config.stream_timeout
        message = self._own_state(StateRequest(kind is ExchangeKind.JOIN, node, destination))
        return self._exchanges.open(kind, destination, node, message, deadline)

    def _refuse(self, reason: str, problem: str, source: Address) -> str:
        self._statistics.merges_refused += 1
        self._events.append(ProtocolTrouble(reason, problem, source))
        return problem

    def _believe(self, message: PushPull, source: Address, now: float) -> Steps[str]:
        """Alone, we believe whom we chose to join: one, and not all whose answers come at the same time."""
        self._believing = True
        try:
            return (yield from self._merge(message, source, now, None))
        finally:
            self._believing = False

    def _merge(self, message: PushPull, source: Address, now: float, peer: PeerIdentity | None) -> Steps[str]:
        problem = incompatibility(self._membership.all(), message.nodes)
        if problem:
            return self._refuse("push_pull", problem, source)
        yield from merge(message.nodes, self._membership, self._statistics, source, now, peer)
        if message.user_state:
            self._events.append(RemoteState(message.user_state, message.join, source))
        return ""
