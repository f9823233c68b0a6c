"""Host names to addresses, by the system's resolver."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from tocsin.errors import TransportError
from tocsin.gossip.address import Address


def literal(host: str) -> str | None:
    """The canonical text if ``host`` is an IP address (an IPv4-mapped one as IPv4), else None."""
    try:
        address = ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


async def resolve(host: str, port: int, *, timeout: float) -> list[Address]:
    """All addresses of ``host``, in the resolver's order, without repeats.

    :class:`TransportError` when the name does not resolve within ``timeout`` seconds.
    """
    known = literal(host)
    if known is not None:
        return [Address(known, port)]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise TransportError(f"resolving {host!r} took more than {timeout:g} s") from None
    except OSError as error:
        raise TransportError(f"resolving {host!r} failed: {error.strerror or error}") from None
    addresses = [Address(literal(str(info[4][0])) or str(info[4][0]), port) for info in found]
    return list(dict.fromkeys(addresses))
