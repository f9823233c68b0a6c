"""Ourselves in the member table: what others may say of us, and what we answer (wire 2.9)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tocsin.errors import WireError
from tocsin.gossip.address import Address
from tocsin.gossip.core.broadcast import BroadcastQueue
from tocsin.gossip.core.context import Context
from tocsin.gossip.core.effects import NameConflict
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.refutation import MAX_INCARNATION, Refutation
from tocsin.gossip.core.table import MemberTable
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Alive, Dead, MemberState, Suspect

VERSIONS: Final = bytes((1, 5, 2, 0, 0, 0))
"""What we speak: protocol 1 to 5, currently 2; no delegate protocol. Always six bytes."""


def alive_problem(message: Alive, meta_max_size: int) -> str:
    """Why an alive message cannot be taken from anybody, or empty."""
    versions = message.versions
    if not message.node:
        return "no name"
    if len(versions) != len(VERSIONS):
        return f"{len(versions)} version bytes, not {len(VERSIONS)}"
    if versions[0] == 0 or versions[1] == 0 or versions[0] > versions[1]:
        return f"protocol versions {versions[0]} to {versions[1]}"
    if len(message.meta) > meta_max_size:
        return f"{len(message.meta)} bytes of meta, at most {meta_max_size}"
    return ""


class LocalMember:
    """Announces us as alive, and refutes false accusations. ``queue`` is that of membership broadcasts."""

    def __init__(self, context: Context, table: MemberTable, queue: BroadcastQueue) -> None:
        self._context = context
        self._table = table
        self._queue = queue
        self.refutation: Refutation = Refutation(
            context.config.gossip_interval,
            timers=context.timers,
            awareness=context.awareness,
            statistics=context.statistics,
            incarnation=lambda: table.local.incarnation,
            answer=self._answer,
        )

    # -- commands

    def set_meta(self, meta: bytes) -> None:
        """Change our meta, under the next incarnation."""
        local = self._table.local
        incarnation = min(local.incarnation + 1, MAX_INCARNATION)
        self._table.store(replace(local, meta=meta, incarnation=incarnation))

    def readdress(self, address: Address) -> None:
        """Change our own address before anyone knows it."""
        self._table.store(replace(self._table.local, address=address))

    def leave(self, now: float) -> None:
        """Broadcast that we leave; from now on no message makes us alive again."""
        table = self._table
        table.leaving = True
        local = table.local
        if local.live:
            self._queue.add(encode_message(Dead(local.incarnation, local.name, local.name)), local.name)
            table.store(replace(local, state=MemberState.LEFT, state_changed=now))

    def broadcast(self) -> None:
        """Broadcast ourselves as alive."""
        self.broadcast_alive(self._table.local)

    def broadcast_alive(self, member: Member) -> None:
        """Broadcast a member as it is known to be."""
        self._queue.add(
            encode_message(
                Alive(
                    incarnation=member.incarnation,
                    node=member.name,
                    address=member.address.packed,
                    port=member.address.port,
                    meta=member.meta,
                    versions=member.versions,
                )
            ),
            member.name,
        )

    # -- what others say of us

    def apply_alive(self, message: Alive, now: float, source: Address) -> None:
        """Somebody repeats what we said, or claims what we did not: a previous run of ours, or a forgery."""
        local, context = self._table.local, self._context
        if self._table.leaving:
            return
        context.of_peers.alive(local.name)
        try:
            address = Address.from_packed(message.address, message.port or local.address.port)
        except WireError as error:
            context.refuse("address", error.problem, source)
            return
        if problem := alive_problem(message, context.config.meta_max_size):
            context.refuse("alive", problem, source)
            return
        if local.address != address:
            context.statistics.name_conflicts += 1
            context.report(NameConflict(local, address))
            return
        if message.incarnation < local.incarnation:
            return
        same = (message.meta, message.versions) == (local.meta, local.versions)
        if message.incarnation > local.incarnation or not same:
            self.refutation.accused(message.incarnation, now)

    def apply_accusation(self, message: Suspect | Dead, now: float) -> None:
        """Somebody takes us for suspect or dead."""
        local = self._table.local
        if not self.outdated(message, local) and local.live:
            self.refutation.accused(message.incarnation, now)

    def outdated(self, accusation: Suspect | Dead, stored: Member) -> bool:
        """Whether the member has outbid it already. Then somebody has missed that, and it is sent again."""
        if accusation.incarnation >= stored.incarnation:
            return False
        if stored.state is MemberState.ALIVE and not self._queue.holds(stored.name):
            self._context.statistics.accusations_outdated += 1
            self.broadcast_alive(stored)
        return True

    def _answer(self, accused: int) -> None:
        if not self._table.leaving:
            local = self._table.local
            self._table.store(replace(local, incarnation=max(local.incarnation, accused) + 1))
            self.broadcast()
