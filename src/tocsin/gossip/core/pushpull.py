"""Push/pull: when, with whom, and what is refused (wire 2.7, 2.8)."""

from __future__ import annotations

import math
from collections.abc import Callable

from tocsin.errors import UserError
from tocsin.gossip.address import Address
from tocsin.gossip.core.admission import Admission
from tocsin.gossip.core.context import Context, Handlers
from tocsin.gossip.core.effects import ExchangeKind, ProtocolError, RemoteState, StateRequest
from tocsin.gossip.core.exchanges import Exchange, Exchanges
from tocsin.gossip.core.roles import Membership
from tocsin.gossip.core.steps import Steps
from tocsin.gossip.core.table import MemberTable
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.messages import ErrorResponse, MemberState, Message, Pieces, PushPull

PUSH_PULL = "push/pull"
UNSCALED = 32
"""Up to so many members the interval is used as it is."""


def interval_scale(known: int) -> int:
    """By how much the interval is stretched with ``known`` members: 1, then 2 from 33, 3 from 65 ..."""
    if known <= UNSCALED:
        return 1
    return math.ceil(math.log2(known) - math.log2(UNSCALED)) + 1


class StateExchange:
    """Our side of push/pull: the periodic one, joins, and answering those of others."""

    def __init__(
        self,
        context: Context,
        table: MemberTable,
        membership: Membership,
        admission: Admission,
        exchanges: Exchanges,
        state_for: Callable[[StateRequest], bytes | Pieces],
    ) -> None:
        self._config = context.config
        self._state_for = state_for
        self._random = context.random
        self._table = table
        self._membership = membership
        self._admission = admission
        self._exchanges = exchanges
        self._timers = context.timers
        self._statistics = context.statistics
        self._events = context.events
        self._periodic = 0
        self._believing = False

    @property
    def handlers(self) -> Handlers:
        """The periodic exchange."""
        return {PUSH_PULL: lambda _, now: self.tick(now)}

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
        chosen = self._table.choose(1, lambda member: member.state is MemberState.ALIVE)
        if not chosen:
            self._arm(now)
            return
        member = chosen[0]
        self._periodic = self._open(ExchangeKind.PUSH_PULL, member.address, member.name, now)
        if self._exchanges.get(self._periodic) is None:
            self.finished(self._periodic, now)

    def join(self, address: Address, now: float) -> int:
        """Exchange states with the node at ``address``."""
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
        try:
            answer = self._own_state(StateRequest(message.join, received=message.user_state))
        except UserError as error:
            self._refuse("local_state", str(error), source)
            return None
        self._statistics.push_pulls_answered += 1
        yield from self._merge(message, source, now, peer)
        return answer

    def replied(
        self, exchange: Exchange, message: Message | None, now: float, peer: PeerIdentity | None = None
    ) -> Steps[str]:
        """Merge the answer to ours, in steps; returns what was wrong with it, or empty."""
        if isinstance(message, PushPull):
            if problem := self._membership.introduce(message.nodes, exchange.destination, now, peer):
                return problem
            if objection := self._admission.state_objection(message.nodes, peer):
                return self._refuse("name_binding", objection, exchange.destination)
            if exchange.kind is ExchangeKind.JOIN and self._table.live == 1 and not self._believing:
                return (yield from self._believe(message, exchange.destination, now))
            return (yield from self._merge(message, exchange.destination, now, peer))
        if isinstance(message, ErrorResponse):
            return f"the peer answered: {message.error[:256]}"
        return "the answer is not a push/pull"

    def conflict(self, message: Message | None) -> Address | None:
        """The address that has our name in a peer's table, if it is not ours."""
        table = self._table
        for entry in message.nodes if isinstance(message, PushPull) else ():
            if entry.name == table.name and entry.state == MemberState.ALIVE and entry.port:
                address = Address.from_packed(entry.address, entry.port)
                return address if address != table.local.address else None
        return None

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
        scale = interval_scale(self._table.known)
        self._timers.set((PUSH_PULL, 0), now + self._config.push_pull_interval * scale)

    def _open(self, kind: ExchangeKind, destination: Address, node: str, now: float) -> int:
        self._statistics.push_pulls_started += 1
        # One stream timeout to connect and one for the states to pass.
        deadline = now + 2 * self._config.stream_timeout
        try:
            message = self._own_state(StateRequest(kind is ExchangeKind.JOIN, node, destination))
        except UserError as error:
            return self._exchanges.refuse(kind, destination, str(error))
        return self._exchanges.open(kind, destination, node, message, deadline)

    def _refuse(self, reason: str, problem: str, source: Address) -> str:
        self._statistics.merges_refused += 1
        self._events.append(ProtocolError(reason, problem, source))
        return problem

    def _believe(self, message: PushPull, source: Address, now: float) -> Steps[str]:
        """Alone, we believe whom we chose to join: one, and not all whose answers come at the same time."""
        self._believing = True
        try:
            return (yield from self._merge(message, source, now, None))
        finally:
            self._believing = False

    def _merge(self, message: PushPull, source: Address, now: float, peer: PeerIdentity | None) -> Steps[str]:
        if problem := (yield from self._membership.merge(message.nodes, source, now, peer)):
            return self._refuse("push_pull", problem, source)
        if message.user_state:
            self._events.append(RemoteState(message.user_state, message.join, source))
        return ""
