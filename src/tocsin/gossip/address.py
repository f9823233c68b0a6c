"""Where a peer is reached."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from tocsin.errors import WireError


class Address(NamedTuple):
    """An IP address and a port. ``host`` is the canonical text of an IP address, never a name.

    IPv4-mapped IPv6 addresses are held as IPv4, so that the two wire forms of one address compare equal
    (Go compares them byte for byte and calls them a conflict).
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def packed(self) -> bytes:
        """4 or 16 bytes, network order."""
        return ipaddress.ip_address(self.host).packed

    @classmethod
    def from_packed(cls, packed: bytes, port: int) -> Address:
        """From the wire's 4 or 16 bytes; :class:`WireError` for any other length."""
        if len(packed) == 4:
            return cls(str(ipaddress.IPv4Address(packed)), port)
        if len(packed) == 16:
            address = ipaddress.IPv6Address(packed)
            return cls(str(address.ipv4_mapped or address), port)
        raise WireError("address", f"an address has 4 or 16 bytes, not {len(packed)}")
