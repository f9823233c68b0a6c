"""Which address we advertise to others."""

from __future__ import annotations

import ipaddress
import socket

from tocsin.errors import ConfigError
from tocsin.gossip.address import Address
from tocsin.gossip.discovery.resolve import literal
from tocsin.node.config.commandline import split_host_port

_FLAG = "--cluster.advertise-address"
_WILDCARD = "0.0.0.0"


def advertise_address(listen: Address, flag: str, *, allow_public: bool) -> Address:
    """The address to advertise for a node bound to ``listen`` (its real port filled in).

    ``flag`` is ``--cluster.advertise-address`` or empty. Bound to a wildcard without the flag, the machine's
    own private address is looked up (no packet is sent); a public one only with ``allow_public``, as
    Alertmanager's ``--cluster.allow-insecure-public-advertise-address-discovery``. :class:`ConfigError` when
    no address is found.
    """
    if flag:
        host, port = split_host_port(_FLAG, flag)
        known = literal(host) if host else _WILDCARD
        if known is None:
            raise ConfigError(_FLAG, f"{host!r} is not an IP address", "write ip:port")
        if not ipaddress.ip_address(known).is_unspecified:
            return Address(known, port or listen.port)
        # Nobody could dial 0.0.0.0, though Alertmanager advertises it: only its port is used.
        listen = Address(listen.host, port or listen.port)
    bound = ipaddress.ip_address(listen.host)
    if not bound.is_unspecified:
        return listen
    # [::] takes both families, and a machine may have a private address of one of them alone.
    for version in (4,) if bound.version == 4 else (6, 4):
        found = _outgoing_address(version)
        if found is not None and (allow_public or ipaddress.ip_address(found).is_private):
            return Address(found, listen.port)
    raise ConfigError(
        _FLAG,
        "this machine has no private IP address to advertise",
        f"set {_FLAG} to the ip:port at which peers reach this node",
    )


def _outgoing_address(version: int) -> str | None:
    """The source address the kernel would pick. ``connect`` on a datagram socket sends nothing."""
    family, probe = (socket.AF_INET, "10.255.255.255") if version == 4 else (socket.AF_INET6, "fd00::1")
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            one.connect((probe, 9))
        except OSError:
            return None
        address = str(one.getsockname()[0])
    return None if ipaddress.ip_address(address).is_loopback else literal(address)
