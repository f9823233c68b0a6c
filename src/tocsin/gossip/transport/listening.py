"""Sockets to listen on. The wildcard ``::`` takes IPv4 too: one port for members of both families."""

from __future__ import annotations

import contextlib
import socket

from tocsin.gossip.address import Address

WILDCARD = "::"


def bound_socket(address: Address, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Bound to ``address`` and not blocking; the caller listens. :class:`OSError` if it cannot be bound.

    Peers of IPv4 then have IPv4-mapped addresses, which :class:`Address` takes for IPv4 again.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    made = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Where the system has no IPv4 beside IPv6 the option may be refused: then IPv6 alone.
            with contextlib.suppress(OSError):
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address.host != WILDCARD)
        made.bind(tuple(address))
        made.setblocking(False)
    except (OSError, OverflowError):
        made.close()
        raise
    return made
