"""Which DNS name the certificate at an address must carry: that by which the operator named the peer."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.gossip.address import Address
from tocsin.gossip.discovery.resolve import literal
from tocsin.gossip.transport.base import Transport


class ExpectedNames:
    """What the configured names resolved to last. Peers given by IP address, or known from gossip alone, are
    verified by the address."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[str, int], tuple[Address, ...]] = {}

    def resolved(self, host: str, port: int, addresses: Sequence[Address]) -> None:
        """``host`` leads there now. A name that does not resolve keeps what it had."""
        if literal(host) is None:
            self._addresses[host, port] = tuple(addresses)

    def expected(self) -> dict[Address, str]:
        """By address. Of several names that lead to one address the first configured counts."""
        found: dict[Address, str] = {}
        for (host, _), addresses in self._addresses.items():
            for address in addresses:
                found.setdefault(address, host.removesuffix("."))
        return found

    def tell(self, transport: Transport) -> None:
        """To a transport that verifies names."""
        expect = getattr(transport, "expect_names", None)
        if expect is not None:
            expect(self.expected())
