"""Where a peer is reached."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple

from tocsin.errors import UserError, WireError


class _HostAndPort(NamedTuple):
    host: str
    port: int


class Address(_HostAndPort):
    """An IP address and a port, 0 to 65535. ``host`` is the canonical text of an IP address, never a name.

    IPv4-mapped IPv6 addresses are held as IPv4, so that the two wire forms of one address compare equal
    (Go compares them byte for byte and calls them a conflict). :class:`UserError` when made of anything else;
    :func:`tocsin.gossip.resolve` finds the addresses of a name.
    """

    __slots__ = ()

    def __new__(cls, host: str, port: int) -> Address:
        if not isinstance(port, int) or not 0 <= port <= 65535:
            raise UserError(f"the port of an address is a number from 0 to 65535, not {port!r}")
        return super().__new__(cls, _canonical_host(host), port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """From ``192.0.2.1:7946`` or ``[2001:db8::1]:7946``; :class:`UserError` for anything else."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit():
            raise UserError(f"an address is written host:port, not {text!r}")
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    @property
    def packed(self) -> bytes:
        """4 or 16 bytes, network order."""
        return _packed(self.host)

    @classmethod
    def from_packed(cls, packed: bytes, port: int) -> Address:
        """From the wire's 4 or 16 bytes; :class:`WireError` for any other length."""
        return _unpacked(packed, port)


@lru_cache(maxsize=16384)
def _packed(host: str) -> bytes:
    return ipaddress.ip_address(host).packed


@lru_cache(maxsize=16384)
def _unpacked(packed: bytes, port: int) -> Address:
    if len(packed) == 4:
        return Address(str(ipaddress.IPv4Address(packed)), port)
    if len(packed) == 16:
        address = ipaddress.IPv6Address(packed)
        return Address(str(address.ipv4_mapped or address), port)
    raise WireError("address", f"an address has 4 or 16 bytes, not {len(packed)}")


@lru_cache(maxsize=16384)
def _canonical_host(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise UserError(
            f"the host of an address is an IP address, not {host!r}; tocsin.gossip.resolve looks names up"
        ) from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
