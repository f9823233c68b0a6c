"""How many bytes things are, by the real encoders, for a cluster in which all names have the same length."""

from __future__ import annotations

from tocsin.gossip.address import Address
from tocsin.gossip.config import GossipConfig
from tocsin.gossip.core.broadcast import PART_OVERHEAD
from tocsin.gossip.core.local import VERSIONS
from tocsin.gossip.wire.codec import encode_message
from tocsin.gossip.wire.framing import encode_packet_frame
from tocsin.gossip.wire.messages import Ack, MemberState, NodeState, Ping, PushPull, User
from tocsin.gossip.wire.packet import PacketCodec
from tocsin.gossip.wire.stream import StreamCodec

TLS_RECORD = 22
"""Bytes that TLS 1.3 adds to a record."""
HANDSHAKE = 4116
"""Both ways, of a full mutual handshake with certificates as ``tocsinctl certs`` makes them, session tickets
included. Measured with the real sessions (a test does it again); a resumed one has less than half."""
RUMOUR = 200
"""Bytes of the application's message; a silence with two matchers and a comment has about so many."""

_ADDRESS = Address("10.100.100.100", 9094)
_NAME = "node-00000"


def framed(packet: bytes) -> int:
    """A packet on the wire: a frame of Alertmanager's in a TLS record. ``tocsin/1`` needs less."""
    return len(encode_packet_frame(packet, str(_ADDRESS))) + TLS_RECORD


class Sizes:
    """Bytes. ``packet``: what a packet has beside its messages; ``room``: for so many bytes of these."""

    def __init__(self, config: GossipConfig, members: int) -> None:
        codec = PacketCodec(label=config.label, compression=config.compression)
        ping = Ping(2**16, _NAME, _ADDRESS.packed, _ADDRESS.port, _NAME)
        self.ping = len(encode_message(ping))
        self.ack = len(encode_message(Ack(2**16)))
        self.rumour = len(encode_message(User(bytes(RUMOUR))))
        (packet,) = codec.encode([encode_message(ping)], checksum=False)
        self.packet = framed(packet) - self.ping
        self.room = config.packet_size - PART_OVERHEAD - codec.overhead
        self.handshake = HANDSHAKE
        entry = NodeState(
            name=_NAME,
            address=_ADDRESS.packed,
            port=_ADDRESS.port,
            incarnation=1,
            state=int(MemberState.ALIVE),
            meta=b"",
            versions=VERSIONS,
        )
        state = PushPull(join=False, nodes=(entry,) * members, user_state=b"")
        stream = StreamCodec(label=config.label, compression=config.compression)
        self.state = sum(len(data) + TLS_RECORD for data in stream.encode(state, reply=False))
