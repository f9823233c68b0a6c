"""What is sealed: a kind, the port at which the sender listens, and a packet.

``kind (1 byte, 1) | port (2 bytes, big-endian) | packet``. Associations are dialled from a port of their own,
so the receiver could not know otherwise where an answer goes.
"""

from __future__ import annotations

from typing import Final

from tocsin.gossip.address import Address
from tocsin.gossip.transport.dtls.settings import ENVELOPE_BYTES

_PACKET: Final = 1


def seal_envelope(packet: bytes, port: int) -> bytes:
    """``packet`` of a node that listens at ``port``."""
    return bytes([_PACKET]) + port.to_bytes(2, "big") + packet


def open_envelope(plaintext: bytes, remote: Address) -> tuple[bytes, Address] | None:
    """The packet, and where its sender listens; None for another kind, of a version to come."""
    if len(plaintext) < ENVELOPE_BYTES or plaintext[0] != _PACKET:
        return None
    port = int.from_bytes(plaintext[1:3], "big")
    return plaintext[ENVELOPE_BYTES:], Address(remote.host, port) if port else remote
