"""Which DNS name the certificate at an address must carry: that by which the peer was configured or found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tocsin.gossip.address import Address
from tocsin.gossip.discovery.resolve import literal
from tocsin.gossip.discovery.sources import Target
from tocsin.gossip.transport.base import Transport

SHOWN: Final = 8
"""Names of a certificate that a warning lists."""


def expected_names(targets: Iterable[Target]) -> dict[Address, str]:
    """The expected name of each address. Of several names that lead to one address the first is used. Peers
    given by IP address, or known from gossip alone, are verified by the address."""
    found: dict[Address, str] = {}
    for target in targets:
        if target.host and literal(target.host) is None:
            found.setdefault(target.address, target.host.removesuffix("."))
    return found


def doubt(transport: Transport, host: str) -> str:
    """Why peers that dial this node as ``host`` will refuse its certificate; empty if they will not."""
    if transport.certificates is None or (identity := transport.certificates.identity).is_for(host):
        return ""
    hosts = ", ".join(identity.hosts[:SHOWN]) or "nothing"
    return f"peers dial this node as {host}, and its certificate is for {hosts} only: they will refuse it"


def set_names(transport: Transport, targets: Iterable[Target]) -> None:
    """Pass the expected names to a transport that verifies names."""
    if (certificates := transport.certificates) is not None:
        certificates.expect_names(expected_names(targets))
