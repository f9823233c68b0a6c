"""Whose an address is, where something is shared among all clients: connections, handshakes, memory."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)
def source_of(host: str) -> str:
    """One name for all addresses that one machine may take as it likes.

    An IPv4 address, also one written as IPv6, is itself. Of IPv6 a whole /64 is one source, since that is
    what a single machine is usually given (RFC 6177, RFC 7934). What is not an address is itself.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
