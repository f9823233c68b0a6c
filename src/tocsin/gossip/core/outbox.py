"""What is to be sent: packets filled with broadcasts, and streams."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from tocsin.gossip.address import Address
from tocsin.gossip.core.broadcast import PART_OVERHEAD, BroadcastQueue, transmit_limit
from tocsin.gossip.core.context import Context
from tocsin.gossip.core.effects import Action, SendPacket
from tocsin.gossip.core.member import Member
from tocsin.gossip.core.table import MemberTable
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.messages import Message, Ping
from tocsin.gossip.wire.packet import PacketCodec

MAX_PARTS = 255
"""A compound's count is one byte; Go peers let it wrap (wire 1.4)."""
CHECKSUM_PROTOCOL = 5
SMALL_CLUSTER = 16
"""With no more other live members, a membership update goes into :data:`SMALL_TRANSMITS` packets for each.

memberlist's four in all may go to the dead, or to the same member, and nobody gossips it to the others again.
"""
SMALL_TRANSMITS = 2


class Outbox:
    """Turns messages into packets. Membership updates go first, application messages fill the remaining
    room."""

    def __init__(
        self,
        context: Context,
        codec: PacketCodec,
        table: MemberTable,
        member_broadcasts: BroadcastQueue,
        user_broadcasts: BroadcastQueue,
    ) -> None:
        config = self._config = context.config
        self._codec = codec
        self._table = table
        self._member_broadcasts = member_broadcasts
        self._user_broadcasts = user_broadcasts
        self._statistics = context.statistics
        room = config.packet_size, max(config.packet_size, config.gossip_bytes or 0)
        self._budget, self._gossip_budget = (size - PART_OVERHEAD - codec.overhead for size in room)
        self._gossip_parts = MAX_PARTS * max(1, self._gossip_budget // config.packet_size)
        self._numbers = 0
        self._key = b""
        self._random = context.random
        self.actions: list[Action] = []

    @property
    def largest_broadcast(self) -> int:
        """Bytes of the longest encoded message that a gossip packet can carry."""
        return self._gossip_budget - PART_OVERHEAD

    @property
    def packet_room(self) -> int:
        """Bytes of a user message's payload that fit a packet of ``packet_size``."""
        return self._budget - 1  # its type

    @property
    def idle(self) -> bool:
        """Nothing is queued."""
        return not self._member_broadcasts and not self._user_broadcasts

    def next_sequence_number(self) -> int:
        """Of a ping: from 1 to 2**31 - 1, not to be guessed, from those before neither. Whoever knows it can
        answer in the member's place, also for one that has died. (memberlist counts: 1, 2, ...)"""
        self._numbers += 1
        if not self._key:
            self._key = self._random.randbytes(16)
        made = blake2b(self._numbers.to_bytes(8), digest_size=4, key=self._key).digest()
        return int.from_bytes(made) >> 1 or 1

    def ping(self, sequence_number: int, node: str) -> Ping:
        """A ping from us; the source fields are always sent, an answer over TLS needs them (wire 5)."""
        local = self._table.local
        return Ping(sequence_number, node, local.address.packed, local.address.port, local.name)

    def send(self, destination: Address, node: str, message: Message) -> None:
        """Send one message with as many broadcasts as fit beside it.

        No checksum: Go peers add none where they know only an address (wire 1.6).
        """
        encoded = encode_message(message)
        room = self._budget - len(encoded)
        self.send_parts(destination, node, [encoded, *self._take(room, MAX_PARTS - 1)], checksum=False)

    def gossip(self, member: Member) -> bool:
        """Send ``member`` a round's worth of broadcasts; False when there was nothing to send."""
        parts = self._take(self._gossip_budget, self._gossip_parts)
        if not parts:
            return False
        self.send_to(member, parts)
        return True

    def gossip_fresh(self, members: Sequence[Member]) -> bool:
        """Send all ``members`` the same broadcasts of the application's, a round's worth that was never sent.

        However many members there are, it counts as having been sent once: the gossip rounds that follow
        repair. True when there is more.
        """
        config, table = self._config, self._table
        limit = transmit_limit(config.user_retransmit_multiplier, table.live)
        parts = self._user_broadcasts.take_fresh(self._gossip_budget, limit, self._gossip_parts)
        for member in members:
            self.send_to(member, parts)
        return bool(parts) and self._user_broadcasts.fresh

    def send_to(self, member: Member, parts: list[bytes]) -> None:
        """Send encoded messages to a member, with a checksum when it understands one."""
        versions = member.versions
        checksum = self._config.checksums and len(versions) > 1 and versions[1] >= CHECKSUM_PROTOCOL
        self.send_parts(member.address, member.name, parts, checksum=checksum)

    def send_parts(self, destination: Address, node: str, parts: list[bytes], *, checksum: bool) -> None:
        """Send encoded messages as they are; never an empty packet (it crashes old Go peers)."""
        if not parts:
            return
        for data in self._codec.encode(parts, checksum=checksum):
            self._statistics.packets_sent += 1
            self._statistics.packet_bytes_sent += len(data)
            self.actions.append(SendPacket(destination, node, data))

    def _take(self, room: int, max_parts: int) -> list[bytes]:
        if self.idle:
            return []
        config, table = self._config, self._table
        limit = transmit_limit(config.retransmit_multiplier, table.known)
        if (others := table.live - 1) <= SMALL_CLUSTER and not table.leaving:
            limit = max(limit, SMALL_TRANSMITS * others)
        parts = self._member_broadcasts.take(room, limit, max_parts)
        if self._user_broadcasts and len(parts) < max_parts:
            room -= sum(map(len, parts)) + PART_OVERHEAD * len(parts)
            limit = transmit_limit(config.user_retransmit_multiplier, table.live)
            parts += self._user_broadcasts.take(room, limit, max_parts - len(parts))
        return parts
