"""What others say has become of a live member: that it is dead, or has left. It is asked first.

SWIM takes such a message from anybody, at once. Whoever may send one could so take any member away: one that
is said to have left is not gossiped to, hears of it with the next exchange of states at the earliest, and its
name is free for another address meanwhile. Where the transport knows who speaks, only the member itself
leaves at once. Any other such message is sent on to the member, which refutes it if it is there. If it says
nothing until the patience is over, the message counts.
"""

from __future__ import annotations

from math import ceil, log2
from typing import Final

from tocsin.gossip.core.context import Context
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.outbox import Outbox
from tocsin.gossip.core.table import MemberTable
from tocsin.gossip.peer import PeerIdentity
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Dead

VERDICT: Final = "verdict"


def is_own_word(member: Member, peer: PeerIdentity | None) -> bool:
    """Whether ``peer`` is the member itself, as far as the transport knows: at its host, or of its name."""
    return peer is not None and (peer.host == member.address.host or peer.carries(member.name))


class Verdicts:
    """Those that wait for the member's own word, at most one of each member."""

    __slots__ = ("_context", "_outbox", "_table", "_waiting")

    def __init__(self, context: Context, table: MemberTable, outbox: Outbox) -> None:
        self._context = context
        self._table = table
        self._outbox = outbox
        self._waiting: dict[str, Dead] = {}

    def must_wait(self, message: Dead, member: Member, peer: PeerIdentity | None) -> bool:
        """Whether the member is to be asked about what ``peer`` says."""
        if peer is None or not member.live:
            return False
        return message.node != message.accuser or not is_own_word(member, peer)

    def put(self, message: Dead, member: Member, now: float) -> None:
        """Put it to the member, unless another one waits; of two that wait the later counts, a leave before
        a death."""
        waiting = self._waiting.get(member.name)
        if waiting is not None:
            self._waiting[member.name] = max(waiting, message, key=_lateness)
            return
        self._context.statistics.verdicts_put += 1
        self._waiting[member.name] = message
        self._outbox.send_to(member, [encode_message(message)])
        self._context.timers.set((VERDICT, member.name), now + self.patience)

    @property
    def patience(self) -> float:
        """Seconds for the message to get there, and for the answer to get round."""
        config = self._context.config
        return config.probe_timeout + config.gossip_interval * (3 + ceil(log2(self._table.known)))

    def take(self, name: str) -> Dead | None:
        """The one that has waited long enough."""
        return self._waiting.pop(name, None)

    def drop(self, name: str) -> None:
        """The member has spoken, or is gone anyway."""
        if self._waiting.pop(name, None) is not None:
            self._context.timers.cancel((VERDICT, name))


def _lateness(message: Dead) -> tuple[int, bool]:
    return message.incarnation, message.node == message.accuser
