"""Where a peer listens, as it announces it."""

from __future__ import annotations

import ipaddress

from tocsin.gossip.address import Address


def listener_address(text: str, remote: Address) -> Address:
    """The address in a frame's ``from_addr``; a Go peer bound to a wildcard writes ``[::]:port``.

    What is not an IP address and port gives the connection's own address: a host name is never resolved.
    """
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        number = int(port)
    except ValueError:
        return remote
    if not 0 < number < 65536 or not port.isascii():
        return remote
    if address.is_unspecified:
        return Address(remote.host, number)
    return Address.from_packed(address.packed, number)
