"""The streams that we opened and whose outcome is still to be reported."""

from __future__ import annotations

from tocsin.dataclass import dataclass
from tocsin.gossip.address import Address
from tocsin.gossip.core.context import Context
from tocsin.gossip.core.effects import ExchangeFinished, ExchangeKind, OpenStream
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.wire.messages import Message
from tocsin.gossip.wire.stream import StreamCodec

EXCHANGE = "exchange"
MAX_EXCHANGES = 4096
GRACE = 1.0
"""Seconds that the driver's own report may come after the deadline, before the exchange is given up."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One stream of ours. ``sequence_number`` is that of a ping, else 0."""

    identifier: int
    kind: ExchangeKind
    destination: Address
    sequence_number: int = 0


class Exchanges:
    """Bounded in number and, by a timer for each, in time: a driver that never reports leaks nothing."""

    def __init__(self, context: Context, codec: StreamCodec, outbox: Outbox) -> None:
        self._codec = codec
        self._outbox = outbox
        self._timers = context.timers
        self._statistics = context.statistics
        self._events = context.events
        self._pending: dict[int, Exchange] = {}
        self._identifier = 0

    def __len__(self) -> int:
        return len(self._pending)

    def open(
        self,
        kind: ExchangeKind,
        destination: Address,
        node: str,
        message: Message,
        deadline: float,
        sequence_number: int = 0,
    ) -> int:
        """Have a stream opened and ``message`` written; the answer's number is how it will be reported."""
        self._identifier += 1
        exchange = Exchange(self._identifier, kind, destination, sequence_number)
        if len(self._pending) >= MAX_EXCHANGES:
            self._statistics.exchanges_refused += 1
            self._finished(exchange, f"{MAX_EXCHANGES} exchanges are under way")
            return exchange.identifier
        self._pending[exchange.identifier] = exchange
        self._timers.set((EXCHANGE, exchange.identifier), deadline + GRACE)
        self._outbox.actions.append(
            OpenStream(
                exchange=exchange.identifier,
                kind=kind,
                destination=destination,
                node=node,
                writes=self._codec.encode(message, reply=False),
                expects_reply=kind is not ExchangeKind.USER,
                deadline=deadline,
            )
        )
        return exchange.identifier

    def get(self, identifier: int) -> Exchange | None:
        """The exchange, or None when it is over or never was."""
        return self._pending.get(identifier)

    def with_states(self, destination: Address) -> bool:
        """Whether states are being exchanged with ``destination``."""
        return any(
            each.destination == destination and each.kind in (ExchangeKind.JOIN, ExchangeKind.PUSH_PULL)
            for each in self._pending.values()
        )

    def extend(self, identifier: int, deadline: float) -> None:
        """Give an exchange that is under way more time."""
        if identifier in self._pending:
            self._timers.set((EXCHANGE, identifier), deadline + GRACE)

    def refuse(self, kind: ExchangeKind, destination: Address, error: str) -> int:
        """Report an exchange as failed that cannot be begun."""
        self._identifier += 1
        self._finished(Exchange(self._identifier, kind, destination), error)
        return self._identifier

    def finish(self, exchange: Exchange, error: str, conflict: Address | None = None) -> None:
        """Report the outcome, once."""
        if self._pending.pop(exchange.identifier, None) is not None:
            self._timers.cancel((EXCHANGE, exchange.identifier))
            self._finished(exchange, error, conflict)

    def _finished(self, exchange: Exchange, error: str, conflict: Address | None = None) -> None:
        if error:
            self._statistics.exchanges_failed += 1
        self._events.append(
            ExchangeFinished(exchange.identifier, exchange.kind, exchange.destination, error, conflict)
        )
