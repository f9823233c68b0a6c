"""Which DNS name the certificate at an address must carry: that by which the peer was configured or found."""

from __future__ import annotations

from collections.abc import Iterable

from tocsin.gossip.address import Address
from tocsin.gossip.discovery.resolve import literal
from tocsin.gossip.discovery.sources import Target
from tocsin.gossip.transport.base import Transport


def expected_names(targets: Iterable[Target]) -> dict[Address, str]:
    """By address. Of several names that lead to one address the first counts. Peers given by IP address, or
    known from gossip alone, are verified by the address."""
    found: dict[Address, str] = {}
    for target in targets:
        if target.host and literal(target.host) is None:
            found.setdefault(target.address, target.host.removesuffix("."))
    return found


def tell_names(transport: Transport, targets: Iterable[Target]) -> None:
    """To a transport that verifies names."""
    if (certificates := transport.certificates) is not None:
        certificates.expect_names(expected_names(targets))
