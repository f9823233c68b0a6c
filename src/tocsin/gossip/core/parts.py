"""How an endpoint is put together from its parts: each is made with those that it needs, once."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from tocsin.dataclass import dataclass
from tocsin.gossip.core.admission import Admission
from tocsin.gossip.core.broadcast import BroadcastQueue
from tocsin.gossip.core.context import Context, Handlers
from tocsin.gossip.core.effects import StateRequest
from tocsin.gossip.core.exchanges import Exchanges
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.core.partners import Connections, Partners
from tocsin.gossip.core.pushpull import StateExchange
from tocsin.gossip.core.receiver import Receiver
from tocsin.gossip.core.relay import Relays
from tocsin.gossip.core.roles import FailureDetector, Membership
from tocsin.gossip.core.static.membership import StaticMembership
from tocsin.gossip.core.static.reachability import Reachability
from tocsin.gossip.core.swim.membership import SwimMembership
from tocsin.gossip.core.swim.probe import Prober
from tocsin.gossip.core.table import MemberTable
from tocsin.gossip.wire.messages import Pieces
from tocsin.gossip.wire.packet import PacketCodec
from tocsin.gossip.wire.stream import StreamCodec


class MembershipKind(Enum):
    """How members are found and lost."""

    SWIM = "swim"
    """By gossip, as every memberlist does it."""
    STATIC = "static"
    """Discovery lists them; see :mod:`tocsin.gossip.core.static.membership`."""


@dataclass(frozen=True, slots=True)
class Codecs:
    """Between messages and bytes: of packets and of streams."""

    packets: PacketCodec
    streams: StreamCodec


@dataclass(frozen=True, slots=True)
class Parts:
    """What an endpoint consists of."""

    context: Context
    codecs: Codecs
    table: MemberTable
    member_broadcasts: BroadcastQueue
    user_broadcasts: BroadcastQueue
    partners: Partners
    outbox: Outbox
    admission: Admission
    membership: Membership
    exchanges: Exchanges
    relays: Relays
    detector: FailureDetector
    state_exchange: StateExchange
    receiver: Receiver

    @property
    def handlers(self) -> Handlers:
        """What the timers of all parts call."""
        parts = (self.membership, self.detector, self.admission, self.relays, self.state_exchange)
        return {kind: handler for part in parts for kind, handler in part.handlers.items()}


def assemble(
    kind: MembershipKind,
    context: Context,
    local: Member,
    codecs: Codecs,
    connections: Connections | None,
    state_for: Callable[[StateRequest], bytes | Pieces],
) -> Parts:
    """All parts of a new endpoint."""
    config = context.config
    table = MemberTable(context, local)
    members = BroadcastQueue(config.max_broadcasts, config.max_broadcast_bytes)
    users = BroadcastQueue(config.max_broadcasts, config.max_broadcast_bytes)
    outbox = Outbox(context, codecs.packets, table, members, users)
    admission = Admission(context, table, outbox)
    exchanges = Exchanges(context, codecs.streams, outbox)
    membership: Membership
    detector: FailureDetector
    if kind is MembershipKind.SWIM:
        membership = swim = SwimMembership(context, table, admission, members, outbox)
        detector = Prober(context, swim, outbox, exchanges)
    else:
        membership = static = StaticMembership(context, table, admission, members)
        detector = Reachability(context, static, outbox, exchanges)
    relays = Relays(context, outbox)
    state_exchange = StateExchange(context, table, membership, admission, exchanges, state_for)
    return Parts(
        context=context,
        codecs=codecs,
        table=table,
        member_broadcasts=members,
        user_broadcasts=users,
        partners=Partners(table, connections, context.random),
        outbox=outbox,
        admission=admission,
        membership=membership,
        exchanges=exchanges,
        relays=relays,
        detector=detector,
        state_exchange=state_exchange,
        receiver=Receiver(context, table, outbox, admission, membership, detector, relays, state_exchange),
    )
