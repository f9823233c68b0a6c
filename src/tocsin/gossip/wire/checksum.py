"""The checksum header of packets (wire 1.6): ``0c``, u32be CRC-32 (IEEE) of what follows."""

from __future__ import annotations

import zlib
from typing import Final

from tocsin.errors import WireError

OVERHEAD: Final = 5


def add_checksum(data: bytes) -> bytes:
    """``data`` behind its checksum."""
    return b"\x0c" + zlib.crc32(data).to_bytes(4, "big") + data


def verify_checksum(packet: bytes) -> bytes:
    """What follows the checksum of ``packet``; :class:`WireError` when it does not fit."""
    if len(packet) < OVERHEAD:
        raise WireError("checksum", "cut")
    data = packet[OVERHEAD:]
    if zlib.crc32(data) != int.from_bytes(packet[1:OVERHEAD], "big"):
        raise WireError("checksum", "does not fit the packet")
    return data
